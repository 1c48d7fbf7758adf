"""`zjw trail`: is the trace of the cases whole?"""

import asyncio
from datetime import date
from typing import IO
from uuid import UUID

import click
import msgspec
from tqdm import tqdm

from app import reach, settings
from app.kernel import db
from app.settings import Settings
from tasks.cases import hashing, trail
from tasks.cases.trace import Root
from tasks.cases.trail import Checked


@click.group("trail")
def command() -> None:
    """The trace of cases (留痕), sealed step by step."""


@command.command("verify")
@click.option("--case", "case_id", type=click.UUID, default=None, help="One case only.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--roots", "kept", type=click.File("rb"), help="Compare with roots kept by `zjw trail roots --json`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(case_id: UUID | None, district: str | None, kept: IO[bytes] | None, as_json: bool) -> None:
    """Walk every chain and report the first link that does not hold. Exit code 1: broken, or no such case.

    A chain rewritten from end to end fits itself, but not the ends noted with the daily roots. Where somebody changed
    those too, only roots kept elsewhere (`--roots`) tell; without them the newest of the database is compared.
    """
    chosen = settings.load()
    roots = None if kept is None else _read(kept)
    with reach.database(chosen.database_url):
        found, day = asyncio.run(_verify(chosen, district or chosen.district, case_id, roots))
    if found is None:
        raise click.ClickException(f"no such case 没有这个事件: {case_id}")
    click.echo(msgspec.json.encode(found).decode() if as_json else _told(found))
    if day is not None:
        click.echo(
            f"与 {day} 导出的根散列不符，有链被改写过 (not the root kept of that day: what it covers was rewritten)",
            err=True,
        )
    if found.broken is not None or day is not None:
        raise SystemExit(1)


@command.command("roots")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, to be kept elsewhere.")
def roots(district: str | None, as_json: bool) -> None:
    """Print the root of every day, for `zjw trail verify --roots FILE` later."""
    chosen = settings.load()
    with reach.database(chosen.database_url):
        found = asyncio.run(_roots(chosen, district or chosen.district))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    for one in found:
        click.echo(f"{one.day}  {one.cases:>8}  {one.algorithm}:{one.hash}")


def _read(kept: IO[bytes]) -> list[Root]:
    try:
        return msgspec.json.decode(kept.read(), type=list[Root])
    except msgspec.DecodeError as error:
        raise click.UsageError(f"not roots of `zjw trail roots --json` 不是导出的根散列: {error}") from None


async def _roots(chosen: Settings, district: str) -> list[Root]:
    db.configure(chosen.database_url)
    await db.start(1, 1)
    try:
        return await trail.roots(district)
    finally:
        await db.stop()


async def _verify(
    chosen: Settings, district: str, case_id: UUID | None, kept: list[Root] | None
) -> tuple[Checked | None, date | None]:
    db.configure(chosen.database_url)
    hashing.configure(chosen.trace_hash)  # of the root that is printed
    await db.start(1, 2)
    try:
        if case_id is not None:
            return await trail.verify_one(district, case_id), None
        with tqdm(unit="case", delay=2, leave=False) as bar:
            found = await trail.verify_all(district, bar.update)
        compared = (await trail.roots(district))[-1:] if kept is None else kept
        return found, await trail.differing(district, compared)
    finally:
        await db.stop()


def _told(found: Checked) -> str:
    if found.broken is None:
        root = "" if found.root is None else f"\n根散列 root: {found.root}"
        return f"{found.cases} 个事件、{found.links} 步，全部完好 (all links hold){root}"
    zh, en = found.broken.why
    return f"断链 broken: case {found.broken.case} step {found.broken.seq}: {zh} ({en})"
