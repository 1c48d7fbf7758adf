"""After a visit (访后): the household is told of it, and some are called back; each function one use case."""

from datetime import datetime
from uuid import UUID

from app.identity import cipher, scope
from app.identity.scope import Ownership
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from visits import callback_store, callbacks, rule_commands, store
from visits.callbacks import Call, CallBack, CallBackState, Told
from visits.events import VisitRecorded
from visits.problems import CallBackNotFound, CallBackSettled
from visits.visit import Outcome


async def on_visit(happened: VisitRecorded, now: datetime) -> None:
    """Subscriber of VisitRecorded: some of those met are to be called back, by chance; again changes nothing."""
    one_of = (await rule_commands.rules()).call_back_one_of
    if happened.outcome != Outcome.MET or not callbacks.sampled(happened.id, one_of):
        return
    home = await store.household(happened.household_id)
    if callbacks.may_be_called(home):
        made = CallBack(
            id=new_id(),
            visit_id=happened.visit_id,
            household_id=home.id,
            area=home.area,
            state=CallBackState.WAITING,
            tries=0,
            satisfied=None,
            words="",
            called_by=None,
            called_at=None,
            made_at=now,
        )
        await callback_store.add(made)


async def to_be_told(happened: VisitRecorded, now: datetime) -> Told | None:
    """Return the word of a visit its household gets, or None; in the caller's transaction."""
    home = await store.household(happened.household_id)
    visit = await store.visit(happened.visit_id)
    if not callbacks.is_told(home, visit.outcome, visit.started_at, await rule_commands.rules(), now):
        return None
    return Told(household=home.id, visit=visit.id, started_at=visit.started_at, code=visit.id.hex[-8:].upper())


async def contact_to_tell(district: str, household: UUID) -> str | None:
    """Return the number word of a visit goes to, in the clear, if the household may still be called."""
    async with db.transaction(district):
        home = await store.household(household)
    return cipher.open_(home.contact) if home.contact is not None and callbacks.may_be_called(home) else None


async def waiting(actor: Actor, after: UUID | None, limit: int) -> list[CallBack]:
    """Return who is to be called back in the actor's area, oldest first."""
    reach = scope.require_any(actor, "callback.manage")
    async with db.transaction(actor.district):
        return await callback_store.waiting(reach, after, limit)


async def called(call_back: UUID, call: Call, actor: Actor, now: datetime) -> CallBack:
    """Write down what came of a call.

    NotPermitted for whoever made the visit; CallBackSettled, CallBackNotFound, Invalid.
    """
    async with db.transaction(actor.district):
        found = await callback_store.lock(call_back)
        scope.require(actor, "callback.manage", Ownership(area=found.area), CallBackNotFound())
        visit = await store.visit(found.visit_id)
        if actor.id in (visit.person, *visit.companions):
            raise NotPermitted(("走访人不能回访自己的走访", "whoever made a visit does not ask about it"))
        if found.state is not CallBackState.WAITING:
            raise CallBackSettled(state=found.state.value)
        if errors := callbacks.check(call):
            raise Invalid(errors)
        done = callbacks.after(found, call, actor.id, now)
        await callback_store.save(done)
    return done
