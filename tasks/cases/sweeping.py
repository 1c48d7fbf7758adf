"""The sweep: climbs the ladders, closes calls nobody answered, resumes, reminds, reckons again; safe to repeat."""

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from app.kernel import db, outbox
from app.kernel.actor import Actor, system
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import amending, calendars, climbing, commands, reference, standing, store, supervision_store
from tasks.cases import orders as o
from tasks.cases.catalogue import Catalogue
from tasks.cases.climbing import Climbed
from tasks.cases.model import ENDED
from tasks.cases.problems import TransitionRefused
from tasks.cases.situation import Situation
from tasks.cases.supervision_store import Due, Unread

logger = logging.getLogger("zjw.cases.sweep")

FAILURES = Counter("zjw_sweep_failures_total", "Cases the sweep could not deal with", ("error",))
BATCH = 500
TOGETHER = 100
"""Cases of one transaction: a command to one of them waits so long."""


async def sweep(district: str, now: datetime, batch: int = BATCH) -> int:
    """Do what is due at `now` in a district and return how many legs and cases had something done to them.

    Cases are taken under their locks, many in one transaction, and looked at again there, so two workers, or a second
    run, urge once; who has one under lock is not waited for, the next sweep looks again. After an outage one step
    stands for all of its kind that were missed. What a leg's rungs ask for is done whole or not at all; what cannot be
    done yet (a call-back that waits for a child), or fails, keeps nobody else waiting.
    """
    actor = system(district, "sweep")
    made = 0
    async for page in _all_due(district, now, batch):
        cases: dict[UUID, list[Due]] = {}
        for due in page:
            cases.setdefault(due.case, []).append(due)
        several = list(cases.values())
        for first in range(0, len(several), TOGETHER):
            made += await _together(district, several[first : first + TOGETHER], actor, now)
    return made


async def _all_due(district: str, now: datetime, batch: int) -> AsyncIterator[list[Due]]:
    after: Due | None = None
    while True:
        async with db.transaction(district):
            page = await supervision_store.due(now, batch, after)
        yield page
        if len(page) < batch:
            return
        after = page[-1]


async def _together(district: str, several: Sequence[list[Due]], actor: Actor, now: datetime) -> int:
    """Deal with some cases in one transaction; if that cannot be written, with each of them by itself."""
    try:
        async with db.transaction(district):
            return await _deal(several, actor, now)
    except Exception as error:
        _unless_away(error)
        if len(several) == 1:
            _failed(several[0][0].case, error)
            return 0
    return sum([await _together(district, [dues], actor, now) for dues in several])


def _unless_away(error: Exception) -> None:
    if isinstance(error, ConnectionError) or db.is_away(error):
        raise error  # the schedule runs again when the database is back


def _failed(case: UUID, error: Exception) -> None:
    FAILURES.labels(type(error).__name__).inc()
    # the id and the kind of error alone: a message may quote the row
    logger.error("sweep of case %s failed: %s", case, type(error).__name__)


async def _deal(several: Sequence[list[Due]], actor: Actor, now: datetime) -> int:
    """Lock the cases, decide on each, and write what all of them leave, set-wise."""
    dues = {each[0].case: each for each in several}
    locked = await supervision_store.lock_free([*dues])
    catalogue, directory = (await reference.present()).catalogue, await grid_facts.directory(now)
    children = await store.open_children_of([each.id for each in locked])
    made, done = 0, list[Climbed]()
    for each in locked:
        try:
            s = _read(each, catalogue, actor, now, directory, children.get(each.id, 0))
        except Exception as error:
            _failed(each.id, error)
            continue
        climbed, count = _decided(s, dues[each.id], directory)
        done.append(climbed)
        made += count
    await supervision_store.look_again([look for each in done for look in each.look_again])
    moved = [each for each in done if each.steps]
    if moved:
        await commands.write_all([commands.sealed(each.steps) for each in moved], directory)
        await outbox.emit(*(event for each in moved for event in each.told))
    return made


def _read(
    locked: Unread, catalogue: Catalogue, actor: Actor, now: datetime, directory: Directory, children: int
) -> Situation:
    case, legs = locked.read()
    item = catalogue.version(case.item, case.item_version)
    return standing.situation(case, legs, item, actor, now, directory, children)


def _decided(s: Situation, dues: Sequence[Due], directory: Directory) -> tuple[Climbed, int]:
    """Return the case after all that is due of it, and of how many legs (or the case itself) something was done."""
    at, made = Climbed(s=s), 0
    for due in dues:
        try:
            then = climbing.climb(at, due.id, directory) if due.leg else climbing.wake(at, directory)
        except TransitionRefused:
            continue  # a child is still open: the next sweep looks again
        except Exception as error:
            _failed(due.case, error)
            continue
        made += len(then.steps) > len(at.steps)
        at = then
    return at, made


async def _situation(case_id: UUID, actor: Actor, now: datetime) -> Situation:
    """Lock a case and return what deciding on it looks at."""
    locked = await store.lock(case_id)
    if locked is None:
        raise LookupError(f"case {case_id} was open and is gone")
    case, legs = locked
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    return standing.situation(case, legs, item, actor, now, await grid_facts.directory(now))


async def recompute(district: str, now: datetime, batch: int = BATCH) -> int:
    """Reckon every running due again, if the calendar is another than the one they were reckoned by; return how many

    cases moved, each with a row in its trace. Holidays of a new year and the district's own days come in this way.
    Broken off, or as long as a case could not be reckoned, it begins again: what is right already is left alone.
    """
    async with db.transaction(district):
        mark = calendars.fingerprint((await reference.present()).calendar)
        if await supervision_store.reckoned_by() == mark:
            return 0
    actor = system(district, "calendar")
    done, after = list[bool | None](), None
    while True:
        async with db.transaction(district):
            page = await supervision_store.open_cases(after, batch)
            wrong = await _wrong(page, actor, now)
        done += [None if case_id is None else await _reckoned(district, case_id, actor, now) for case_id in wrong]
        if len(page) < batch:
            break
        after = page[-1].id
    if None not in done:
        async with db.transaction(district):
            await supervision_store.set_reckoned(mark, now)
    return sum(map(bool, done))


async def _reckoned(district: str, case_id: UUID, actor: Actor, now: datetime) -> bool | None:
    """Reckon a case again and tell whether it moved; None if that failed."""
    try:
        async with db.transaction(district):
            return await _reckon(case_id, actor, now)
    except Exception as error:
        _unless_away(error)
        _failed(case_id, error)
        return None


async def _wrong(page: Sequence[Unread], actor: Actor, now: datetime) -> list[UUID | None]:
    """Return the cases whose dues are others by the calendar of now; None for each that cannot be told."""
    catalogue, directory = (await reference.present()).catalogue, await grid_facts.directory(now)
    wrong: list[UUID | None] = []
    for each in page:
        try:
            if amending.moves(_read(each, catalogue, actor, now, directory, 0)):
                wrong.append(each.id)
        except Exception as error:
            _failed(each.id, error)
            wrong.append(None)
    return wrong


async def _reckon(case_id: UUID, actor: Actor, now: datetime) -> bool:
    s = await _situation(case_id, actor, now)
    if s.case.state in ENDED or not amending.moves(s):
        return False  # it ended, or another command reckoned it, meanwhile
    await commands.carry_out(case_id, o.Recompute(), actor, now)
    return True
