"""A visit: its real time, and what is flagged but never refused."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.kernel.crs import Datum, Place, convert, distance_m
from app.kernel.ids import new_id
from media.evidence import EvidenceRef
from tests.visits.test_households import home
from visits.rounds import Assignment, AssignmentState, Half
from visits.visit import Demand, Outcome, VisitReport, check, flags, moment, other_datum, shift

RECEIVED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # 20:00 local
HERE = Place(120.27, 30.16, Datum.WGS84, 10.0)
ME = new_id()
PLANNED = Assignment(
    id=new_id(), round_id=new_id(), household_id=new_id(), half=Half.NIGHT, person=ME, squad=None,
    planned_on=date(2026, 11, 23), place_in_walk=1, state=AssignmentState.PLANNED,
)  # fmt: skip


def report(**changes: Any) -> VisitReport:
    plain = VisitReport(household=new_id(), outcome=Outcome.MET, started_at=RECEIVED - timedelta(hours=1), place=HERE)
    return replace(plain, **changes)


@pytest.mark.parametrize("hours", [-72, -8, 0, 8, 72])
def test_a_wrong_clock_is_corrected_by_the_skew_of_the_push(hours: int) -> None:
    wrong = timedelta(hours=hours)
    true_start, sent = RECEIVED - timedelta(hours=2), RECEIVED
    when = moment(true_start + wrong, RECEIVED - (sent + wrong), RECEIVED)
    assert when.corrected_at == true_start
    assert when.captured_at == true_start + wrong
    assert when.skew_s == -wrong.total_seconds()
    assert shift(true_start + wrong - timedelta(minutes=5), when) == true_start - timedelta(minutes=5)


@pytest.mark.parametrize(
    "absurd",
    [
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=12))),
        datetime(9999, 12, 31, 23, 30, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2038, 1, 19, tzinfo=UTC),
    ],
)
def test_a_time_at_which_nobody_can_have_worked_is_taken_as_the_receipt(absurd: datetime) -> None:
    when = moment(absurd, timedelta(hours=1), RECEIVED)
    assert shift(absurd, moment(RECEIVED, timedelta(), RECEIVED)) == RECEIVED
    assert (when.corrected_at, when.flags) == (RECEIVED, ("time_unverified",))


def flagged(the_report: VisitReport, assignment: Assignment | None = PLANNED, **household: Any) -> tuple[str, ...]:
    when = moment(the_report.started_at, timedelta(), RECEIVED)
    return flags(the_report, home(**household), assignment, ME, when)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"place": None}, ("no_position",)),
        ({"place": Place(120.30, 30.16, Datum.WGS84, 10.0)}, ("far_from_household",)),
        ({"place": Place(*convert(120.27, 30.16, Datum.WGS84, Datum.BD09), Datum.BD09, 10.0)}, ()),
        ({"place": Place(120.30, 30.16, Datum.WGS84, 5000.0)}, ()),
        ({"started_at": RECEIVED + timedelta(minutes=50)}, ("starts_in_future",)),
        ({"started_at": RECEIVED + timedelta(hours=2)}, ("night_outside_window", "starts_in_future")),
        ({"ended_at": RECEIVED - timedelta(hours=2)}, ("ends_before_start",)),
    ],
)
def test_what_is_doubtful_is_flagged(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert flagged(report(**changes)) == expected


@pytest.mark.parametrize("declared", list(Datum))
@pytest.mark.parametrize("real", [Datum.WGS84, Datum.GCJ02, Datum.BD09])
def test_a_point_declared_in_the_wrong_datum_is_told_from_one_that_is_far(real: Datum, declared: Datum) -> None:
    """The phone stands 20 m from the door and says its place in `real`, but calls it `declared`."""
    place = Place(*convert(120.2702, 30.1601, Datum.WGS84, real), declared, 10.0)
    equal = real == declared or {real, declared} <= {Datum.WGS84, Datum.CGCS2000}
    assert flagged(report(place=place)) == (() if equal else ("datum_suspect",))
    assert other_datum(place, home()) == (None if equal else real)


@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03))
def test_no_point_at_the_door_is_suspect_and_a_suspect_one_is_at_the_door_in_the_other_datum(
    x: float, y: float
) -> None:
    place = Place(120.27 + x, 30.16 + y, Datum.WGS84, 10.0)
    datum = other_datum(place, home())
    if distance_m(place.lon, place.lat, 120.27, 30.16) <= 110 or datum is None:
        assert datum is None
    else:
        assert distance_m(*convert(place.lon, place.lat, datum, Datum.WGS84), 120.27, 30.16) <= 110


def test_an_assignment_that_moved_meanwhile_is_flagged() -> None:
    assert flagged(report(), replace(PLANNED, person=new_id())) == ("assignment_moved",)
    assert flagged(report(), replace(PLANNED, state=AssignmentState.DONE)) == ("assignment_not_open",)


def test_a_household_that_moved_out_is_flagged() -> None:
    assert flagged(report(), None, moved_out_at=RECEIVED) == ("household_moved_out",)


def test_every_fault_of_a_report_is_named() -> None:
    photo = EvidenceRef(id=new_id(), sha256="0" * 64, size=1, media_type="image/jpeg", captured_at=RECEIVED)
    demand = Demand(id=new_id(), text="路灯不亮", evidence=(new_id(),))
    bad = report(evidence=(photo, photo), demands=(demand, demand), answers={"a": True})
    assert [error.field for error in check(bad)] == [
        "evidence", "demands", "demands[0].evidence", "demands[1].evidence", "questionnaire_version",
    ]  # fmt: skip
    assert check(report(evidence=(photo,), demands=(replace(demand, evidence=(photo.id,)),))) == []
