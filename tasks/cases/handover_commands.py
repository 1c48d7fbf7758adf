"""A leaver's cases: whoever takes over becomes the handler (经办人) of every open turn, and the trace says so."""

from datetime import datetime
from uuid import UUID

from app.kernel import db
from app.kernel.actor import Actor, system
from tasks.cases import commands, store
from tasks.cases import orders as o
from tasks.cases.problems import TransitionRefused


async def hand_over(district: str, leaver: UUID, heir: UUID, now: datetime) -> int:
    """Name another person handler of somebody's open turns, and clerk in charge of their cases; return how many.

    The caller has checked the right.

    What was handed up already stays in the name of who did it. Cases are taken in the order of their ids, each under
    its lock.
    """
    async with db.transaction(district):
        given = [(case, o.SetHandler(leg=leg, person=heir)) for case, leg in await store.turns_of(leaver)]
        led = [(case, o.SetCaseHandler(person=heir)) for case in await store.in_charge(leaver)]
        return sum([await _given(case, order, system(district, "handover"), now) for case, order in (*given, *led)])


async def _given(case: UUID, order: o.Order, actor: Actor, now: datetime) -> bool:
    """Tell whether the heir took it: who is complained about in a case gets no part in it."""
    try:
        await commands.carry_out(case, order, actor, now)
    except TransitionRefused:
        return False
    return True
