"""`zjw calendar`: the district's working hours, days off and make-up days (调休)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import click
import msgspec

from app import reach, settings
from app.kernel import clock, db
from app.kernel.actor import Actor, system
from app.kernel.problem import Invalid
from app.settings import Settings
from app.trouble import Trouble
from tasks.cases import calendar_commands, calendars
from tasks.cases.calendar_commands import CalendarView
from tasks.cases.calendars import Year


@click.group("calendar")
def command() -> None:
    """Working calendars (工作日历) of the districts."""


@command.command("show")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(district: str | None, as_json: bool) -> None:
    """Show a district's own calendar, and until when holidays are known."""
    _tell(_run(district, calendar_commands.show), as_json)


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(file: Path, district: str | None, as_json: bool) -> None:
    """Take a year of holiday-cn (.json), or days of the district (.csv: date,name,isOffDay).

    A bad file changes nothing. Deadlines that move are reckoned again within minutes.
    """
    try:
        content = file.read_bytes().decode("utf-8-sig")
        if file.suffix.lower() == ".csv":
            days = calendars.read_csv(content)
            view = _run(district, lambda actor: calendar_commands.take_days(days, actor, clock.now()))
        else:
            year = msgspec.json.decode(content, type=Year)
            view = _run(district, lambda actor: calendar_commands.take_year(year, actor, clock.now()))
    except Invalid as problem:
        listed = "".join(f"\n  {each.field}: {each.message[1]} {each.message[0]}" for each in problem.errors)
        raise click.ClickException(f"{file} is not valid 内容有误:{listed}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} is not valid 内容有误: {error}") from None
    _tell(view, as_json)


def _run(district: str | None, work: Callable[[Actor], Awaitable[CalendarView]]) -> CalendarView:
    chosen = settings.load()
    with reach.database(chosen.database_url):
        return asyncio.run(_connected(chosen, system(district or chosen.district, "calendar"), work))


async def _connected(chosen: Settings, actor: Actor, work: Callable[[Actor], Awaitable[CalendarView]]) -> CalendarView:
    db.configure(chosen.database_url)
    await db.start(1, 2)
    try:
        return await work(actor)
    except asyncpg.UndefinedTableError:
        raise Trouble(f"There is no district {actor.district}. `zjw district list` prints them.") from None
    finally:
        await db.stop()


def _tell(view: CalendarView, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(view).decode())
        return
    zh = "全国日历，无本区设定" if view.version == 0 else f"第 {view.version} 版"
    click.echo(f"{zh} (version {view.version}); 节假日已知至 {view.known_until} (holidays known until)")
    for day in view.calendar.days:
        click.echo(f"{day.date}  {'休 off' if day.off else '班 worked'}  {day.name}")
