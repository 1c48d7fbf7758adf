"""Rounds: windows in local time, night by the corrected start, care needs only on the day."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.ids import new_id
from tests.visits.test_households import home
from visits.rounds import (
    Assignment,
    AssignmentState,
    Half,
    NewRound,
    Round,
    RoundState,
    Target,
    assignment_body,
    check,
    days,
    end_of,
    half_of,
)

NEW = NewRound(
    name="示范夜访",
    kind=Half.NIGHT,
    starts_on=date(2026, 11, 23),
    ends_on=date(2026, 11, 27),
    target=Target(area="330109001"),
    squads=(new_id(),),
    questionnaire="night",
    questionnaire_version=1,
)
ROUND = Round(
    id=new_id(),
    name=NEW.name,
    kind=NEW.kind,
    starts_on=NEW.starts_on,
    ends_on=NEW.ends_on,
    hours_from=time(18, 0),
    hours_to=time(21, 0),
    target=NEW.target,
    squads=NEW.squads,
    questionnaire="night",
    questionnaire_version=1,
    quota=0,
    per_evening=12,
    state=RoundState.DRAFT,
    version=1,
    created_by=new_id(),
    created_at=datetime(2026, 11, 20, tzinfo=UTC),
)


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("start", "half", "outside"),
    [
        ("2026-11-23T18:00", Half.NIGHT, False),
        ("2026-11-23T21:00", Half.NIGHT, False),
        ("2026-11-23T21:01", Half.NIGHT, True),
        ("2026-11-23T02:00", Half.NIGHT, True),
        ("2026-11-23T17:59", Half.DAY, False),
        ("2026-11-23T06:00", Half.DAY, False),
    ],
)
def test_night_is_by_the_local_time_of_the_start_and_outside_the_window_flagged(
    start: str, half: Half, outside: bool
) -> None:
    assert half_of(local(start)) == (half, outside)
    assert half_of(local(start).astimezone(UTC)) == (half, outside)


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({}, []),
        ({"ends_on": date(2026, 11, 22)}, ["ends_on"]),
        ({"hours_to": time(22, 0)}, ["hours_to"]),
        ({"hours_from": time(20, 0), "hours_to": time(19, 0)}, ["hours_to"]),
        ({"hours_from": time(19, 0, tzinfo=UTC)}, ["hours_from"]),
        ({"ends_on": date(2028, 1, 1), "hours_to": time(23, 0)}, ["ends_on", "hours_to"]),
    ],
)
def test_every_fault_of_a_new_round_is_named(changes: dict[str, Any], bad: list[str]) -> None:
    assert [error.field for error in check(replace(NEW, **changes))] == bad


@pytest.mark.parametrize(
    ("now", "first", "count"),
    [
        ("2026-11-20T10:00", 23, 5),
        ("2026-11-24T20:59", 24, 4),
        ("2026-11-24T21:00", 25, 3),
        ("2026-11-27T20:00", 27, 1),
        ("2026-11-27T21:30", None, 0),
    ],
)
def test_nothing_is_planned_for_an_evening_after_nine(now: str, first: int | None, count: int) -> None:
    left = days(ROUND, local(now))
    assert (left[0].day if left else None, len(left)) == (first, count)


def test_a_round_is_due_when_its_last_window_ends() -> None:
    assert end_of(ROUND) == local("2026-11-27T21:00")


def test_care_needs_are_on_the_phone_on_the_day_itself_only() -> None:
    day = date(2026, 11, 24)
    assignment = Assignment(
        id=new_id(), round_id=ROUND.id, household_id=new_id(), half=Half.NIGHT, person=new_id(), squad=None,
        planned_on=day, place_in_walk=1, state=AssignmentState.PLANNED,
    )  # fmt: skip
    assert assignment_body(assignment, home(), day)["care_needs"] == ["elderly_alone"]
    assert "care_needs" not in assignment_body(assignment, home(), date(2026, 11, 23))
    done = replace(assignment, state=AssignmentState.DONE)
    assert "care_needs" not in assignment_body(done, home(), day)
    assert "contact" not in assignment_body(assignment, home(), day)
