"""When limits are due: the worked examples of the specification, then what must hold for every start and pause."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cases import deadlines
from tasks.cases.deadlines import Limit, Unit, parse_limit

CALENDAR = deadlines.national()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


@pytest.mark.parametrize(
    ("start", "limit", "due"),
    [
        ("2026-09-30T16:00", "4 work_hour", "2026-10-08T11:00"),  # the worked examples: over National Day
        ("2026-09-30T16:00", "2 work_day", "2026-10-09T17:30"),
        ("2026-11-23T11:30", "1 work_hour", "2026-11-23T14:00"),  # over lunch
        ("2026-11-23T08:30", "7 work_hour", "2026-11-23T17:00"),
        ("2026-11-23T13:00", "30 minute", "2026-11-23T13:30"),
        ("2026-11-23T10:00", "2 work_hour", "2026-11-23T12:00"),  # the earliest instant: not 13:30
        ("2026-10-09T17:00", "1 work_hour", "2026-10-10T09:00"),  # 10 October 2026, a Saturday, is worked
        ("2026-11-21T09:00", "1 work_day", "2026-11-23T17:30"),  # from a Saturday
        ("2026-11-20T23:59", "1 calendar_day", "2026-11-22T00:00"),
        ("2026-11-20T00:00", "5 calendar_day", "2026-11-26T00:00"),
        ("2026-11-20T23:00", "90 minute", "2026-11-21T00:30"),  # minutes run day and night
    ],
)
def test_a_limit_is_due_when_the_table_says(start: str, limit: str, due: str):
    assert deadlines.due(at(start), parse_limit(limit), CALENDAR) == at(due)


@pytest.mark.parametrize(
    ("start", "limit", "pauses", "due"),
    [
        ("2026-11-23T09:00", "2 work_hour", [("2026-11-23T10:00", "2026-11-23T11:00")], "2026-11-23T12:00"),
        # a pause that begins when the limit is due moves nothing
        ("2026-11-23T09:00", "2 work_hour", [("2026-11-23T11:00", "2026-11-23T12:00")], "2026-11-23T11:00"),
        # nor does one in the night
        ("2026-11-23T15:00", "4 work_hour", [("2026-11-23T19:00", "2026-11-24T05:00")], "2026-11-24T10:00"),
        # overlapping pauses count once, what lies before the start not at all
        (
            "2026-11-23T09:00",
            "2 work_hour",
            [
                ("2026-11-23T09:30", "2026-11-23T10:30"),
                ("2026-11-23T10:00", "2026-11-23T10:30"),
                ("2026-11-22T00:00", "2026-11-23T09:00"),
            ],
            "2026-11-23T12:00",
        ),
        # suspended over a whole day: two working days end a day later, at the same hour of work
        ("2026-11-23T09:00", "2 work_day", [("2026-11-24T00:00", "2026-11-25T00:00")], "2026-11-26T17:30"),
        ("2026-11-23T09:00", "30 minute", [("2026-11-23T09:10", "2026-11-23T10:10")], "2026-11-23T10:30"),
        # a pause that reaches past the due: the rest follows it
        ("2026-11-23T09:00", "2 work_hour", [("2026-11-23T10:00", "2026-11-23T16:00")], "2026-11-23T17:00"),
    ],
)
def test_a_pause_moves_the_due_by_the_time_it_holds(start: str, limit: str, pauses: list[tuple[str, str]], due: str):
    spans = [(at(a), at(b)) for a, b in pauses]
    assert deadlines.due(at(start), parse_limit(limit), CALENDAR, spans) == at(due)


@pytest.mark.parametrize("text", ["", "4", "4 hours", "-1 minute", "0 minute", "1.5 work_day", "999999999 work_day"])
def test_a_limit_that_cannot_be_meant_is_refused(text: str):
    with pytest.raises(ValueError, match="limit"):
        parse_limit(text)


def test_a_time_without_its_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        deadlines.due(at("2026-09-30T16:00").replace(tzinfo=None), Limit(1, Unit.MINUTE), CALENDAR)


def test_after_the_last_known_year_weeks_count_as_ordinary_and_the_due_is_called_provisional():
    due = deadlines.due(at("2027-02-04T09:00"), Limit(5, Unit.WORK_DAY), CALENDAR)
    assert due == at("2027-02-11T17:30")  # Spring Festival 2027 is not in the data
    assert CALENDAR.provisional(due)
    assert not CALENDAR.provisional(at("2026-12-31T23:00"))


def test_a_local_override_wins_over_the_national_day():
    storm = CALENDAR.with_overrides(days_off=[date(2026, 11, 24)], makeup_days=[date(2026, 11, 28)])
    assert deadlines.due(at("2026-11-23T09:00"), Limit(1, Unit.WORK_DAY), storm) == at("2026-11-25T17:30")
    assert deadlines.due(at("2026-11-27T18:00"), Limit(1, Unit.WORK_DAY), storm) == at("2026-11-28T17:30")


def test_three_quarters_of_a_limit_are_used_when_urging_begins():
    start, limit = at("2026-11-23T08:30"), parse_limit("2 work_day")
    moment = deadlines.reaches(start, limit, 0.75, CALENDAR)
    assert deadlines.share(start, moment, limit, CALENDAR) == 0.75
    assert deadlines.share(start, deadlines.due(start, limit, CALENDAR), limit, CALENDAR) == 1


FIRST = datetime(2025, 12, 1, tzinfo=UTC)
STARTS = st.integers(0, 395 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))
LIMITS = st.one_of(
    st.builds(Limit, st.integers(1, 3000), st.just(Unit.MINUTE)),
    st.builds(Limit, st.integers(1, 90), st.just(Unit.WORK_HOUR)),
    st.builds(Limit, st.integers(1, 25), st.sampled_from([Unit.WORK_DAY, Unit.CALENDAR_DAY])),
)
LENGTHS = st.integers(0, 20 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
PAUSES = st.lists(st.tuples(STARTS, LENGTHS).map(lambda p: (p[0], p[0] + p[1])), max_size=4)


@given(STARTS, LENGTHS, LIMITS)
def test_a_later_start_is_never_due_earlier(start: datetime, later: timedelta, limit: Limit):
    assert deadlines.due(start, limit, CALENDAR) <= deadlines.due(start + later, limit, CALENDAR)


@given(STARTS, LIMITS, PAUSES)
def test_at_the_due_exactly_the_limit_is_used(start: datetime, limit: Limit, pauses: list[tuple[datetime, datetime]]):
    due = deadlines.due(start, limit, CALENDAR, pauses)
    used = deadlines.elapsed(start, due, limit, CALENDAR, pauses)
    assert used == deadlines.total(start, limit, CALENDAR)
    if limit.unit is Unit.MINUTE:
        assert used == timedelta(minutes=limit.amount)
    if limit.unit is Unit.WORK_HOUR:
        assert used == timedelta(hours=limit.amount)


@given(STARTS, LIMITS, PAUSES)
def test_the_due_moves_by_the_counting_time_of_the_pauses_before_it(
    start: datetime, limit: Limit, pauses: list[tuple[datetime, datetime]]
):
    plain, due = deadlines.due(start, limit, CALENDAR), deadlines.due(start, limit, CALENDAR, pauses)
    merged = deadlines.merge_pauses(pauses, start)
    held = sum(
        (deadlines.elapsed(begin, min(end, due), limit, CALENDAR) for begin, end in merged if begin < due),
        timedelta(),
    )
    assert due >= plain
    assert deadlines.elapsed(plain, due, limit, CALENDAR) == held


@given(STARTS, st.integers(1, 60), st.integers(0, 59), st.integers(1, 600))
def test_a_pause_inside_holding_p_of_working_time_moves_working_hours_by_exactly_p(
    start: datetime, hours: int, after: int, minutes: int
):
    limit = Limit(hours, Unit.WORK_HOUR)
    begin = deadlines.due(start, Limit(after, Unit.WORK_HOUR), CALENDAR) if 0 < after < hours else start
    end = deadlines.due(begin, Limit(minutes, Unit.MINUTE), CALENDAR)
    held = deadlines.elapsed(begin, end, limit, CALENDAR)
    moved = deadlines.due(start, limit, CALENDAR, [(begin, end)])
    assert deadlines.elapsed(deadlines.due(start, limit, CALENDAR), moved, limit, CALENDAR) == held


@given(STARTS, LIMITS, PAUSES)
def test_time_used_never_runs_backwards(start: datetime, limit: Limit, pauses: list[tuple[datetime, datetime]]):
    moments = sorted([start, *(a for a, _ in pauses), *(b for _, b in pauses)])
    used = [deadlines.elapsed(start, moment, limit, CALENDAR, pauses) for moment in moments]
    assert used == sorted(used)
