"""A plan on its way to become a round's lists: what a squad leader asks, sees and decides by hand."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.clock import SHANGHAI
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid
from visits.planning import Evening, Member, Plan
from visits.rounds import HOURS, AreaCode, Assignment, AssignmentState, Half, Round

MINUTES_PER_VISIT = 12
"""What a visit takes with the way to it; only for the estimate a squad leader sees."""


class MemberChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to plan for, with the cells they keep."""

    person: UUID
    cells: tuple[AreaCode, ...] = ()


class ByHand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One household given to one person on one day."""

    household: UUID
    person: UUID
    planned_on: date


class PlanRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to plan for (default: all members of the round's squads), and what is decided by hand."""

    members: Annotated[tuple[MemberChoice, ...], Meta(max_length=500)] = ()
    by_hand: Annotated[tuple[ByHand, ...], Meta(max_length=5000)] = ()
    version: int | None = None


class Reassign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hand all that is not done from one member to another, as when somebody leaves."""

    source: UUID
    target: UUID


class Preview(Struct, frozen=True, kw_only=True):
    """What a plan would be: lists in walking order, visits and minutes per member, and who is left out and why."""

    round_id: UUID
    version: int
    households: int
    excluded: dict[str, int]
    evenings: tuple[Evening, ...]
    per_member: dict[UUID, int]
    minutes_per_member: dict[UUID, int]
    left_over: tuple[UUID, ...]


def preview(round_: Round, plan: Plan, persons: Sequence[UUID], excluded: dict[str, int]) -> Preview:
    """Return what a plan would be, counted per member."""
    counts: dict[UUID, int] = dict.fromkeys(persons, 0)
    for evening in plan.evenings:
        counts[evening.person] += len(evening.households)
    return Preview(
        round_id=round_.id,
        version=round_.version,
        households=sum(counts.values()) + len(plan.left_over),
        excluded=excluded,
        evenings=plan.evenings,
        per_member=counts,
        minutes_per_member={person: count * MINUTES_PER_VISIT for person, count in counts.items()},
        left_over=plan.left_over,
    )


def check_by_hand(
    request: PlanRequest, homes: Collection[UUID], members: Sequence[Member], days: Sequence[date], per_evening: int
) -> None:
    """Raise Invalid with everything wrong with what was decided by hand, evenings over the cap included."""
    known = {member.person: member for member in members}
    given: Counter[tuple[UUID, date]] = Counter()
    errors: list[FieldError] = []
    for n, each in enumerate(request.by_hand):
        turn = (each.person, each.planned_on)
        given[turn] += 1
        member = known.get(each.person)
        full = member is not None and given[turn] > member.free(each.planned_on, per_evening)
        for wrong, field, message in (
            (each.household not in homes, "household", ("不在本轮次可安排的户中", "not among the households to plan")),
            (member is None, "person", ("不是本轮次小分队的成员", "not a member of the round's squads")),
            (each.planned_on not in days, "planned_on", ("不在轮次窗口内", "outside the round's window")),
            (full, "planned_on", ("当晚安排已满", "the evening is full")),
        ):
            if wrong:
                errors.append(FieldError(f"by_hand[{n}].{field}", message))
    if errors:
        raise Invalid(errors)


def planned(round_: Round, plan: Plan, before: Mapping[UUID, Assignment]) -> list[Assignment]:
    """Return the assignments that are new or changed by a plan; those of households no longer in it are cancelled."""
    wanted: dict[UUID, tuple[Evening | None, int]] = dict.fromkeys(plan.left_over, (None, 0))
    for evening in plan.evenings:
        wanted |= {home: (evening, n) for n, home in enumerate(evening.households, start=1)}
    after: list[Assignment] = []
    for home, (evening, n) in wanted.items():
        old = before.get(home)
        new = Assignment(
            id=new_id() if old is None else old.id,
            round_id=round_.id,
            household_id=home,
            half=round_.kind,
            person=evening.person if evening else None,
            squad=evening.squad if evening else None,
            planned_on=evening.day if evening else None,
            place_in_walk=n if evening else None,
            state=AssignmentState.PLANNED,
            version=1 if old is None else old.version,
        )
        if old is None:
            after.append(new)
        elif new != old:
            after.append(replace(new, version=old.version + 1))
    for home, old in before.items():
        if home not in wanted and old.state is AssignmentState.PLANNED:
            after.append(replace(old, state=AssignmentState.CANCELLED, version=old.version + 1))
    return after


def other_half(assignment: Assignment, day: date | None) -> Assignment:
    """Return the retry of a household found absent, on the other half of a day; None: it waits for planning."""
    return Assignment(
        id=new_id(),
        round_id=assignment.round_id,
        household_id=assignment.household_id,
        half=assignment.half.other,
        person=assignment.person,
        squad=assignment.squad,
        planned_on=day,
        place_in_walk=None,
        state=AssignmentState.PLANNED,
        retry_of=assignment.id,
    )


def retry_days(absent_at: datetime, half: Half, round_: Round, now: datetime) -> list[date]:
    """Return the days a household found absent can be tried again on the other half, as long as the round lasts.

    After a visit by day that is the same evening or later, after one by night the next day or later; today only while
    the hours of that half are not over.
    """
    local = now.astimezone(SHANGHAI)
    today = local.date() + timedelta(days=local.time() >= HOURS[half.other][1])
    visited = absent_at.astimezone(SHANGHAI).date()
    first = max(today, visited if half is Half.DAY else visited + timedelta(days=1))
    return [first + timedelta(days=n) for n in range(max(0, (round_.ends_on - first).days + 1))]


def with_room(days: Sequence[date], booked: Mapping[date, int], per_evening: int) -> date | None:
    """Return the first day on which somebody with so many visits has room for one more, or None."""
    return next((day for day in days if booked.get(day, 0) < per_evening), None)
