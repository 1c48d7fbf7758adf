"""Clocks of a case: when a limit is due and how much of it is used, over working calendars and pauses; pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache, lru_cache

from msgspec import Struct

from app.kernel.clock import SHANGHAI

ZONE = SHANGHAI
LONGEST = timedelta(days=3660)
"""No limit reaches further than ten years: longer ones are typing errors."""

Span = tuple[datetime, datetime]
"""A half-open interval of aware instants."""
Hours = tuple[tuple[time, time], ...]
"""Working hours of one day, in order, not overlapping, local time."""


class Unit(StrEnum):
    """What a limit counts (cases.md §4)."""

    MINUTE = "minute"
    WORK_HOUR = "work_hour"
    WORK_DAY = "work_day"
    CALENDAR_DAY = "calendar_day"

    @property
    def working(self) -> bool:
        """Whether only working time counts."""
        return self in (Unit.WORK_HOUR, Unit.WORK_DAY)


UNIT_WORDS = {
    Unit.MINUTE: ("分钟", "minutes"),
    Unit.WORK_HOUR: ("个工作时", "working hours"),
    Unit.WORK_DAY: ("个工作日", "working days"),
    Unit.CALENDAR_DAY: ("个自然日", "calendar days"),
}
_LONGEST_OF = {
    Unit.MINUTE: int(LONGEST.total_seconds() // 60),
    Unit.WORK_HOUR: 3660 * 5,
    Unit.WORK_DAY: 2440,
    Unit.CALENDAR_DAY: 3660,
}
_WRITTEN = re.compile(r"\s*(\d{1,9})\s+(minute|work_hour|work_day|calendar_day)s?\s*", re.ASCII)


class Limit(Struct, frozen=True):
    """So many units of time, such as `4 work_hour`."""

    amount: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.amount} {self.unit.value}"


def parse_limit(text: str) -> Limit:
    """Read `30 minute`, `4 work_hour`, `2 work_day`, `5 calendar_day`; ValueError (zh / en) for anything else."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(
            f"时限须写成“4 work_hour”，单位为 minute、work_hour、work_day、calendar_day：{text!r}"
            " / write a limit as “4 work_hour”, in minute, work_hour, work_day or calendar_day"
        )
    limit = Limit(int(found[1]), Unit(found[2]))
    if not 1 <= limit.amount <= _LONGEST_OF[limit.unit]:
        raise ValueError(
            f"时限须在 1 到 {_LONGEST_OF[limit.unit]} 之间：{text!r}"
            f" / a limit in {limit.unit.value} lies between 1 and {_LONGEST_OF[limit.unit]}"
        )
    return limit


WORKDAY: Hours = ((time(8, 30), time(12)), (time(13, 30), time(17, 30)))


class Calendar(Struct, frozen=True):
    """Working hours per weekday (Monday first), days off and make-up days (调休) that differ from it.

    `known_until`: the last date the holidays are known for; later dates count as ordinary weeks.
    """

    week: tuple[Hours, ...] = (WORKDAY,) * 5 + ((),) * 2
    makeup_hours: Hours = WORKDAY
    days_off: frozenset[date] = frozenset()
    makeup_days: frozenset[date] = frozenset()
    known_until: date | None = None

    def hours(self, day: date) -> Hours:
        """Return the working hours of a day; none on a day off."""
        if day in self.makeup_days:
            return self.makeup_hours
        return () if day in self.days_off else self.week[day.weekday()]

    def provisional(self, at: datetime) -> bool:
        """Tell whether an instant lies beyond the holidays' data, so that a due there may still move."""
        return self.known_until is not None and at.astimezone(ZONE).date() > self.known_until

    def with_overrides(self, days_off: Sequence[date] = (), makeup_days: Sequence[date] = ()) -> "Calendar":
        """Return the calendar with local overrides; they win over the national days."""
        off, makeup = frozenset(days_off), frozenset(makeup_days)
        return Calendar(
            self.week,
            self.makeup_hours,
            (self.days_off | off) - makeup,
            (self.makeup_days | makeup) - off,
            self.known_until,
        )


@cache
def national() -> Calendar:
    """Return the calendar of the State Council's notices, as the package `chinesecalendar` knows them."""
    from chinese_calendar import constants

    last = date(max(constants.holidays).year, 12, 31)
    return Calendar(days_off=frozenset(constants.holidays), makeup_days=frozenset(constants.workdays), known_until=last)


def _aware(*instants: datetime) -> None:
    for instant in instants:
        if instant.tzinfo is None:
            raise ValueError(f"时间缺少时区 / a time without its zone: {instant.isoformat()}")


@lru_cache(4096)
def _local(day: date, at: time) -> datetime:
    return datetime.combine(day, at, ZONE).astimezone(UTC)


def merge_pauses(pauses: Sequence[Span], start: datetime) -> tuple[Span, ...]:
    """Return the pauses in order, joined where they touch, cut to `start`; empty ones are dropped."""
    merged: list[Span] = []
    for begin, end in sorted((max(a, start), b) for a, b in pauses):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return tuple(merged)


def _counting(start: datetime, working: bool, calendar: Calendar) -> Iterator[Span]:
    """Yield the stretches that count, from `start` on: working hours, or all of time in one piece."""
    if not working:
        yield start, datetime.max.replace(tzinfo=UTC)
        return
    day = start.astimezone(ZONE).date()
    while day < date.max:
        for opens, closes in calendar.hours(day):
            begin, end = max(_local(day, opens), start), _local(day, closes)
            if begin < end:
                yield begin, end
        day += timedelta(days=1)


