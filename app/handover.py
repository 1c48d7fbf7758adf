"""A leaver's work is handed over in one command: all of it or nothing."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from app.identity import handover_commands as identity
from app.identity.handover_commands import Left
from app.kernel import db
from app.kernel.actor import Actor
from grid import handover_commands as grid
from tasks.cases import handover_commands as cases
from visits import handover_commands as visits
from visits.handover_commands import HandedVisits


class Handover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes over, and why."""

    to: UUID
    reason: Annotated[str, Meta(min_length=4, max_length=200)]


class HandedOver(Struct, frozen=True, kw_only=True):
    """What went to the other person, and what ended.

    Visits that are `unplanned` wait for the squad leader; ops that are `unsent` are still on the leaver's phone.
    """

    cases: int
    visits: HandedVisits
    shifts: int
    ended: Left


async def hand_over(leaver: UUID, order: Handover, actor: Actor, now: datetime) -> HandedOver:
    """Give all open work of somebody to somebody else and close the account, in one transaction.

    Raises NotPermitted, AccountNotFound (no such leaver, or not within reach), Invalid (`to`).
    """
    async with db.transaction(actor.district):
        await identity.require_both(leaver, order.to, actor, now)
        done = HandedOver(
            cases=await cases.hand_over(actor.district, leaver, order.to, now),
            visits=await visits.hand_over(leaver, order.to, actor, now),
            shifts=await grid.hand_over(actor.district, leaver, order.to, now),
            ended=await identity.leave(leaver, order.to, order.reason, actor, now),
        )
    identity.forget_known()
    return done


@post("/people/{person_id:uuid}/handover", opt={"action": "person.handover"}, tags=["accounts"], status_code=200)
async def hand_over_person(
    person_id: FromPath[UUID],
    data: JSONBody[Handover],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> HandedOver:
    """Hand over the work of somebody who leaves: open cases, visits and shifts; their roles, sessions and phones end.

    For the administrator, the district's centre, and a town's centre for its own people.
    """
    return await hand_over(person_id, data, actor, now)


routes: list[Any] = [hand_over_person]
