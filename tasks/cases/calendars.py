"""A district's own calendar over the national one: working hours, days off, make-up days, later years; pure."""

import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import date, time
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from app.kernel.problem import FieldError, Invalid, invalid
from tasks.cases.deadlines import Calendar, Hours

WEEK = 7
_COLUMNS = ("date", "name", "isOffDay")


class Period(Struct, frozen=True, forbid_unknown_fields=True):
    """Working hours without a break, local time: `{"opens": "08:30", "closes": "12:00"}`."""

    opens: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    closes: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


Periods = Annotated[tuple[Period, ...], Meta(max_length=6)]


class Day(Struct, frozen=True, kw_only=True):
    """A day that differs from its week: off, or worked all the same (调休); as holiday-cn writes it."""

    date: date
    off: bool = field(name="isOffDay")
    name: Annotated[str, Meta(max_length=60)] = ""


class Year(Struct, frozen=True, kw_only=True):
    """A file of holiday-cn: all days of a year that the State Council's notice names. Other fields are left out."""

    year: Annotated[int, Meta(ge=2000, le=2100)]
    days: Annotated[tuple[Day, ...], Meta(max_length=400)]


class CalendarDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a district says of its days; what it does not say holds as in the whole country.

    `week`: seven lists of working periods, Monday first; `years`: those whose holidays stand among the days whole.
    """

    week: Annotated[tuple[Periods, ...], Meta(max_length=WEEK)] | None = None
    makeup_hours: Periods | None = None
    days: Annotated[tuple[Day, ...], Meta(max_length=4000)] = ()
    years: Annotated[tuple[Annotated[int, Meta(ge=2000, le=2100)], ...], Meta(max_length=100)] = ()


NOTHING = CalendarDocument()


def _hours(periods: Sequence[Period]) -> Hours:
    return tuple((time.fromisoformat(each.opens), time.fromisoformat(each.closes)) for each in periods)


def _wrong_hours(field: str, periods: Sequence[Period]) -> list[FieldError]:
    hours = _hours(periods)
    edges = [edge for period in hours for edge in period]
    if all(a < b for a, b in pairwise(edges)):
        return []
    return [FieldError(field, ("时段须按先后排列且不重叠", "periods are in order and do not overlap"))]


def faults(document: CalendarDocument) -> list[FieldError]:
    """Return everything that is wrong with a calendar; nothing if it can be taken."""
    found: list[FieldError] = []
    week = document.week
    if week is not None:
        if len(week) != WEEK:
            found.append(FieldError("week", ("须有七天，周一在前", "seven days are needed, Monday first")))
        elif not any(week):
            found.append(FieldError("week", ("一周须有工作时间", "a week needs working hours")))
        for n, periods in enumerate(week):
            found += _wrong_hours(f"week[{n}]", periods)
    if document.makeup_hours is not None:
        if not document.makeup_hours:
            found.append(FieldError("makeup_hours", ("调休上班日须有工作时间", "a make-up day needs working hours")))
        found += _wrong_hours("makeup_hours", document.makeup_hours)
    seen = [day.date for day in document.days]
    found += [
        FieldError(f"days[{n}].date", ("日期重复", "the date stands there twice"))
        for n, day in enumerate(seen)
        if day in seen[:n]
    ]
    return found


def applied(national: Calendar, document: CalendarDocument) -> Calendar:
    """Return the calendar of a district: its own days and hours win over the national ones."""
    plain = replace(
        national,
        week=national.week if document.week is None else tuple(map(_hours, document.week)),
        makeup_hours=national.makeup_hours if document.makeup_hours is None else _hours(document.makeup_hours),
        known_until=_known_until(national, frozenset(document.years)),
    )
    off = [day.date for day in document.days if day.off]
    return plain.with_overrides(off, [day.date for day in document.days if not day.off])


def _known_until(national: Calendar, years: frozenset[int]) -> date | None:
    known = national.known_until
    while known is not None and known.year + 1 in years:
        known = date(known.year + 1, 12, 31)
    return known


def with_year(document: CalendarDocument, year: Year) -> CalendarDocument:
    """Return a calendar that holds a year's days, in place of those of their dates; Invalid for a foreign day."""
    for n, day in enumerate(year.days):
        if abs(day.date.year - year.year) > 1:  # a notice may name days at the turn of the year
            raise invalid(f"days[{n}].date", f"不在 {year.year} 年", f"is not in {year.year}")
    return replace(with_days(document, year.days), years=tuple(sorted({*document.years, year.year})))


def with_days(document: CalendarDocument, days: Sequence[Day]) -> CalendarDocument:
    """Return a calendar that holds these days, in place of those it had of their dates."""
    by_date = {day.date: day for day in (*document.days, *days)}
    return replace(document, days=tuple(by_date[each] for each in sorted(by_date)))


def read_csv(text: str) -> tuple[Day, ...]:
    """Read `date,name,isOffDay` with a header; Invalid names every bad row (2 is the first below the header)."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if reader.fieldnames is None or not {"date", "isOffDay"} <= set(reader.fieldnames):
        raise invalid("header", f"须有列 {'、'.join(_COLUMNS)}", f"the columns are {', '.join(_COLUMNS)}")
    days: list[Day] = []
    errors: list[FieldError] = []
    for row, cells in enumerate(reader, 2):
        try:
            off = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                (cells["isOffDay"] or "").strip().lower()
            ]
            days.append(
                Day(date=date.fromisoformat((cells["date"] or "").strip()), off=off, name=cells.get("name") or "")
            )
        except (KeyError, ValueError):
            why = (
                "日期写成 2026-10-01，isOffDay 为 true 或 false",
                "a date like 2026-10-01, and isOffDay true or false",
            )
            errors.append(FieldError(f"row {row}", why))
    if errors:
        raise Invalid(errors)
    return tuple(days)


def fingerprint(calendar: Calendar) -> str:
    """Return what is equal for two calendars exactly when every due is."""
    said = msgspec.json.encode(
        [
            calendar.week,
            calendar.makeup_hours,
            sorted(calendar.days_off),
            sorted(calendar.makeup_days),
            calendar.known_until,
        ]
    )
    return hashlib.sha256(said).hexdigest()
