"""The sweep: climbs the ladders, closes calls nobody answered, resumes, reminds, reckons again; safe to repeat."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from app.kernel import db, outbox
from app.kernel.actor import Actor, system
from app.kernel.ids import new_id
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import amending, calendars, commands, reference, standing, store, supervision, supervision_store
from tasks.cases import orders as o
from tasks.cases.events import LegEscalated
from tasks.cases.model import ENDED, Case, Leg, State
from tasks.cases.problems import TransitionRefused
from tasks.cases.situation import Situation
from tasks.cases.supervision import Rung
from tasks.cases.supervision_store import Due

logger = logging.getLogger("zjw.cases.sweep")

FAILURES = Counter("zjw_sweep_failures_total", "Legs and cases the sweep could not deal with", ("error",))
BATCH = 500
_MOST_ROUNDS = 3
"""An urging may reach one more rung (`urged 3`), and that one another; then it is the next sweep's turn."""


async def sweep(district: str, now: datetime, batch: int = BATCH) -> int:
    """Do what is due at `now` in a district and return how many legs and cases had something done to them.

    Each is taken in a transaction of its own, all of it or nothing, and looked at again under its case's lock, so two
    workers, or a second run, urge once; after an outage one step stands for all of its kind that were missed. What
    cannot be done yet (a call-back that waits for a child), or fails, keeps nobody else waiting.
    """
    actor = system(district, "sweep")
    made = 0
    async for due in _all_due(district, now, batch):
        made += await _one(district, due, actor, now)
    return made


async def _one(district: str, due: Due, actor: Actor, now: datetime) -> bool:
    """Do what is due of one leg or case, all of it or nothing; what fails is logged and counted and stops no other."""
    try:
        async with db.transaction(district):
            return await (_climb(due, actor, now) if due.leg else _wake(due.case, actor, now))
    except TransitionRefused:
        return False  # somebody was faster, or a child is still open: the next sweep looks again
    except Exception as error:
        if isinstance(error, ConnectionError) or db.is_away(error):
            raise  # the schedule runs again when the database is back
        FAILURES.labels(type(error).__name__).inc()
        # ids and the kind of error alone: a message may quote the row
        logger.error("sweep of case %s failed: %s", due.case, type(error).__name__)
        return False


async def _all_due(district: str, now: datetime, batch: int) -> AsyncIterator[Due]:
    after: Due | None = None
    while True:
        async with db.transaction(district):
            page = await supervision_store.due(now, batch, after)
        for due in page:
            yield due
        if len(page) < batch:
            return
        after = page[-1]


async def _climb(due: Due, actor: Actor, now: datetime) -> bool:
    """Do what the rungs that are reached ask for; with the next look put off where none is."""
    done = False
    for _ in range(_MOST_ROUNDS):
        s, directory = await _situation(due.case, actor, now)
        leg = s.find(due.id)
        if leg is None:
            break
        rungs = supervision.reached(s, leg)
        if not rungs:
            if not done:
                await supervision_store.look_again(leg.id, supervision.next_urge(s, leg))
            break
        for order in supervision.orders_of(rungs, leg):
            await commands.carry_out(due.case, order, actor, now)
        await outbox.emit(*_told(rungs, s, leg, directory))
        done = True
    return done


def _told(rungs: list[Rung], s: Situation, leg: Leg, directory: Directory) -> list[LegEscalated]:
    """Return the events for whom the ladder names besides whose turn it is, one for each thing done."""
    found: list[LegEscalated] = []
    for what in dict.fromkeys(rung.what for rung in rungs):
        same = [rung for rung in rungs if rung.what == what]
        whom = dict.fromkeys(rung.whom for rung in same if rung.whom != "organisation")
        named = [supervision.recipient(each, s, leg, directory) for each in whom]
        recipients = tuple(dict.fromkeys(each for each in named if each is not None))
        if recipients:
            found.append(_event(s, leg.id, same[-1].step, what, recipients))
    return found


def _event(s: Situation, leg: UUID | None, step: str, what: str, recipients: tuple[UUID, ...]) -> LegEscalated:
    return LegEscalated(
        id=new_id(),
        at=s.now,
        actor=s.actor.id,
        case=s.case.id,
        number=s.case.number,
        leg=leg,
        step=step,
        what=what,
        recipients=recipients,
        version=s.case.version,
    )


async def _situation(case_id: UUID, actor: Actor, now: datetime) -> tuple[Situation, Directory]:
    """Lock a case and return what deciding on it looks at."""
    locked = await store.lock(case_id)
    if locked is None:
        raise LookupError(f"case {case_id} was due and is gone")
    case, legs = locked
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    directory = await grid_facts.directory(now)
    return standing.situation(case, legs, item, actor, now, directory), directory


async def _wake(case_id: UUID, actor: Actor, now: datetime) -> bool:
    s, directory = await _situation(case_id, actor, now)
    at = supervision.wake_at(s.case, s.item, s.calendar)
    if at is None or at > now:
        return False  # another worker was faster
    over = s.case.state is State.CALLING_BACK and s.case.call_back_due is not None and s.case.call_back_due <= now
    if over or s.case.state is State.SUSPENDED:
        order = o.Resume() if s.case.state is State.SUSPENDED else o.CloseUnrated()
        await commands.carry_out(case_id, order, actor, now)
        return True
    await commands.carry_out(case_id, o.Remind(), actor, now)
    centre = directory.centre()
    told = (s.case.verifier or s.case.desk, None if centre is None else centre.id)
    recipients = tuple(dict.fromkeys(each for each in told if each is not None))
    clock = "verify" if s.case.state is State.HANDLED else "call_back"
    await outbox.emit(_event(s, None, f"{clock} {now.isoformat(timespec='minutes')}", "remind", recipients))
    return True


async def recompute(district: str, now: datetime, batch: int = BATCH) -> int:
    """Reckon every running due again, if the calendar is another than the one they were reckoned by; return how many

    cases moved, each with a row in its trace. Holidays of a new year and the district's own days come in this way.
    Broken off, it begins again: what is right already is left alone.
    """
    async with db.transaction(district):
        mark = calendars.fingerprint((await reference.present()).calendar)
        if await supervision_store.reckoned_by() == mark:
            return 0
    actor = system(district, "calendar")
    made, after = 0, None
    while True:
        async with db.transaction(district):
            page = await supervision_store.open_cases(after, batch)
            wrong = [case.id for case, legs in page if await _differs(case, legs, actor, now)]
        for case_id in wrong:
            async with db.transaction(district):
                made += await _reckon(case_id, actor, now)
        if len(page) < batch:
            break
        after = page[-1][0].id
    async with db.transaction(district):
        await supervision_store.set_reckoned(mark, now)
    return made


async def _differs(case: Case, legs: tuple[Leg, ...], actor: Actor, now: datetime) -> bool:
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    s = standing.situation(case, legs, item, actor, now, await grid_facts.directory(now))
    return amending.moves(s)


async def _reckon(case_id: UUID, actor: Actor, now: datetime) -> bool:
    s, _ = await _situation(case_id, actor, now)
    if s.case.state in ENDED or not amending.moves(s):
        return False  # it ended, or another command reckoned it, meanwhile
    await commands.carry_out(case_id, o.Recompute(), actor, now)
    return True
