"""`zjw cases import`: a CSV or XLSX of cases through the one door, with its bad rows by line and column."""

import asyncio
from pathlib import Path
from uuid import UUID

import click
import msgspec

from app import reach, settings, wiring
from app.cli import progress
from app.kernel import actor, clock, db
from app.kernel.problem import Invalid, Problem
from app.settings import Settings
from tasks.channels import bulk, bulk_commands, sources
from tasks.channels.bulk import FaultView, Import
from tasks.channels.bulk_commands import ImportWish

SHOWN = 1_000
"""So many bad rows are listed; the API lists all of them."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an import came to."""

    result: Import
    faults: list[FaultView]


@click.group("cases")
def command() -> None:
    """Cases (事件)."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", default=sources.IMPORT, show_default=True, help="Source whose field mapping reads the rows.")
@click.option("--columns", default="", help='JSON {"field": "heading"} instead of the mapping\'s columns.')
@click.option("--dry-run", is_flag=True, help="List the bad rows, open nothing.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_cases(file: Path, source: str, columns: str, dry_run: bool, district: str | None, as_json: bool) -> None:
    """Import cases (批量导入). Stopped in the middle, the worker goes on with it; the same file again adds nothing.

    Exit code 1: rows were refused, or the file.
    """
    chosen = settings.load()
    try:
        wish = ImportWish(
            file=file.name,
            content=file.read_bytes(),
            source=source,
            columns=bulk.read_columns(columns),
            dry_run=dry_run,
        )
        with reach.database(chosen.database_url):
            told = asyncio.run(_import(chosen, district or chosen.district, wish))
    except Problem as problem:
        raise click.ClickException(f"{file}: {_why(problem)}") from None
    click.echo(msgspec.json.encode(told).decode() if as_json else _words(told))
    if told.result.refused:
        raise SystemExit(1)


async def _import(chosen: Settings, district: str, wish: ImportWish) -> Told:
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    await db.start(1, 2)
    who = actor.system(district, "import")
    try:
        begun = await bulk_commands.begin(wish, who, clock.now())
        bar = progress.bars()
        while await bulk_commands.work(district, begun.id, clock.now()):
            seen = await bulk_commands.read(begun.id, who)
            bar("cases 事件", seen.done, seen.total)
        return await _told(begun.id, who)
    finally:
        await db.stop()


async def _told(import_id: UUID, who: actor.Actor) -> Told:
    result = await bulk_commands.read(import_id, who)
    return Told(result=result, faults=await bulk_commands.faults(import_id, 0, SHOWN, who, 0))


def _why(problem: Problem) -> str:
    if isinstance(problem, Invalid):
        return "; ".join(f"{each.field} {each.message[0]} {each.message[1]}" for each in problem.errors)
    return " ".join(problem.detail or problem.title)


def _words(told: Told) -> str:
    result = told.result
    first = "试导入 dry run: " if result.dry_run else ""
    counts = (
        f"{first}新增 stored {result.stored}, 更新 updated {result.updated}, 不变 unchanged {result.unchanged},"
        f" 拒绝 refused {result.refused}"
    )
    return "\n".join([counts, *(f"  {each.row} {each.column}: {each.why}" for each in told.faults)])
