"""`zjw catalogue`: the district's catalogue of items as a file."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from app import reach, settings
from app.cli.deadline import moment
from app.kernel import clock, db
from app.kernel.actor import Actor, Membership, Role
from app.kernel.actor import system as system_actor
from app.kernel.problem import Problem
from app.settings import Settings
from tasks.cases import catalogue_commands
from tasks.cases.catalogue_commands import Changed, Imported
from tasks.cases.problems import FileRefused

IN = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, writable=True, path_type=Path)
Answer = TypeVar("Answer")


@click.group("catalogue")
def command() -> None:
    """The catalogue of items (事项目录) as CSV or XLSX."""


@command.command("export")
@click.argument("file", type=OUT)
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def export(file: Path, district: str | None, as_json: bool) -> None:
    """Write the catalogue in force to FILE (.csv or .xlsx)."""
    form = file.suffix.lower()
    if form not in (".csv", ".xlsx"):
        raise click.UsageError(f"{file.name}: the name ends in .csv or .xlsx 文件名须以 .csv 或 .xlsx 结尾")
    now = clock.now()
    content = _run(district, lambda actor: catalogue_commands.export_file(form == ".xlsx", actor, now))
    file.write_bytes(content)
    told = f"已导出 exported to {file}: {len(content)} bytes"
    click.echo(msgspec.json.encode({"file": str(file), "bytes": len(content)}).decode() if as_json else told)


@command.command("import")
@click.argument("file", type=IN)
@click.option("--dry-run", is_flag=True, help="Tell what would change and which rows are bad; change nothing.")
@click.option("--from", "effective_from", default=None, help="From when it holds, such as 2027-01-01T00:00+08:00.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(file: Path, dry_run: bool, effective_from: str | None, district: str | None, as_json: bool) -> None:
    """Take FILE (CSV or XLSX) into the catalogue, all or nothing. Exit code 1: rows are bad, nothing was changed."""
    now = clock.now()
    since = None if effective_from is None else moment(effective_from)
    report = _run(district, lambda actor: _import(file.read_bytes(), actor, now, since, dry_run))
    click.echo(msgspec.json.encode(report).decode() if as_json else _told(report))
    if report.bad:
        raise SystemExit(1)


async def _import(content: bytes, actor: Actor, now: datetime, since: datetime | None, dry_run: bool) -> Imported:
    """Import; a refused file is told as a dry run of it."""
    try:
        return await catalogue_commands.import_file(content, actor, now, since, dry_run)
    except FileRefused:
        return await catalogue_commands.import_file(content, actor, now, since, dry_run=True)


def _run(district: str | None, work: Callable[[Actor], Awaitable[Answer]]) -> Answer:
    chosen = settings.load()
    with reach.database(chosen.database_url):
        try:
            return asyncio.run(_connected(chosen, district or chosen.district, work))
        except Problem as problem:
            zh, en = problem.detail or problem.title
            raise click.ClickException(f"{zh} {en}") from None


async def _connected(chosen: Settings, district: str, work: Callable[[Actor], Awaitable[Answer]]) -> Answer:
    # Whoever may run the command line on the server acts as the district centre, under the name of the command
    own = system_actor(district, "command-line")
    centre = Membership(role=Role.DISTRICT_CENTRE, organisation=None, area=district)
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        return await work(Actor(id=own.id, kind="staff", district=district, memberships=(centre,)))
    finally:
        await db.stop()


def _told(report: Imported) -> str:
    lines = [f"第 {each.row} 行 {each.column}: {each.why[0]} ({each.why[1]})" for each in report.bad]
    if not report.bad:
        lines += [_line("新增 new", each) for each in report.added]
        lines += [f"{_line('更改 changed', each)}: {', '.join(each.fields)}" for each in report.changed]
    verb = (
        "未作更改 nothing was changed" if report.dry_run else f"自 {report.effective_from.isoformat()} 起生效 in force"
    )
    lines.append(
        f"{report.rows} 行 rows: 新增 new {len(report.added)}, 更改 changed {len(report.changed)},"
        f" 未变 unchanged {report.unchanged}, 有误 bad {len({each.row for each in report.bad})}; {verb}"
    )
    return "\n".join(lines)


def _line(what: str, each: Changed) -> str:
    return f"{what} {each.code} v{each.version}"
