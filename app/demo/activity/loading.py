"""Loads the demo's activity batch by batch, on all cores; one that was interrupted goes on where it stopped."""

import asyncio
import gc
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import datetime, timedelta
from random import Random
from typing import Any

from msgspec import Struct

from app.demo.activity import cast, readings, states, visiting, volume
from app.demo.activity.cast import Cast
from app.demo.activity.matters import PLATFORM, Matters
from app.demo.activity.visiting import Walks
from app.demo.activity.volume import KINDS, PREFIX, Batch, Volume
from app.demo.district import SEED, households, places
from app.demo.district.identifiers import Identifiers
from app.demo.district.places import DISTRICT
from app.kernel import actor, db
from grid.organisations import Kind
from tasks.cases import reference, replay
from tasks.cases.catalogue import Catalogue
from tasks.cases.replay import History
from visits import history_commands
from visits.households import ImportRow

Progress = Callable[[str, int, int], Any]
CLERK = actor.system(DISTRICT, PREFIX)
LAST = "finished"
"""The part that is loaded after all others."""


async def load(
    kind: str, now: datetime, progress: Progress, *, volume: Volume | None = None, processes: int | None = None
) -> int:
    """Load what is not loaded yet and return how many batches were; a finished load is left alone.

    The first call fixes the moment all of it ends at; a later one, after an interruption, keeps to that.
    """
    async with db.transaction(DISTRICT):
        known = frozenset(await replay.names(PLATFORM, f"{PREFIX}:"))
    if any(name.endswith(f"|{LAST}") for name in known):
        return 0
    anchor = now
    if known:
        kind, anchor = _earlier(known)
    job = Job(kind=kind, anchor=anchor, volume=volume or KINDS[kind])
    stage = await set_up(job)
    names = [name for name in stage.names() if name not in known]
    of = len(stage.names())
    done = of - len(names)
    last = names.pop()
    await readings.load(job.volume, anchor, progress)
    async for _ in _run(job, stage, names, os.cpu_count() or 1 if processes is None else processes):
        done += 1
        progress("activity 业务活动", done, of)
    await stage.load(last)
    progress("activity 业务活动", of, of)
    return len(names) + 1


def _earlier(known: frozenset[str]) -> tuple[str, datetime]:
    return volume.read_marker(min(known))


class Job(Struct, frozen=True, kw_only=True):
    """What is loaded: the kind, until when, how much."""

    kind: str
    anchor: datetime
    volume: Volume


class Stage:
    """Everything a process needs to make up any batch by its name."""

    def __init__(self, job: Job, people: Cast, catalogue: Catalogue, homes: Sequence[ImportRow]) -> None:
        self._job, self._cast, self._catalogue = job, people, catalogue
        self._homes = visiting.by_town(homes)
        self._matters = Matters(catalogue.present(job.anchor), homes, people)
        self._walks = Walks(job.kind, job.volume, job.anchor, people, catalogue)
        towns = [each for each in people.directory.by_id.values() if each.kind is Kind.TOWN_CENTRE]
        self._visits = {
            name: (town, week, SEED + 10_000 + n)
            for n, (name, town, week, _) in enumerate(self._walks.names([t for t in towns if t.area in self._homes]))
        }
        self._cases = {each.name: each for each in volume.batches(job.kind, job.volume, job.anchor, SEED)}
        self._last = volume.marker(job.kind, job.anchor, LAST)

    def names(self) -> list[str]:
        """Return the names of all batches; the last one marks the end."""
        return [*self._cases, *self._visits, self._last]

    async def load(self, name: str) -> int:
        """Load one batch in a transaction of its own and return how many cases it had."""
        async with db.transaction(DISTRICT):
            histories = [*self._histories(name)]
            if name in self._visits:
                town, week, seed = self._visits[name]
                field = self._walks.field(name, town, week, self._homes[town.area], seed)
                histories += field.histories
                await history_commands.import_history(field.rounds, field.turns, CLERK, self._job.anchor)
            await replay.play(DISTRICT, histories, self._job.anchor)
        return len(histories)

    def _histories(self, name: str) -> Iterator[History]:
        """The cases of a batch that came in by any channel but a visit; the first carries the batch's name."""
        batch = self._cases.get(name) or self._alone(name)
        random = Random(batch.seed)
        for number, at in enumerate(batch.arrivals):
            case = Identifiers(random, at).next()
            matter = self._matters.one(random, case, at, name if number == 0 else None)
            reporter = matter.actor if matter.actor.kind == "citizen" else None
            course = states.course(random, matter.item, self._cast, self._job.anchor, reporter)
            yield History(report=matter.report, actor=matter.actor, at=at, script=course)

    def _alone(self, name: str) -> Batch:
        seed = self._visits[name][2] if name in self._visits else SEED
        ago = timedelta(days=self._job.volume.days * Random(seed + 1).random())
        return Batch(name, seed + 2, (self._job.anchor - ago,))


async def set_up(job: Job) -> Stage:
    """Read who and what there is."""
    async with db.transaction(DISTRICT):
        people = await cast.assemble(job.anchor)
        catalogue = (await reference.present()).catalogue
    homes = households.build(places.build(), job.kind if job.kind in households.COUNTS else "small")
    return Stage(job, people, catalogue, homes)


# ---- on all cores


async def _run(job: Job, stage: Stage, names: Sequence[str], processes: int) -> AsyncIterator[str]:
    """Load batches, yielding after each: in this process, or in several."""
    if processes <= 1:
        for name in names:
            await stage.load(name)
            yield name
        return
    context = multiprocessing.get_context("spawn")
    arguments = (db.DB.config["dsn"], job)
    with ProcessPoolExecutor(processes, context, _begin, arguments) as pool:
        try:
            waiting: list[Future[str]] = [pool.submit(_one, name) for name in names]
            for each in asyncio.as_completed([asyncio.wrap_future(future) for future in waiting]):
                yield await each
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Process:
    """What a process of the pool keeps from batch to batch."""

    runner: asyncio.Runner
    stage: Stage


def _begin(dsn: str, job: Job) -> None:
    async def begin() -> Stage:
        db.configure(dsn)
        await db.start(1, 2)
        return await set_up(job)

    _Process.runner = asyncio.Runner()
    _Process.stage = _Process.runner.run(begin())
    gc.freeze()  # what is kept for good is not looked through again and again


def _one(name: str) -> str:
    _Process.runner.run(_Process.stage.load(name))
    return name
