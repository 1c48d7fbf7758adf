"""What residents ask for at the door becomes a case in the visit's own transaction, or is noted as solved there."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from app.kernel.problem import Invalid
from tasks.cases import intake
from tasks.cases.report import Report, Reporter, Solved
from visits import callbacks, visit
from visits.households import Household
from visits.visit import Demand, Moment, Visit, VisitReport

SOURCE = "visit"
GENERAL_ITEM = "G001"
"""The item of a demand whose own item is unknown here; a desk amends it."""
SAMPLED_OF = 10
"""One of so many demands solved at the door is verified by somebody else, the others by the system."""


async def open_all(
    made: Visit, report: VisitReport, home: Household, when: Moment, actor: Actor, now: datetime
) -> dict[UUID, bool]:
    """Open a case for each demand in the caller's transaction; return case id → whether it was solved at the door."""
    opened: dict[UUID, bool] = {}
    for demand in report.demands:
        case = await _open(_report(demand, made, report, home, when, actor), actor, now)
        opened[case] = demand.solved is not None
    return opened


async def _open(report: Report, actor: Actor, now: datetime) -> UUID:
    """Open a case; one whose item is not in the catalogue (an old app) goes under the general item, not back."""
    try:
        async with db.transaction(actor.district):
            return (await intake.open(report, actor, now)).id
    except Invalid as problem:
        if report.item == GENERAL_ITEM or [error.field for error in problem.errors] != ["item"]:
            raise
        return (await intake.open(replace(report, item=GENERAL_ITEM), actor, now)).id


def _report(demand: Demand, made: Visit, report: VisitReport, home: Household, when: Moment, actor: Actor) -> Report:
    """Say a demand in the router's words; its place is the household's, the demand's id makes it one case only."""
    solved = None
    if demand.solved is not None:
        organisation = made.squad or next(iter(sorted(actor.organisations)), None)
        sampled = callbacks.sampled(new_id(), SAMPLED_OF)  # somebody else looks; no phone can choose when
        solved = (
            None
            if organisation is None
            else Solved(
                organisation=organisation, result=demand.solved, person=actor.id, verified_by_system=not sampled
            )
        )
    named = {each.id: each for each in report.evidence}
    return Report(
        id=demand.id,
        source=SOURCE,
        item=demand.item or GENERAL_ITEM,
        title=demand.title or "",
        description=demand.text,
        reporter=Reporter(kind="worker", id=actor.id),
        place=Place(home.lon, home.lat, Datum.WGS84),
        address=home.address,
        severity=demand.severity,
        evidence=tuple(visit.corrected(named[each], when) for each in demand.evidence),
        occurred_at=min(made.started_at, when.received_at),
        solved=solved,
    )
