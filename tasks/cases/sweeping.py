"""The sweep: urges what is due, closes calls nobody answered, resumes what was suspended until now; safe to repeat."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from app.kernel import db
from app.kernel.actor import Actor, system
from tasks.cases import commands, deadlines, reference, store, supervision
from tasks.cases import orders as o
from tasks.cases.problems import TransitionRefused
from tasks.cases.situation import Situation

BATCH = 500


async def sweep(district: str, now: datetime, limit: int = BATCH) -> int:
    """Do what is due at `now` in a district and return how many steps were made.

    Each case is taken in a transaction of its own and looked at again under its lock, so two workers, or a second run,
    urge once; after an outage one urging stands for all rungs that were missed.
    """
    actor = system(district, "sweep")
    async with db.transaction(district):
        legs = await store.due_legs(now, limit)
        waking = await store.waking(now, limit)
    made = 0
    for case, leg in legs:
        made += await _alone(district, _urge, case, leg, actor, now)
    for case, state in waking:
        made += await _alone(district, _wake, case, state, actor, now)
    return made


async def _alone(district: str, step: Callable[..., Awaitable[bool]], *args: object) -> bool:
    async with db.transaction(district):
        try:
            return await step(*args)
        except TransitionRefused:
            return False  # somebody was faster, or a child is still open: the next sweep looks again


async def _urge(case_id: UUID, leg_id: UUID, actor: Actor, now: datetime) -> bool:
    locked = await store.lock(case_id)
    if locked is None:
        return False
    case, legs = locked
    leg = next(each for each in legs if each.id == leg_id)
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    s = Situation(
        case=case, legs=legs, item=item, actor=actor, now=now, calendar=deadlines.national(), fresh=_no_legs, leg=leg
    )
    rung = supervision.due_rung(s, leg)
    if rung is None:
        return False
    await commands.carry_out(case_id, o.Urge(leg=leg_id, step=rung.step), actor, now)
    if leg.urges + 1 >= supervision.URGES_BEFORE_WATCH and leg.supervised_at is None:
        reason = f"已催办 {leg.urges + 1} 次 (urged {leg.urges + 1} times)"
        await commands.carry_out(case_id, o.Supervise(leg=leg_id, reason=reason), actor, now)
    return True


async def _wake(case_id: UUID, state: str, actor: Actor, now: datetime) -> bool:
    order = o.Resume() if state == "suspended" else o.CloseUnrated()
    await commands.carry_out(case_id, order, actor, now)
    return True


def _no_legs() -> UUID:
    raise LookupError("urging opens no legs")
