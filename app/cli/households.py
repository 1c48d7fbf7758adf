"""`zjw households import`: a CSV or XLSX of dwellings into the register, every bad row told by line and column."""

import asyncio
from datetime import datetime
from pathlib import Path

import click
import msgspec

from app import reach, settings, wiring
from app.kernel import actor, clock, db
from app.kernel.crs import Datum
from app.kernel.problem import Invalid
from app.settings import Settings
from tasks.channels import sheet
from visits import household_import_commands
from visits.household_import_commands import FileReport


@click.group("households")
def command() -> None:
    """Households (户)."""


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--datum",
    type=click.Choice([datum.value for datum in Datum]),
    default=Datum.WGS84.value,
    show_default=True,
    help="Datum of the points where a row names none 坐标系.",
)
@click.option("--dry-run", is_flag=True, help="List the bad rows, register nothing.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_households(file: Path, datum: str, dry_run: bool, district: str | None, as_json: bool) -> None:
    """Register the households of a CSV or XLSX; the same file again adds nothing.

    Columns: address 地址, village 村社代码, lon 经度, lat 纬度; datum 坐标系, accuracy_m 精度, residents 人数,
    contact 联系电话, consent 同意联系, care_needs 服务需求. Exit code 1: rows were refused, or the file.
    """
    chosen = settings.load()
    try:
        with reach.database(chosen.database_url):
            report = asyncio.run(
                _import(chosen, district or chosen.district, file.read_bytes(), Datum(datum), dry_run, clock.now())
            )
    except Invalid as refused:
        why = "; ".join(f"{each.field} {each.message[0]} {each.message[1]}" for each in refused.errors)
        raise click.ClickException(f"{file}: {why}") from None
    click.echo(msgspec.json.encode(report).decode() if as_json else _words(report))
    if report.refused:
        raise SystemExit(1)


async def _import(
    chosen: Settings, district: str, content: bytes, datum: Datum, dry_run: bool, now: datetime
) -> FileReport:
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        who = actor.system(district, "import")
        table = sheet.read(content)
        return await household_import_commands.import_file(table, datum, who, now, dry_run=dry_run)
    finally:
        await db.stop()


def _words(report: FileReport) -> str:
    done = "would be taken 可以导入" if report.dry_run else "taken 已导入"
    bad_rows = len({each.row for each in report.refused})
    lines = [f"households {done}: {report.taken}, rows refused 拒绝: {bad_rows}"]
    lines += [f"  {each.row} {each.column}: {each.why[0]} {each.why[1]}" for each in report.refused]
    return "\n".join(lines)
