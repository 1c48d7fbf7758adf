"""`zjw deadline`: when a limit is due, over holidays and pauses, with the steps in words."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import asyncpg
import click
import msgspec

from app import reach, settings
from app.kernel import db
from app.kernel.clock import SHANGHAI
from app.trouble import Trouble
from tasks.cases import deadlines, reference
from tasks.cases.deadlines import UNIT_WORDS, Calendar, Limit, Span, Unit

MOST_DAYS = 60
"""So many days are told one by one."""


def moment(text: str) -> datetime:
    """Read an ISO 8601 instant; one without its zone is Chinese time. UsageError for anything else."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"not a time 不是时间: {text} (write 2026-09-30T16:00+08:00)") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=SHANGHAI)


def _pause(text: str) -> Span:
    begin, slash, end = text.partition("/")
    if not slash:
        raise click.UsageError(f"write a pause as FROM/TO 暂停写成 起/止: {text}")
    span = (moment(begin), moment(end))
    if span[0] > span[1]:
        raise click.UsageError(f"the pause ends before it begins 暂停止早于起: {text}")
    return span


def _local(at: datetime) -> str:
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds" if at.second else "minutes")


def _length(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _days(first: datetime, last: datetime) -> Iterator[date]:
    day, end = first.astimezone(SHANGHAI).date(), last.astimezone(SHANGHAI).date()
    for _ in range(MOST_DAYS):
        if day > end:
            return
        yield day
        day += timedelta(days=1)


def _used(day: date, start: datetime, final: datetime, limit: Limit, calendar: Calendar, pauses: list[Span]) -> str:
    """Return how much of the limit a day uses."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    begin, end = max(midnight, start), min(midnight + timedelta(days=1), final)
    return _length(deadlines.elapsed(begin, end, limit, calendar, pauses)) if begin < end else _length(timedelta())


def _day(day: date, calendar: Calendar) -> str:
    """Return what is special about a day, if anything."""
    if day in calendar.days_off:
        return "放假，不计 (holiday)"
    ordinary, works = bool(calendar.week[day.weekday()]), bool(calendar.hours(day))
    if works == ordinary:
        return "" if works else "周末，不计 (no working day)"
    return "休，不计 (day off)" if ordinary else "调休上班，计入 (make-up working day)"


def _walk(start: datetime, final: datetime, limit: Limit, calendar: Calendar, pauses: list[Span]) -> Iterator[str]:
    """Tell the days a working limit walks through."""
    for day in _days(start, final):
        said = _day(day, calendar)
        if limit.unit is Unit.WORK_HOUR and calendar.hours(day):
            used = _used(day, start, final, limit, calendar, pauses)
            said = f"{said}；计 {used} (counted)".removeprefix("；")
        if said:
            yield f"{day}：{said}"


def _steps(start: datetime, limit: Limit, calendar: Calendar, pauses: list[Span]) -> list[str]:
    zh, en = UNIT_WORDS[limit.unit]
    steps = [f"{limit.amount} {zh}，自 {_local(start)} 起 ({limit.amount} {en} from then)"]
    plain = deadlines.unpaused_due(start, limit, calendar)
    final = deadlines.due(start, limit, calendar, pauses)
    if limit.unit.working:
        steps += _walk(start, final, limit, calendar, pauses)
    if limit.unit is Unit.WORK_DAY:
        steps.append(f"起算当日不计，到第 {limit.amount} 个工作日下班 (the first day does not count)")
    if limit.unit is Unit.CALENDAR_DAY:
        steps.append(f"起算当日不计，到第 {limit.amount} 日 24:00 (the first day does not count)")
    for begin, end in deadlines.merge_pauses(pauses, start):
        steps.append(f"暂停 {_local(begin)} 至 {_local(end)} (paused)")
    if pauses:
        merged = [(begin, min(end, final)) for begin, end in deadlines.merge_pauses(pauses, start) if begin < final]
        held = sum((deadlines.elapsed(begin, end, limit, calendar) for begin, end in merged), timedelta())
        steps.append(f"不计暂停到期 {_local(plain)}；暂停占用 {_length(held)} (due without pauses; time they hold)")
    steps.append(f"到期 {_local(final)} (due)")
    if calendar.provisional(final):
        steps.append("节假日安排尚未公布，按平常周计算，公布后重算 (holidays not known yet: counted as ordinary weeks)")
    return steps


async def _calendar_of(address: str, district: str) -> Calendar:
    db.configure(address)
    await db.start(1, 1)
    try:
        async with db.transaction(district):
            return (await reference.present()).calendar
    except asyncpg.UndefinedTableError:
        raise Trouble(f"There is no district {district}. `zjw district list` prints them.") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    finally:
        await db.stop()


def _calendar(district: str | None) -> Calendar:
    """Return the national calendar, or that of a district."""
    if district is None:
        return deadlines.national()
    address = settings.load().database_url
    with reach.database(address):
        return asyncio.run(_calendar_of(address, district))


@click.command("deadline")
@click.option("--start", required=True, help="When the clock starts, ISO 8601 with offset.")
@click.option(
    "--limit", "limit_text", required=True, help="`30 minute`, `4 work_hour`, `2 work_day`, `5 calendar_day`."
)
@click.option("--pause", "pauses", multiple=True, help="FROM/TO: the clock stands still; may be repeated.")
@click.option("--district", default=None, help="By the calendar of this district; default: the national one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: due, steps, provisional.")
def command(start: str, limit_text: str, pauses: tuple[str, ...], district: str | None, as_json: bool) -> None:
    """Tell when a limit is due (办理时限), counting working hours and days by the national holidays."""
    began, stops = moment(start), [_pause(each) for each in pauses]
    calendar = _calendar(district)
    try:
        limit = deadlines.parse_limit(limit_text)
        due = deadlines.due(began, limit, calendar, stops)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(str(error)) from None
    steps = _steps(began, limit, calendar, stops)
    provisional = calendar.provisional(due)
    if provisional:
        click.echo("节假日安排尚未公布，结果会变 (holidays are not known that far: this may still move)", err=True)
    if as_json:
        found = msgspec.json.encode({"due": _local(due), "steps": steps, "provisional": provisional})
        click.echo(found.decode())
    else:
        click.echo("\n".join(steps))
