"""`zjw keys`: the keys of personal data — a new one, everything sealed under it, the old one dropped."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import click
import msgspec

from app import reach, rekeying, secret_keys, settings, wiring
from app.cli import progress
from app.kernel import db
from app.trouble import Trouble

DISTRICT = click.option("--district", default=None, help="District code; default: all of this database.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("keys")
def command() -> None:
    """Keys of personal data (个人信息加密密钥).

    To change the key: `zjw keys add`, restart all processes, `zjw keys rotate`, `zjw keys drop OLD`, restart. Backups
    made before need the old key: keep a copy as long as those.
    """


@command.command("add")
def add() -> None:
    """Make a new key that seals from the next start on; the others go on opening."""
    fresh = secret_keys.add(_home())
    click.echo(f"{fresh}: restart server and worker, then run `zjw keys rotate`")


@command.command("rotate")
@DISTRICT
@AS_JSON
def rotate(district: str | None, as_json: bool) -> None:
    """Seal all personal data anew under the present key. May be stopped and repeated."""
    done = _with_database(district, lambda codes: rekeying.rotate(codes, progress.bars()))
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
        return
    for code, packages in done.items():
        click.echo(f"{code}  " + "  ".join(f"{name} {rows}" for name, rows in packages.items()))


@command.command("drop")
@click.argument("key_id")
def drop(key_id: str) -> None:
    """Forget an old key; refused while anything is sealed with another key than the present one."""
    home = _home()
    left = _with_database(None, rekeying.stale)
    if left:
        raise Trouble(f"{left} rows are not sealed under the present key: run `zjw keys rotate` first.")
    if not secret_keys.drop(home, key_id):
        raise Trouble(f"There is no old key {key_id} in {home / secret_keys.FILE}.")
    click.echo(f"{key_id} dropped; backups made before the rotation still need it")


def _home() -> Any:
    if os.environ.get(settings.variable("cipher_keys")):
        raise Trouble("The keys are in ZJW_CIPHER_KEYS: change them there, the first one seals and all of them open.")
    return settings.read().home


def _with_database(district: str | None, work: Callable[[list[str]], Awaitable[Any]]) -> Any:
    """Do `work` with the districts of the database (or the one named), everything configured."""
    chosen = settings.load()

    async def run() -> Any:
        wiring.configure(chosen)
        db.configure(chosen.database_url)
        await db.start(1, 2)
        try:
            known = await db.districts()
            if district is not None and district not in known:
                raise Trouble(f"There is no district {district} in this database: it has {', '.join(known) or 'none'}.")
            return await work(known if district is None else [district])
        finally:
            await db.stop()

    with reach.database(chosen.database_url):
        return asyncio.run(run())
