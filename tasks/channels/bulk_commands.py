"""Importing files of cases: taken in at once, worked through in chunks; a kill in the middle loses and doubles nothing.

A chunk's rows leave the table of waiting rows in the transaction that opens their cases.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import LANGUAGES, invalid
from tasks.channels import bulk, push_commands, source_commands, sources
from tasks.channels import bulk_store as store
from tasks.channels.bulk import Fault, FaultView, Import, Numbered
from tasks.channels.bulk_store import Job
from tasks.channels.events import ImportQueued
from tasks.channels.push_commands import CHUNK, Refusal, Taking
from tasks.channels.push_problems import ImportNotFound
from tasks.channels.reading import Reader
from tasks.channels.sources import Source

CHUNKS = 40
"""So many chunks for one delivery of the event; a longer import goes on with the next."""
ACTION = "case.import"


class ImportWish(Struct, frozen=True, kw_only=True):
    """A file to import: `source` says whose mapping reads it, `columns` (field → heading) replaces its columns."""

    file: str
    content: bytes
    source: str = sources.IMPORT
    columns: dict[str, str] = {}
    dry_run: bool = False


async def begin(wish: ImportWish, actor: Actor, now: datetime) -> Import:
    """Take a file in: its rows wait, sealed, for the worker. Invalid for a bad file, column

    or a source that is not the actor's to name (the district names any); MappingUnknown.
    """
    within = scope.require_any(actor, ACTION)
    area = actor.district if within.everything else min(within.areas, default=actor.district)
    async with db.transaction(actor.district):
        named = await source_commands.required(wish.source)
        if not (within.everything or wish.source == sources.IMPORT or named.organisation in actor.organisations):
            raise invalid("source", "只能以本单位的来源导入", "not a source of your own organisation")
        mapping = named.mapping
        if wish.columns:
            mapping = bulk.with_columns(mapping, wish.columns)
            await source_commands.check(mapping, actor, now)
    rows = await asyncio.to_thread(bulk.rows_of, wish.content, mapping)
    view = Import(
        id=new_id(),
        source=wish.source,
        file=wish.file[-200:],
        dry_run=wish.dry_run,
        state="queued",
        total=len(rows),
        done=0,
        stored=0,
        updated=0,
        unchanged=0,
        refused=0,
        created_at=now,
        finished_at=None,
    )
    async with db.transaction(actor.district):
        await store.add(view, bulk.digest(wish.content), mapping, actor, area)
        await store.add_rows(view.id, rows)
        await outbox.emit(_queued(view.id, actor, now))
    return view


def _queued(import_id: UUID, actor: Actor, now: datetime) -> ImportQueued:
    return ImportQueued(id=new_id(), at=now, actor=actor.id, district=actor.district, case_import=import_id)


async def on_queued(happened: ImportQueued, now: datetime) -> None:
    """Subscriber of ImportQueued: work through the import; what takes longer goes on with another event."""
    for _ in range(CHUNKS):
        if not await work(happened.district, happened.case_import, now):
            return
    async with db.transaction(happened.district):
        await outbox.emit(
            ImportQueued(
                id=new_id(), at=now, actor=happened.actor, district=happened.district, case_import=happened.case_import
            )
        )


async def work(district: str, import_id: UUID, now: datetime) -> bool:
    """Deal with the next rows of an import in one transaction; False when there is nothing left to do."""
    async with db.transaction(district):
        job = await store.lock(import_id)
        if job is None:
            return False
        rows = await store.next_rows(import_id, CHUNK)
        if not rows:
            await store.finish(import_id, now)
            return False
        await _deal(job, rows, now)
        return True


async def _deal(job: Job, rows: Sequence[Numbered], now: datetime) -> None:
    own = await source_commands.known(job.source)
    source = Source(
        code=job.source, name="", mapping=job.mapping, organisation=None if own is None else own.organisation
    )
    within = scope.reach(job.actor, ACTION)
    taking = Taking(
        source=source,
        reader=Reader(job.mapping),
        actor=job.actor,
        now=now,
        language=0,
        dry_run=job.dry_run,
        areas=None if within.everything else within.areas,
        # what a platform's file opened, its later push amends
        reporter=None if job.source == sources.IMPORT else sources.actor_of(job.source, job.actor.district).id,
    )
    outcomes = await push_commands.take(bulk.rows_to_take(rows, source, taking.reader, job.digest), taking)
    counts: dict[str, int] = dict.fromkeys(bulk.COUNTS, 0)
    faults: list[Fault] = []
    records = {each.row: each.record for each in rows}
    for each in outcomes:
        refused = isinstance(each, Refusal)
        counts["refused" if refused else each.verdict] += 1
        if refused:
            faults += bulk.faults_of(each.row.index, each.problem, taking.reader, records[each.row.index])
    await store.note(job.id, counts, faults)


async def read(import_id: UUID, actor: Actor) -> Import:
    """Return an import and how far it is; ImportNotFound for none, or one of another area."""
    async with db.transaction(actor.district):
        return await _seen(import_id, actor)


async def _seen(import_id: UUID, actor: Actor) -> Import:
    found = await store.one(import_id)
    if found is None:
        scope.require_any(actor, ACTION)
        raise ImportNotFound
    view, author, area = found
    scope.require(actor, ACTION, Ownership(area=area, persons=frozenset({author})), ImportNotFound())
    return view


async def list_all(actor: Actor, before: UUID | None, limit: int) -> list[Import]:
    """Return the imports the actor may see, newest first."""
    within = scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        return await store.all_of_them(None if within.everything else within.areas, actor.id, before, limit)


async def faults(import_id: UUID, after: int, limit: int, actor: Actor, language: int) -> list[FaultView]:
    """Return the bad rows of an import past a row: row, column, why; ImportNotFound."""
    async with db.transaction(actor.district):
        await _seen(import_id, actor)
        found = await store.faults(import_id, after, limit)
    chosen = language % len(LANGUAGES)
    return [FaultView(row=each.row, column=each.column, why=each.why[chosen]) for each in found]
