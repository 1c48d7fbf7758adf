"""Taking records of a source: a chunk at a time, set-wise, each record with its own verdict and the good ones kept."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, Problem
from grid import facts as grid_facts
from tasks.cases import commands as cases
from tasks.cases import intake
from tasks.cases.model import Case
from tasks.cases.orders import Add
from tasks.cases.report import Report
from tasks.channels import push, sources
from tasks.channels import push_store as store
from tasks.channels.push import PushAnswer, Row, Verdict
from tasks.channels.push_store import Kept
from tasks.channels.reading import Reader
from tasks.channels.sources import Source

CHUNK = intake.HELD
"""Records of one transaction: as many as the door takes with all their keys held."""

OUTSIDE = FieldError("place", ("位置不在本区范围内", "the point lies outside the district"))
FOREIGN = FieldError("place", ("位置不在您的辖区内", "the point lies outside your area"))


UNPLACED = FieldError("place", ("须给出辖区内的位置", "a place inside your area is needed"))


class Taking(Struct, frozen=True, kw_only=True):
    """What the records of one push share. `areas`: the point of each lies in one of these (None: anywhere).

    `reporter` is set where whoever sends may amend later, whichever key is used.
    """

    source: Source
    reader: Reader
    actor: Actor
    now: datetime
    language: int
    dry_run: bool
    reporter: UUID | None = None
    areas: tuple[str, ...] | None = None


class _Rehearsed(Exception):
    """Rolls a dry run back."""


def of_source(source: Source, district: str, now: datetime, language: int, *, dry_run: bool) -> Taking:
    """Return what records of a platform share: the platform itself reports and amends."""
    actor = sources.actor_of(source.code, district)
    return Taking(
        source=source,
        reader=Reader(source.mapping),
        actor=actor,
        now=now,
        language=language,
        dry_run=dry_run or source.sandbox,
        reporter=actor.id,
    )


async def take_body(body: dict[str, Any], taking: Taking) -> PushAnswer:
    """Take one record or many; a single one that is refused raises its problem, of many each has its verdict."""
    records, single = push.records_of(body, taking.source)
    rows = push.read(records, taking.source, taking.reader)
    if single and rows[0].fault is not None:
        raise rows[0].fault
    found = await take(rows, taking)
    if single and isinstance(found[0], Refusal):
        raise found[0].problem
    return push.answer([told(each, taking) for each in found], dry_run=taking.dry_run)


class Refusal(Struct, frozen=True, kw_only=True):
    """A record that was refused, and why; `kept` is the case it was before."""

    row: Row
    problem: Problem
    kept: Kept | None = None


Outcome = Verdict | Refusal


def told(outcome: Outcome, taking: Taking) -> Verdict:
    """Return an outcome as it is answered, in the language asked for."""
    if isinstance(outcome, Verdict):
        return outcome
    row, kept = outcome.row, outcome.kept
    return Verdict(
        index=row.index,
        verdict="refused",
        external_id=row.mapped.external_id or None,
        case=None if kept is None else kept.case_id,
        number=None if kept is None else kept.number,
        problem=outcome.problem.document(taking.language),
        record=push.shown(row.mapped) if taking.dry_run else None,
    )


async def take(rows: Sequence[Row], taking: Taking) -> list[Outcome]:
    """Take records, in transactions of `CHUNK` each (or in the caller's); return what became of each, in order."""
    found: list[Outcome] = [Refusal(row=row, problem=row.fault) for row in rows if row.fault is not None]
    for chunk in _chunks([row for row in rows if row.fault is None]):
        try:
            found += await _take_chunk(chunk, taking)
        except asyncpg.UniqueViolationError:  # opened at the same moment by another channel: now it is found
            found += await _take_chunk(chunk, taking)
    return sorted(found, key=lambda each: each.index if isinstance(each, Verdict) else each.row.index)


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Cut into chunks in which no id comes twice: the second one is compared with the first when that is stored."""
    chunk: dict[str, Row] = {}
    for row in rows:
        if len(chunk) == CHUNK or row.mapped.external_id in chunk:
            yield [*chunk.values()]
            chunk = {}
        chunk[row.mapped.external_id] = row
    if chunk:
        yield [*chunk.values()]


async def _take_chunk(rows: list[Row], taking: Taking) -> list[Outcome]:
    found: list[Outcome] = []
    try:
        async with db.transaction(taking.actor.district):
            found = await _taken(rows, taking)
            if taking.dry_run:
                raise _Rehearsed
    except _Rehearsed:
        return [_rehearsed(each, rows) for each in found]
    return found


def _rehearsed(outcome: Outcome, rows: Sequence[Row]) -> Outcome:
    """Return the verdict of a dry run: with the record as it was read, without the case that is not there."""
    if isinstance(outcome, Refusal):
        return outcome
    mapped = next(row.mapped for row in rows if row.index == outcome.index)
    shown = replace(outcome, record=push.shown(mapped))
    return replace(shown, case=None, number=None) if outcome.verdict == "stored" else shown


async def _taken(rows: list[Row], taking: Taking) -> list[Outcome]:
    ids = [row.mapped.external_id for row in rows]
    await store.hold(taking.source.code, ids)
    before = await store.kept(taking.source.code, ids)
    again = [(row, before[row.mapped.external_id]) for row in rows if row.mapped.external_id in before]
    found = [await _again(row, kept, taking) for row, kept in again]
    return found + await _open([row for row in rows if row.mapped.external_id not in before], taking)


async def _again(row: Row, kept: Kept, taking: Taking) -> Outcome:
    """Deal with a record that came before: nothing when it says the same, else what is new is added to its case."""
    digests = push.digests(row.mapped)
    fields = push.changed(kept.digests, digests)
    verdict = Verdict(
        index=row.index,
        verdict="updated" if fields else "unchanged",
        external_id=kept.external_id,
        case=kept.case_id,
        number=kept.number,
    )
    if not fields:
        return verdict
    try:
        async with db.transaction(taking.actor.district):
            await _check(row, taking)
            for text in push.update_texts(row.mapped, fields):
                await cases.carry_out(kept.case_id, Add(text=text), taking.actor, taking.now)
    except Problem as problem:
        return Refusal(row=row, problem=problem, kept=kept)
    newest = Kept(
        external_id=kept.external_id, case_id=kept.case_id, number=kept.number, digests=kept.digests | digests
    )
    await store.keep(taking.source.code, [newest], [new_id()], taking.now)
    return verdict


async def _check(row: Row, taking: Taking) -> None:
    """Raise Invalid when what changed could not be opened either."""
    faults = (await _faults_at_the_door([row], taking)).get(0, [])
    faults += (await _misplaced([row], taking)).get(row.index, [])
    if faults:
        raise Invalid(faults)


async def _faults_at_the_door(rows: Sequence[Row], taking: Taking) -> dict[int, list[FieldError]]:
    """Return what the door has against records, by their place in `rows`; nothing is opened."""
    try:
        async with db.transaction(taking.actor.district):
            await intake.open_many(_reports(rows, taking), taking.actor, taking.now)
            raise _Rehearsed
    except _Rehearsed:
        return {}
    except Invalid as problem:
        return {n: [*each.errors] for n, each in push.by_record(problem, len(rows), taking.reader).items()}


def _reports(rows: Sequence[Row], taking: Taking) -> list[Report]:
    return [push.report_of(row.mapped, taking.source, taking.reporter) for row in rows]


async def _misplaced(rows: Sequence[Row], taking: Taking) -> dict[int, list[FieldError]]:
    """Return the faults of points that lie where they must not, by the record's place in the push."""
    reports = zip(rows, _reports(rows, taking), strict=True)
    placed = [(row.index, each.place.wgs84()) for row, each in reports if each.place is not None]
    located = await grid_facts.locate([point for _, point in placed], taking.now)
    found: dict[int, list[FieldError]] = {}
    if taking.areas is not None:
        nowhere = {row.index for row in rows} - {index for index, _ in placed}
        found = {index: [taking.reader.origin(UNPLACED)] for index in nowhere}
    for (index, _), there in zip(placed, located, strict=True):
        if there.reason == "outside" and taking.source.mapping.outside == "refuse":
            found[index] = [taking.reader.origin(OUTSIDE)]
        elif taking.areas is not None and not (there.cell or there.town or "-").startswith(taking.areas):
            found[index] = [taking.reader.origin(FOREIGN)]
    return found


async def _refused_for_place(rows: Sequence[Row], taking: Taking) -> list[Outcome]:
    """Return the refusals of records whose point lies where it must not, with everything else that is wrong."""
    misplaced = await _misplaced(rows, taking)
    bad = [row for row in rows if row.index in misplaced]
    others = await _faults_at_the_door(bad, taking) if bad else {}
    return [Refusal(row=row, problem=Invalid([*others.get(n, []), *misplaced[row.index]])) for n, row in enumerate(bad)]


async def _open(rows: list[Row], taking: Taking) -> list[Outcome]:
    """Open the cases of new records; the bad ones are told by the door, all at once, and left out."""
    found = await _refused_for_place(rows, taking)
    refused = {each.row.index for each in found if isinstance(each, Refusal)}
    rows = [row for row in rows if row.index not in refused]
    while rows:
        try:
            async with db.transaction(taking.actor.district):
                opened = await intake.open_many(_reports(rows, taking), taking.actor, taking.now)
        except Problem as problem:
            several = isinstance(problem, Invalid)
            apart = push.by_record(problem, len(rows), taking.reader) if several else {}
            if not apart:
                return found + await _one_by_one(rows, problem, taking)
            found += [Refusal(row=rows[n], problem=each) for n, each in apart.items()]
            rows = [row for n, row in enumerate(rows) if n not in apart]
        else:
            return found + await _stored(rows, opened, taking)
    return found


async def _one_by_one(rows: list[Row], problem: Problem, taking: Taking) -> list[Outcome]:
    """Open records singly after a refusal that does not say of which it is."""
    if len(rows) == 1:
        return [Refusal(row=rows[0], problem=problem)]
    found: list[Outcome] = []
    for row in rows:
        found += await _open([row], taking)
    return found


async def _stored(rows: list[Row], opened: list[Case], taking: Taking) -> list[Outcome]:
    """Keep what came and tell it; a case that another channel opened before is taken as it is."""
    kept = [
        Kept(external_id=row.mapped.external_id, case_id=case.id, number=case.number, digests=push.digests(row.mapped))
        for row, case in zip(rows, opened, strict=True)
    ]
    await store.keep(taking.source.code, kept, [new_id() for _ in kept], taking.now)
    return [
        Verdict(
            index=row.index,
            verdict="stored" if case.received_at == taking.now else "unchanged",
            external_id=row.mapped.external_id,
            case=case.id,
            number=case.number,
        )
        for row, case in zip(rows, opened, strict=True)
    ]
