"""`zjw deadline`: when a limit is due, over holidays and pauses, with the steps in words."""

from datetime import datetime, timedelta

import click
import msgspec

from app.kernel.clock import SHANGHAI
from tasks.cases import deadlines
from tasks.cases.deadlines import UNIT_WORDS, Limit, Span, Unit


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


def _hours(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _steps(start: datetime, limit: Limit, pauses: list[Span]) -> list[str]:
    calendar = deadlines.national()
    zh, en = UNIT_WORDS[limit.unit]
    steps = [f"{limit.amount} {zh}，自 {_local(start)} 起 ({limit.amount} {en} from then)"]
    plain = deadlines.unpaused_due(start, limit, calendar)
    final = deadlines.due(start, limit, calendar, pauses)
    if limit.unit.working:
        begin, day = start.astimezone(SHANGHAI).date(), start.astimezone(SHANGHAI).date()
        while day <= final.astimezone(SHANGHAI).date() and len(steps) < 40:
            ordinary = bool(calendar.week[day.weekday()])
            if bool(calendar.hours(day)) != ordinary:
                said = "放假，不计 (holiday)" if ordinary else "调休上班，计入 (make-up working day)"
                steps.append(f"{day}：{said}")
            day += timedelta(days=1)
        if limit.unit is Unit.WORK_DAY:
            steps.append(f"{begin} 当日不计，到第 {limit.amount} 个工作日下班 (the first day does not count)")
    if pauses:
        held = deadlines.elapsed(start, final, limit, calendar) - deadlines.elapsed(
            start, final, limit, calendar, pauses
        )
        steps.append(f"不计暂停到期 {_local(plain)}；暂停占用 {_hours(held)} (due without pauses; time they hold)")
    steps.append(f"到期 {_local(final)} (due)")
    if calendar.provisional(final):
        steps.append("节假日安排尚未公布，按平常周计算，公布后重算 (holidays not known yet: counted as ordinary weeks)")
    return steps


@click.command("deadline")
@click.option("--start", required=True, help="When the clock starts, ISO 8601 with offset.")
@click.option(
    "--limit", "limit_text", required=True, help="`30 minute`, `4 work_hour`, `2 work_day`, `5 calendar_day`."
)
@click.option("--pause", "pauses", multiple=True, help="FROM/TO: the clock stands still; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: due, steps, provisional.")
def command(start: str, limit_text: str, pauses: tuple[str, ...], as_json: bool) -> None:
    """Tell when a limit is due (办理时限), counting working hours and days by the national holidays."""
    began, stops = moment(start), [_pause(each) for each in pauses]
    try:
        limit = deadlines.parse_limit(limit_text)
        due = deadlines.due(began, limit, deadlines.national(), stops)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(str(error)) from None
    steps = _steps(began, limit, stops)
    if as_json:
        provisional = deadlines.national().provisional(due)
        found = msgspec.json.encode({"due": _local(due), "steps": steps, "provisional": provisional})
        click.echo(found.decode())
    else:
        click.echo("\n".join(steps))
