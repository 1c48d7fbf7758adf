"""Rounds (双访轮次): a planned set of visits in a window by day or by night, and what is allowed when."""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from app.kernel.clock import SHANGHAI
from app.kernel.problem import FieldError
from visits.households import CareNeed, Household

AreaCode = Annotated[str, Meta(pattern=r"^(\d{6}|\d{9}|\d{12}|\d{15})$", description="6, 9, 12 or 15 digits 区域代码")]

LAST_PLANNING = time(21, 0)
"""No evening visit is planned after this local time (走访不安排在21:00以后)."""


class Half(StrEnum):
    """The half of the day a visit belongs to."""

    DAY = "day"
    NIGHT = "night"

    @property
    def other(self) -> "Half":
        """Where a household found absent is tried again."""
        return Half.NIGHT if self is Half.DAY else Half.DAY


class RoundState(StrEnum):
    """Life of a round."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CLOSED = "closed"


class AssignmentState(StrEnum):
    """Life of one household's place in a round."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"


HOURS = {Half.DAY: (time(8, 30), time(17, 30)), Half.NIGHT: (time(18, 0), LAST_PLANNING)}
"""Default window of hours, local time."""


MOST_NAMED = 5000
"""Most households a round names one by one."""


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which households a round is for: those of `area` that fit every condition given."""

    area: AreaCode
    care_need: CareNeed | None = None
    not_visited_days: Annotated[int, Meta(ge=1, le=3650)] | None = None
    households: Annotated[tuple[UUID, ...], Meta(max_length=MOST_NAMED)] = ()


class NewRound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A round to plan. `quota` is the number of visits asked for; 0: every household of the target."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    kind: Half
    starts_on: date
    ends_on: date
    hours_from: time | UnsetType = UNSET
    hours_to: time | UnsetType = UNSET
    target: Target
    squads: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=100)]
    questionnaire: str
    questionnaire_version: Annotated[int, Meta(ge=1, le=32_000)]
    quota: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    per_evening: Annotated[int, Meta(ge=1, le=60)] = 12
    id: UUID | None = None


class Round(Struct, frozen=True, kw_only=True):
    """A round; dates and hours are local (Asia/Shanghai)."""

    id: UUID
    name: str
    kind: Half
    starts_on: date
    ends_on: date
    hours_from: time
    hours_to: time
    target: Target
    squads: tuple[UUID, ...]
    questionnaire: str
    questionnaire_version: int
    quota: int
    per_evening: int
    state: RoundState
    version: int
    created_by: UUID
    created_at: datetime


class Assignment(Struct, frozen=True, kw_only=True):
    """One household's turn in a round: who, on which day, in which walking order; nobody yet when `person` is None."""

    id: UUID
    round_id: UUID
    household_id: UUID
    half: Half
    person: UUID | None
    squad: UUID | None
    planned_on: date | None
    place_in_walk: int | None
    state: AssignmentState
    retry_of: UUID | None = None
    version: int = 1


def hours_of(new: NewRound) -> tuple[time, time]:
    """Return the window of hours: as given, else the default of the half."""
    start, end = HOURS[new.kind]
    return (
        start if isinstance(new.hours_from, UnsetType) else new.hours_from,
        end if isinstance(new.hours_to, UnsetType) else new.hours_to,
    )


def check(new: NewRound) -> list[FieldError]:
    """Return everything wrong with a round to plan."""
    start, end = hours_of(new)
    rules = (
        (not 2000 <= new.starts_on.year <= 2100, "starts_on", "年份应在2000至2100之间", "a year from 2000 to 2100"),
        (new.ends_on < new.starts_on, "ends_on", "结束早于开始", "ends before it starts"),
        ((new.ends_on - new.starts_on).days > 366, "ends_on", "轮次不超过一年", "a round lasts at most a year"),
        (start.tzinfo is not None, "hours_from", "应为本地时间，不带时区", "local time, without an offset"),
        (end.tzinfo is not None, "hours_to", "应为本地时间，不带时区", "local time, without an offset"),
        (
            end.replace(tzinfo=None) <= start.replace(tzinfo=None),
            "hours_to",
            "应晚于开始时刻",
            "must be after hours_from",
        ),
        (end.replace(tzinfo=None) > LAST_PLANNING, "hours_to", "21:00以后不安排走访", "no planning after 21:00"),
    )
    return [FieldError(field, (zh, en)) for wrong, field, zh, en in rules if wrong]


def half_of(started_at: datetime, night: tuple[time, time] = HOURS[Half.NIGHT]) -> tuple[Half, bool]:
    """Return the half of a visit by its corrected start, and whether it lies outside the night window though dark.

    From 18:00 on and before 06:00 it is night; a night visit outside the window is accepted and flagged.
    """
    local = started_at.astimezone(SHANGHAI).time()
    if time(6, 0) <= local < night[0]:
        return Half.DAY, False
    return Half.NIGHT, not night[0] <= local <= night[1]


def days(round_: Round, now: datetime) -> list[date]:
    """Return the days that can still be planned: from today on, today only while its hours are not over."""
    local = now.astimezone(SHANGHAI)
    first = local.date() if local.time() < min(round_.hours_to, LAST_PLANNING) else local.date() + timedelta(days=1)
    begin = max(first, round_.starts_on)
    return [begin + timedelta(days=n) for n in range(max(0, (round_.ends_on - begin).days + 1))]


def end_of(round_: Round) -> datetime:
    """Return the instant the round's window is over, which is when its visits are due."""
    return datetime.combine(round_.ends_on, round_.hours_to, SHANGHAI)


def assignment_body(assignment: Assignment, home: Household, today: date) -> dict[str, object]:
    """Return what the assigned person's phone holds; care needs on the day itself only."""
    body: dict[str, object] = {
        "round": str(assignment.round_id),
        "household": str(assignment.household_id),
        "address": home.address,
        "half": assignment.half.value,
        "planned_on": None if assignment.planned_on is None else assignment.planned_on.isoformat(),
        "place_in_walk": assignment.place_in_walk,
        "state": assignment.state.value,
        "version": assignment.version,
    }
    if assignment.planned_on == today and assignment.state is AssignmentState.PLANNED:
        body["care_needs"] = [need.value for need in home.care_needs]
    return body


def feed_body(round_: Round) -> dict[str, object]:
    """Return what phones of its squads hold of a round."""
    return {
        "name": round_.name,
        "kind": round_.kind.value,
        "starts_on": round_.starts_on.isoformat(),
        "ends_on": round_.ends_on.isoformat(),
        "hours_from": round_.hours_from.isoformat("minutes"),
        "hours_to": round_.hours_to.isoformat("minutes"),
        "questionnaire": round_.questionnaire,
        "questionnaire_version": round_.questionnaire_version,
        "state": round_.state.value,
        "version": round_.version,
    }
