"""`zjw district`: the districts of this database."""

import asyncio

import asyncpg
import click

from app import reach, settings
from app.kernel import clock, db
from app.kernel.db import schema_of
from app.settings import Settings
from app.trouble import Trouble
from migrations import runner
from tasks.cases import difficult, difficult_commands


@click.group("district")
def command() -> None:
    """Districts (区), each with tables of its own."""


@command.command("add")
@click.argument("code")
@click.option("--name", required=True, help="Name of the district, such as 萧山区.")
def add(code: str, name: str) -> None:
    """Add a district by its six-digit code (GB/T 2260) and make its tables."""
    try:
        schema_of(code)
    except ValueError:
        raise Trouble(f"“{code}” is no district code: six digits after GB/T 2260 are asked for.") from None
    chosen = settings.load()
    with reach.database(chosen.database_owner_url):
        asyncio.run(_add(chosen, code, name))
    click.echo(f"district {code} {name} is ready")


async def _add(chosen: Settings, code: str, name: str) -> None:
    """Make the tables and put the written samples into the library of difficult items; again only what is missing."""
    now = clock.now()
    await runner.add_district(chosen.database_owner_url, code, name, now)
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        async with db.transaction(code):
            await difficult_commands.load(difficult.shipped(), now)
    finally:
        await db.stop()


@command.command("list")
def list_() -> None:
    """Print code, name and placement of every district."""
    address = settings.load().database_url
    with reach.database(address):
        for row in asyncio.run(_districts(address)):
            click.echo(f"{row['code']}  {row['name']}  {row['placement'] or 'here'}")


async def _districts(address: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(address)
    try:
        if await connection.fetchval("select to_regclass('public.district')") is None:
            return []
        return await connection.fetch("select code, name, placement from public.district order by code")
    finally:
        await connection.close()
