"""`zjw outbox`: events on their way, and those some subscriber refused to the last."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import click
import msgspec

from app import reach, settings
from app.kernel import clock, db, outbox
from app.trouble import Trouble


@click.group("outbox")
def command() -> None:
    """Events on their way (事件外发), and dead letters."""


@command.command("dead")
@click.option("--district", default=None, help="District code; default: all of this database.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def dead(district: str | None, as_json: bool) -> None:
    """List dead letters, oldest first."""
    found = _in_districts(district, lambda _: outbox.dead(1000))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for code, letters in found.items():
        for letter in letters:
            click.echo(f"{code}  {letter.event_id}  {letter.type}  {letter.dead_at:%Y-%m-%d %H:%M}  {letter.error}")


@command.command("replay")
@click.argument("event_id", type=click.UUID, required=False)
@click.option("--all", "everything", is_flag=True, help="Replay all dead letters.")
@click.option("--district", default=None, help="District code; default: all of this database.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def replay(event_id: UUID | None, everything: bool, district: str | None, as_json: bool) -> None:
    """Deliver a dead letter again (or --all). Exit code 1 if there was none."""
    if (event_id is None) is not everything:
        raise Trouble("Name one event, or --all.")

    async def revive(_: str) -> list[UUID]:
        wanted = [event_id] if event_id is not None else [letter.event_id for letter in await outbox.dead(100_000)]
        return [one for one in wanted if await outbox.replay(one, clock.now())]

    found = _in_districts(district, revive)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        click.echo(f"{sum(map(len, found.values()))} replayed")
    if not any(found.values()):
        raise SystemExit(1)


def _in_districts(district: str | None, work: Callable[[str], Awaitable[list[Any]]]) -> dict[str, list[Any]]:
    """Do `work` in a transaction of each district (or the one named)."""
    address = settings.load().database_url

    async def each() -> dict[str, list[Any]]:
        db.configure(address)
        found: dict[str, list[Any]] = {}
        known = await db.districts()
        if district is not None and district not in known:
            raise Trouble(f"There is no district {district} in this database: it has {', '.join(known) or 'none'}.")
        for code in known if district is None else [district]:
            async with db.transaction(code):
                found[code] = await work(code)
        return found

    with reach.database(address):
        return asyncio.run(each())
