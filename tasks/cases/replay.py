"""Histories: cases with all their steps, played in memory by the very rules of live ones and written set-wise.

For demos, benches and take-over of older systems. Nobody is told: no messages go out, only facts and open work.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct
from msgspec.structs import asdict, replace

from app.kernel import changes, fact
from app.kernel.actor import Actor
from app.kernel.clock import SHANGHAI
from grid import facts as grid_facts
from grid.cells import Located
from tasks.cases import (
    admission,
    facts,
    hashing,
    journal,
    numbers,
    opening,
    reference,
    standing,
    store,
    trace,
)
from tasks.cases.effects import decide
from tasks.cases.journal import Done
from tasks.cases.model import Case, Leg
from tasks.cases.opening import Opened, World
from tasks.cases.orders import Order
from tasks.cases.report import Report


class Given(Struct, frozen=True):
    """A command given by somebody at a moment of the past."""

    at: datetime
    actor: Actor
    order: Order


Script = Callable[[Case, tuple[Leg, ...]], Given | None]
"""Asked again after every step what comes next; None when the history has reached the present."""


class History(Struct, frozen=True, kw_only=True):
    """One case of the past: how it came in, and what was done with it. Times must not run backwards."""

    report: Report
    actor: Actor
    at: datetime
    script: Script


async def play(district: str, histories: Sequence[History], now: datetime) -> list[Case]:
    """Play histories in the caller's transaction and return their cases as they stand at the end.

    A refused command raises as it would live (TransitionRefused, RoleNotPermitted): the script is wrong. Evidence is
    counted, its files are not declared.
    """
    have, directory = await reference.present(), await grid_facts.directory(now)
    placed = [h.report.place.wgs84() for h in histories if h.report.place is not None]
    located = iter(await grid_facts.locate(placed, now))
    names = await _numbers(district, histories)
    played: list[_Played] = []
    for history, number in zip(histories, names, strict=True):
        world = World(
            actor=history.actor,
            now=history.at,
            directory=directory,
            rules=have.rules,
            calendar=have.calendar,
            makers=hashing.makers(),
        )
        place = None if history.report.place is None else next(located)
        played.append(_play(history, number, place, world, have))
    await _write(played, histories)
    return [each.case for each in played]


class _Played(Struct, frozen=True):
    opened: Opened
    case: Case
    legs: tuple[Leg, ...]
    sealed: journal.Sealed
    facts: list[fact.Fact]


async def names(source: str, prefix: str) -> list[str]:
    """Return the external ids of a source that begin so, in the caller's transaction: what is taken over already."""
    return await store.externals(source, prefix)


async def _numbers(district: str, histories: Sequence[History]) -> list[str]:
    """Return a number of its own day for each history, in order."""
    found: dict[int, str] = {}
    by_day = sorted(range(len(histories)), key=lambda n: histories[n].at)
    for _, group in groupby(by_day, key=lambda n: histories[n].at.astimezone(SHANGHAI).date()):
        same = list(group)
        found |= dict(zip(same, await numbers.take(district, len(same), histories[same[0]].at), strict=True))
    return [found[n] for n in range(len(histories))]


def _play(history: History, number: str, place: Located | None, world: World, have: reference.Reference) -> _Played:
    item = have.catalogue.at(history.report.item, history.at)
    if item is None:
        raise LookupError(f"no item {history.report.item} at {history.at.isoformat()}")
    opened = opening.open_one(history.report, item, number, place, world)
    case, legs, told, done = opened.case, opened.legs, list(opened.facts), list[Done]()
    while (given := history.script(case, legs)) is not None:
        s = standing.situation(case, legs, item, given.actor, given.at, world.directory)
        aimed, _, change = decide(s, given.order)
        step = Done(before=aimed, order=given.order, change=change)
        done.append(step)
        told += facts.of(step, world.directory)
        case, legs = change.case, journal.merged(legs, change.legs)
    sealed = journal.seal(trace.Head(opened.case.trace_seq, opened.case.trace_hash), done, world.makers)
    case = replace(case, trace_seq=sealed.head.seq, trace_hash=sealed.head.hash)
    return _Played(opened, case, legs, sealed, _newest(told))


def _newest(told: Sequence[fact.Fact]) -> list[fact.Fact]:
    """Return the last version of each fact: nobody could read the ones before while they held."""
    return list({each.fact_id: each for each in told}.values())


async def _write(played: Sequence[_Played], histories: Sequence[History]) -> None:
    await store.copy_all(
        [each.opened.record | asdict(each.case) for each in played],
        [leg for each in played for leg in each.legs],
        [event for each in played for event in (*each.opened.events, *each.sealed.events)],
        [text for each in played for text in (*each.opened.texts, *each.sealed.texts)],
        [admission.contact(h.report.reporter, each.opened) for h, each in zip(histories, played, strict=True)],
    )
    await fact.append([one for each in played for one in each.facts])
    await changes.append_many([draft for each in played for draft in journal.news(each.case, (), each.legs)])
