"""A leaver's cases: whoever takes over becomes the handler (经办人) of every open turn, and the trace says so."""

from datetime import datetime
from uuid import UUID

from app.kernel import db
from app.kernel.actor import system
from tasks.cases import commands, store
from tasks.cases import orders as o


async def hand_over(district: str, leaver: UUID, heir: UUID, now: datetime) -> int:
    """Name another person handler of all open turns of somebody; return how many. The caller has checked the right.

    What was handed up already stays in the name of who did it. Cases are taken in the order of their ids, each under
    its lock.
    """
    actor = system(district, "handover")
    async with db.transaction(district):
        turns = await store.turns_of(leaver)
        for case, leg in turns:
            await commands.carry_out(case, o.SetHandler(leg=leg, person=heir), actor, now)
    return len(turns)
