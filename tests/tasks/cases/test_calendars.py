"""A district's own calendar: files of holidays, days and hours of its own; and what the country knows.

The files in `tables/holidays` are those of NateScarlet/holiday-cn (MIT).
"""

from datetime import date, datetime
from pathlib import Path

import chinese_calendar
import msgspec
import pytest
from msgspec.structs import replace

from app.kernel.problem import Invalid
from tasks.cases import calendars, deadlines
from tasks.cases.calendars import CalendarDocument, Day, Period, Year
from tasks.cases.deadlines import parse_limit

FILES = Path(__file__).parent / "tables" / "holidays"
NATIONAL = deadlines.national()
DAY = (Period("08:30", "12:00"), Period("13:30", "17:30"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def year(number: int) -> Year:
    return msgspec.json.decode((FILES / f"holiday-cn_{number}.json").read_bytes(), type=Year)


@pytest.mark.parametrize("number", [2024, 2025, 2026])
def test_the_package_and_the_files_of_holidays_agree_day_by_day(number: int):
    off = {day.date for day in year(number).days if day.off and day.date.year == number}
    worked = {day.date for day in year(number).days if not day.off and day.date.year == number}
    for ordinal in range(date(number, 1, 1).toordinal(), date(number + 1, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        by_file = day in worked or (day.weekday() < 5 and day not in off)
        assert bool(NATIONAL.hours(day)) is by_file is chinese_calendar.is_workday(day), day


def test_a_year_that_is_imported_is_known_and_moves_what_was_provisional():
    spring = Year(year=2027, days=tuple(Day(date=date(2027, 2, day), off=True) for day in range(6, 13)))
    mine = calendars.applied(NATIONAL, calendars.with_year(calendars.NOTHING, spring))
    start, limit = at("2027-02-04T09:00"), parse_limit("5 work_day")
    before, after = deadlines.due(start, limit, NATIONAL), deadlines.due(start, limit, mine)
    assert (before, NATIONAL.provisional(before)) == (at("2027-02-11T17:30"), True)
    assert (after, mine.provisional(after)) == (at("2027-02-18T17:30"), False)
    assert mine.known_until == date(2027, 12, 31)


def test_a_year_after_a_gap_does_not_make_the_gap_known():
    document = CalendarDocument(years=(2028,))
    assert calendars.applied(NATIONAL, document).known_until == NATIONAL.known_until


def test_hours_and_days_of_the_district_win_over_the_national_ones():
    saturday = CalendarDocument(
        week=(DAY,) * 5 + ((Period("09:00", "12:00"),), ()),
        days=(Day(date=date(2026, 11, 24), off=True), Day(date=date(2026, 10, 1), off=False)),
        makeup_hours=(Period("10:00", "16:00"),),
    )
    mine = calendars.applied(NATIONAL, saturday)
    assert deadlines.due(at("2026-11-27T17:00"), parse_limit("2 work_hour"), mine) == at("2026-11-28T10:30")
    assert deadlines.due(at("2026-11-23T09:00"), parse_limit("1 work_day"), mine) == at("2026-11-25T17:30")
    assert deadlines.due(at("2026-09-30T17:30"), parse_limit("1 work_hour"), mine) == at("2026-10-01T11:00")


def test_days_are_read_from_a_sheet_and_every_bad_row_is_named():
    assert calendars.read_csv("\ufeffdate,name,isOffDay\n2026-12-04,活动日,true\n2026-12-06,补班,0\n") == (
        Day(date=date(2026, 12, 4), off=True, name="活动日"),
        Day(date=date(2026, 12, 6), off=False, name="补班"),
    )
    with pytest.raises(Invalid) as refused:
        calendars.read_csv("date,isOffDay\n2026-12-04,true\n4.12.2026,true\n2026-12-05,maybe\n2026-12-06\n")
    assert [error.field for error in refused.value.errors] == ["row 3", "row 4", "row 5"]
    with pytest.raises(Invalid):
        calendars.read_csv("Tag;frei\n")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (CalendarDocument(week=(DAY,) * 6), "week"),
        (CalendarDocument(week=((),) * 7), "week"),
        (CalendarDocument(week=((Period("12:00", "09:00"),), *((DAY,) * 6))), "week[0]"),
        (CalendarDocument(makeup_hours=()), "makeup_hours"),
        (CalendarDocument(makeup_hours=(DAY[0], DAY[0])), "makeup_hours"),
        (CalendarDocument(days=(Day(date=date(2026, 1, 1), off=True),) * 2), "days[1].date"),
    ],
)
def test_a_calendar_that_cannot_be_meant_is_refused_by_its_field(document: CalendarDocument, field: str):
    assert [error.field for error in calendars.faults(document)][:1] == [field]


def test_a_day_of_another_year_is_not_taken_into_a_year():
    with pytest.raises(Invalid):
        calendars.with_year(calendars.NOTHING, Year(year=2027, days=(Day(date=date(2024, 1, 1), off=True),)))


def test_calendars_with_the_same_dues_have_the_same_fingerprint():
    assert calendars.fingerprint(NATIONAL) == calendars.fingerprint(replace(NATIONAL))
    moved = NATIONAL.with_overrides(days_off=[date(2026, 11, 24)])
    assert calendars.fingerprint(moved) != calendars.fingerprint(NATIONAL)