def _without(span: Span, pauses: Sequence[Span]) -> Iterator[Span]:
    """Yield what is left of a stretch outside the pauses (merged and in order)."""
    begin, end = span
    for pause_begin, pause_end in pauses:
        if pause_end <= begin:
            continue
        if pause_begin >= end:
            break
        if begin < pause_begin:
            yield begin, pause_begin
        begin = pause_end
        if begin >= end:
            return
    if begin < end:
        yield begin, end


def _consume(start: datetime, amount: timedelta, working: bool, calendar: Calendar, pauses: Sequence[Span]) -> datetime:
    """Return the earliest instant at which `amount` of counting, unpaused time has passed."""
    if amount <= timedelta():
        return start
    for stretch in _counting(start, working, calendar):
        for begin, end in _without(stretch, pauses):
            if end - begin >= amount:
                return (begin + amount).astimezone(UTC)
            amount -= end - begin
    raise ValueError("日历中没有工作时间 / the calendar has no working time left")


def _measure(start: datetime, until: datetime, working: bool, calendar: Calendar, pauses: Sequence[Span]) -> timedelta:
    """Return the counting, unpaused time in [start, until)."""
    total = timedelta()
    for begin, end in _counting(start, working, calendar):
        if begin >= until:
            break
        for a, b in _without((begin, min(end, until)), pauses):
            total += b - a
        if end >= until:
            break
    return total


def _nth_day_end(start: datetime, limit: Limit, calendar: Calendar) -> datetime:
    """Return the end of the N-th day after the start's day: closing time for work days, 24:00 for calendar days."""
    day = start.astimezone(ZONE).date()
    if limit.unit is Unit.CALENDAR_DAY:
        return _local(day + timedelta(days=limit.amount + 1), time())
    left, last = limit.amount, day + LONGEST * 3
    while left and day < last:
        day += timedelta(days=1)
        left -= bool(calendar.hours(day))
    if left:
        raise ValueError("日历中没有工作日 / the calendar has no working days")
    return _local(day, calendar.hours(day)[-1][1])


def unpaused_due(start: datetime, limit: Limit, calendar: Calendar) -> datetime:
    """Return when the limit is due if its clock never stops; UTC."""
    _aware(start)
    if limit.unit is Unit.MINUTE:
        return start.astimezone(UTC) + timedelta(minutes=limit.amount)
    if limit.unit is Unit.WORK_HOUR:
        return _consume(start.astimezone(UTC), timedelta(hours=limit.amount), True, calendar, ())
    return _nth_day_end(start, limit, calendar)


def total(start: datetime, limit: Limit, calendar: Calendar) -> timedelta:
    """Return how much counting time the limit gives from `start`: working time for `work_*`, else length."""
    due_at = unpaused_due(start, limit, calendar)
    return _measure(start, due_at, limit.unit.working, calendar, ())


def due(start: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Span] = ()) -> datetime:
    """Return when a limit is due: the earliest instant at which its time has passed outside the pauses; UTC.

    ValueError for a time without zone. The due without pauses moves right until the counting time after it
    equals that of the pauses before the due, which is to consume the same time outside them.
    """
    plain = unpaused_due(start, limit, calendar)
    stops = merge_pauses(pauses, start)
    if not any(begin < plain for begin, _ in stops):
        return plain
    working = limit.unit.working
    given = _measure(start, plain, working, calendar, ())
    if given == _measure(start, plain, working, calendar, stops):
        return plain  # the pauses hold no counting time: nothing moves
    return _consume(start.astimezone(UTC), given, working, calendar, stops)


def elapsed(start: datetime, now: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Span] = ()) -> timedelta:
    """Return the time of the limit's unit used between `start` and `now`, without the pauses; never negative."""
    _aware(start, now)
    return _measure(start.astimezone(UTC), now, limit.unit.working, calendar, merge_pauses(pauses, start))


def share(start: datetime, now: datetime, limit: Limit, calendar: Calendar, pauses: Sequence[Span] = ()) -> float:
    """Return how much of the limit is used: 0 at the start, 1 at the due, more when overdue."""
    return elapsed(start, now, limit, calendar, pauses) / total(start, limit, calendar)


def reaches(start: datetime, limit: Limit, part: float, calendar: Calendar, pauses: Sequence[Span] = ()) -> datetime:
    """Return the earliest instant at which `part` (0–1) of the limit is used: when to urge."""
    amount = total(start, limit, calendar) * part
    return _consume(start.astimezone(UTC), amount, limit.unit.working, calendar, merge_pauses(pauses, start))


def part_of(
    start: datetime, due_at: datetime, part: float, unit: Unit, calendar: Calendar, pauses: Sequence[Span] = ()
) -> datetime:
    """Return the earliest instant at which `part` (0–1) of the time counted between a start and a due has passed.

    As `reaches`, for a due that was extended or cut short; one without counted time before it counts day and night.
    """
    begin, stops = start.astimezone(UTC), merge_pauses(pauses, start)
    given = _measure(begin, due_at, unit.working, calendar, stops)
    if not given:
        return begin + (due_at - begin) * part
    return _consume(begin, given * part, unit.working, calendar, stops)
