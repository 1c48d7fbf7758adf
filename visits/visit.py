"""A visit at a door (走访): what a worker reports, when it really happened, and what a supervisor is told about it."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.crs import Datum, Place, distance_m
from app.kernel.problem import FieldError
from media.evidence import EvidenceRef
from tasks.cases.model import Severity
from visits.households import Household
from visits.rounds import Assignment, AssignmentState, Half, half_of

Aware = Annotated[datetime, Meta(tz=True)]


class Outcome(StrEnum):
    """How a visit ended."""

    MET = "met"  # 在家
    ABSENT = "absent"  # 无人
    REFUSED = "refused"  # 拒访
    MOVED = "moved"  # 搬离
    UNSAFE = "unsafe"  # 不安全: an event, which expires


class Demand(Struct, frozen=True, kw_only=True):
    """What a resident asked for at the door (诉求); solved on the spot when `solved` says how."""

    id: UUID
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    title: Annotated[str, Meta(max_length=100)] | None = None
    item: str | None = None
    severity: Severity | None = None
    solved: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    evidence: tuple[UUID, ...] = ()


class VisitReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the worker's phone says of a visit. Its times are of the phone's clock."""

    household: UUID
    outcome: Outcome
    started_at: Aware
    ended_at: Aware | None = None
    assignment: UUID | None = None
    place: Place | None = None
    questionnaire: str | None = None
    questionnaire_version: Annotated[int, Meta(ge=1, le=32_000)] | None = None
    answers: dict[str, Any] = {}
    demands: Annotated[tuple[Demand, ...], Meta(max_length=20)] = ()
    evidence: Annotated[tuple[EvidenceRef, ...], Meta(max_length=30)] = ()
    companions: Annotated[tuple[UUID, ...], Meta(max_length=10)] = ()
    note: Annotated[str, Meta(max_length=1000)] = ""


class Moment(Struct, frozen=True, kw_only=True):
    """When something happened: the phone's word, the server's, and the instant between them that counts.

    `skew_s` is received − sent; `corrected_at` is captured + skew. All of them are stored; none refuses anything.
    """

    captured_at: datetime
    received_at: datetime
    corrected_at: datetime
    skew_s: float
    flags: tuple[str, ...] = ()


class Visit(Struct, frozen=True, kw_only=True):
    """A recorded visit; it never changes. `started_at` is corrected; `flags` advise people, they punish nobody."""

    id: UUID
    household_id: UUID
    assignment_id: UUID | None
    round_id: UUID | None
    person: UUID
    squad: UUID | None
    device: UUID | None
    companions: tuple[UUID, ...]
    outcome: Outcome
    half: Half
    started_at: datetime
    ended_at: datetime | None
    captured_at: datetime
    received_at: datetime
    skew_s: float
    area: str
    lon: float | None
    lat: float | None
    received: Place | None
    questionnaire: str | None
    questionnaire_version: int | None
    answers: dict[str, Any]
    note: str
    cases: tuple[UUID, ...]
    flags: tuple[str, ...]


LONG_AGO, AHEAD = timedelta(days=3650), timedelta(days=1)
"""Between these before and after the receipt a phone's corrected time is taken at its word."""
FAR_M = 300.0
"""A visit reported further from its household than this (and its accuracy) is flagged."""

SUSPECT_M = 100.0
"""A point nearer than this (and its accuracy) fits its household; the shifts of the datums here are 500 m and more."""
FAR_BETTER = 4
"""Another datum fits far better when it brings the point so many times nearer."""


def moment(captured_at: datetime, skew: timedelta, received_at: datetime, flags: tuple[str, ...] = ()) -> Moment:
    """Return the moment of something captured, by the device's skew; a time that cannot be becomes the receipt."""
    corrected = _plausible(captured_at, skew, received_at)
    captured_at = in_utc(captured_at, received_at)
    if corrected is None:
        corrected, flags = received_at, (*flags, "time_unverified")
    return Moment(
        captured_at=captured_at,
        received_at=received_at,
        corrected_at=corrected,
        skew_s=skew.total_seconds(),
        flags=flags,
    )


