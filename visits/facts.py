"""The facts of field work that scoring reads: visits, households due, and demands raised at the door."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.fact import Fact
from grid.organisations import Directory, Kind
from visits.rounds import Assignment, AssignmentState, Round, end_of
from visits.visit import Outcome, Visit


class Standing(Struct, frozen=True, kw_only=True):
    """For whom a person's work counts; ids as text."""

    person: str
    force: str | None = None
    force_unit: str | None = None
    team: str | None = None


def standing(person: UUID, organisation: UUID | None, directory: Directory) -> Standing:
    """Return for whom a person of that organisation works: its team, force unit and force, from it upwards."""
    force = force_unit = team = None
    here = None if organisation is None else directory.get(organisation)
    seen: set[UUID] = set()
    while here is not None and here.id not in seen:
        seen.add(here.id)
        force = force or (here.force.value if here.force else None)
        team = team or (str(here.id) if here.kind is Kind.TEAM else None)
        force_unit = force_unit or (str(here.id) if here.kind is Kind.FORCE_UNIT else None)
        here = None if here.parent is None else directory.get(here.parent)
    return Standing(person=str(person), force=force, force_unit=force_unit, team=team)


def _fact(
    kind: str,
    fact_id: str,
    area: str,
    who: Standing | None,
    occurred_at: datetime,
    recorded_at: datetime,
    attributes: dict[str, Any],
) -> Fact:
    return Fact(
        fact_id=fact_id,
        kind=kind,
        town=area[:9],
        force=who.force if who else None,
        force_unit=who.force_unit if who else None,
        team=who.team if who else None,
        person=who.person if who else None,
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        attributes=attributes,
    )


def of_visit(visit: Visit, who: Standing, solved: frozenset[UUID]) -> list[Fact]:
    """Return the fact of a visit and one of each demand it raised."""
    own = _fact(
        "visit",
        f"visit:{visit.id}",
        visit.area,
        who,
        visit.started_at,
        visit.received_at,
        {
            "outcome": visit.outcome.value,
            "half": visit.half.value,
            "round": None if visit.round_id is None else str(visit.round_id),
            "household": str(visit.household_id),
            "area": visit.area,
            "flags": list(visit.flags),
            "demands": len(visit.cases),
        },
    )
    demands = [
        replace(
            _fact(
                "demand",
                f"demand:{case}",
                visit.area,
                who,
                visit.started_at,
                visit.received_at,
                {"case": str(case), "visit": str(visit.id), "solved": case in solved, "half": visit.half.value},
            ),
            done_at=visit.started_at if case in solved else None,
        )
        for case in visit.cases
    ]
    return [replace(own, done_at=visit.started_at), *demands]


def of_assignment(
    assignment: Assignment,
    area: str,
    round_: Round,
    who: Standing | None,
    now: datetime,
    visit: Visit | None = None,
) -> Fact:
    """Return the fact of a household due in a round: due at the round's end, done when somebody was met there.

    Every version of the assignment is a version of the fact; a cancelled one is marked and counts for nobody.
    """
    fact = _fact(
        "visit_due",
        f"assignment:{assignment.id}",
        area,
        who,
        round_.created_at,
        now,
        {
            "round": str(round_.id),
            "household": str(assignment.household_id),
            "half": assignment.half.value,
            "area": area,
            "outcome": None if visit is None else visit.outcome.value,
            "cancelled": assignment.state is AssignmentState.CANCELLED,
        },
    )
    met = visit is not None and visit.outcome is Outcome.MET
    return replace(
        fact, version=assignment.version, due_at=end_of(round_), done_at=visit.started_at if visit and met else None
    )
