"""`zjw grid`: cells from a GeoJSON file into the grid, every fault told with its measure."""

import asyncio
import csv
import sys
from datetime import datetime
from pathlib import Path

import click
import msgspec

from app import reach, settings
from app.kernel import actor, clock, db
from app.kernel.crs import Datum
from app.settings import Settings
from grid import commands
from grid.commands import AreaReport, ImportReport
from grid.imports import FeatureCollection
from grid.problems import CellsRefused


@click.group("grid")
def command() -> None:
    """Areas and cells (网格)."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--datum", type=click.Choice([datum.value for datum in Datum]), required=True, help="Datum the file is in 坐标系."
)
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--replace", is_flag=True, help="End the present cells of the villages in the file.")
@click.option("--dry-run", is_flag=True, help="Check and report, change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_cells(file: Path, datum: str, district: str | None, replace: bool, dry_run: bool, as_json: bool) -> None:
    """Take all cells of a GeoJSON FeatureCollection (property `code`: 15 digits), or none. Exit code 1: refused."""
    collection = _read(file)
    chosen = settings.load()
    where = district or chosen.district
    with reach.database(chosen.database_url):
        report = asyncio.run(_import(chosen, where, collection, Datum(datum), replace, dry_run, clock.now()))
    click.echo(msgspec.json.encode(report) if as_json else _told(report))
    if not report.accepted:
        raise SystemExit(1)


@command.command("areas")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_areas(file: Path, district: str | None, as_json: bool) -> None:
    """Take the areas of a CSV (code, parent_code, level, name) that are not there yet; refused rows are listed."""
    try:
        rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{file} is not a CSV in UTF-8 不是 UTF-8 的 CSV: {error}") from None
    if not rows or not {"code", "parent_code", "name"} <= rows[0].keys():
        raise click.ClickException(f"{file} lacks the columns code, parent_code, name 缺少列")
    chosen = settings.load()
    with reach.database(chosen.database_url):
        report = asyncio.run(_areas(chosen, district or chosen.district, rows, clock.now()))
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    click.echo(f"areas taken 已导入: {report.taken}, refused 已拒绝: {len(report.refused)}")
    for row in report.refused:
        click.echo(f"  line {row.line} {row.code}: {row.reason}")


async def _areas(chosen: Settings, district: str, rows: list[dict[str, str]], now: datetime) -> AreaReport:
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        return await commands.import_areas(district, rows, {}, now, "")
    finally:
        await db.stop()


def _read(file: Path) -> FeatureCollection:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=FeatureCollection)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.ClickException(f"{file} is not a GeoJSON FeatureCollection 不是 GeoJSON: {error}") from None


async def _import(
    chosen: Settings,
    district: str,
    collection: FeatureCollection,
    datum: Datum,
    replace: bool,
    dry_run: bool,
    now: datetime,
) -> ImportReport:
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        by = actor.system(district, "command line")
        try:
            return await commands.import_cells(
                collection, datum, by, now, source="import", replace=replace, dry_run=dry_run
            )
        except CellsRefused:
            # Nothing was changed: the same check once more, for its report.
            report = await commands.import_cells(collection, datum, by, now, replace=replace, dry_run=True)
            return msgspec.structs.replace(report, dry_run=False)
    finally:
        await db.stop()


def _told(report: ImportReport) -> str:
    if not report.accepted:
        verdict = "refused, nothing was changed 已拒绝，未作任何更改"
    else:
        verdict = "would be taken 可以导入" if report.dry_run else "taken 已导入"
    lines = [f"cells {report.features}, villages {len(report.villages)}: {verdict}"]
    if report.ended:
        lines.append(f"{len(report.ended)} present cells end 原网格失效")
    for each in report.findings:
        number = "" if each.feature is None else f" feature {each.feature}"
        lines.append(f"  {each.fault:9}{each.code}{number}: {each.message_en} {each.message_zh}")
    return "\n".join(lines)