def shift(stamp: datetime, by: Moment) -> datetime:
    """Return another time of the same phone on the server's clock; one that cannot be becomes the moment itself."""
    moved = _plausible(stamp, by.corrected_at - by.captured_at, by.received_at)
    return by.corrected_at if moved is None else moved


def in_utc(stamp: datetime, instead: datetime) -> datetime:
    """Return a phone's time in UTC; one at the edge of the calendar, where UTC has no such year, becomes `instead`."""
    try:
        return stamp.astimezone(UTC)
    except OverflowError:
        return instead


def _plausible(stamp: datetime, skew: timedelta, received_at: datetime) -> datetime | None:
    """The time moved by the skew, or None when work cannot have been done then: after tomorrow, or ten years ago."""
    ahead = (stamp - received_at) + skew  # a difference: no edge of the calendar is in its way
    return received_at + ahead if -LONG_AGO < ahead < AHEAD else None


def corrected(ref: EvidenceRef, when: Moment) -> EvidenceRef:
    """Return a reference to evidence with its time on the server's clock."""
    return ref if ref.captured_at is None else replace(ref, captured_at=shift(ref.captured_at, when))


def check(report: VisitReport) -> list[FieldError]:
    """Return what is wrong with a report in itself; times are never a reason to refuse."""
    errors: list[FieldError] = []
    named = {evidence.id for evidence in report.evidence}
    if len(named) != len(report.evidence):
        errors.append(FieldError("evidence", ("佐证编号重复", "an evidence id appears twice")))
    if len({demand.id for demand in report.demands}) != len(report.demands):
        errors.append(FieldError("demands", ("诉求编号重复", "a demand id appears twice")))
    for n, demand in enumerate(report.demands):
        if not named.issuperset(demand.evidence):
            errors.append(FieldError(f"demands[{n}].evidence", ("未列出的佐证", "names evidence the visit does not")))
    if report.answers and (report.questionnaire is None or report.questionnaire_version is None):
        errors.append(FieldError("questionnaire_version", ("缺少问卷版本", "answers need the questionnaire's version")))
    return errors


def flags(
    report: VisitReport, household: Household, assignment: Assignment | None, person: UUID, when: Moment
) -> tuple[str, ...]:
    """Return what a supervisor should look at; a visit is accepted with any of them."""
    start = shift(report.started_at, when)
    _, outside = half_of(start)
    suspect, far_m = other_datum(report.place, household), _metres_off(report.place, household)
    rules = (
        (outside, "night_outside_window"),
        (assignment is not None and assignment.person != person, "assignment_moved"),
        (assignment is not None and assignment.state is not AssignmentState.PLANNED, "assignment_not_open"),
        (start > when.received_at + timedelta(minutes=5), "starts_in_future"),
        (report.ended_at is not None and report.ended_at < report.started_at, "ends_before_start"),
        (report.place is None, "no_position"),
        (suspect is not None, "datum_suspect"),
        (suspect is None and far_m > FAR_M + _accuracy(report.place), "far_from_household"),
        (household.moved_out_at is not None, "household_moved_out"),
    )
    return tuple(dict.fromkeys((*when.flags, *(flag for holds, flag in rules if holds))))


def other_datum(place: Place | None, household: Household) -> Datum | None:
    """Return the datum in which a point fits its household far better than in the one it was declared in, if any.

    The declared reading is off by more than the fix allows, the other one hits the household.
    """
    here = _metres_off(place, household)
    if place is None or here <= SUSPECT_M + _accuracy(place):
        return None
    read = {
        datum: _metres_off(Place(place.lon, place.lat, datum), household)
        for datum in (Datum.WGS84, Datum.GCJ02, Datum.BD09)
        if datum != place.datum
    }
    best = min(read, key=lambda datum: read[datum])
    fits = read[best] <= SUSPECT_M + _accuracy(place) and read[best] * FAR_BETTER <= here
    return best if fits else None


def _metres_off(place: Place | None, household: Household) -> float:
    return 0.0 if place is None else distance_m(*place.wgs84(), household.lon, household.lat)


def _accuracy(place: Place | None) -> float:
    return 0.0 if place is None else place.accuracy_m or 0.0
