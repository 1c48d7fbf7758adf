"""Opening cases in the caller's transaction: checked, placed, routed and written set-wise; `intake` is its door."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.identity import cipher, scope
from app.kernel.actor import Actor
from app.kernel.announcing import announce
from app.kernel.problem import FieldError, Invalid, invalid
from grid import facts as grid_facts
from grid.cells import Located
from tasks.cases import (
    attributes,
    duplicates,
    evidence,
    hashing,
    journal,
    numbers,
    opening,
    reference,
    report,
    standing,
    store,
)
from tasks.cases.model import ENDED, Case
from tasks.cases.opening import Opened, World
from tasks.cases.report import Report, Reporter
from tasks.cases.store import ContactRow

HELD = 100
"""Up to so many keys are held at once; a larger batch relies on the unique index alone and is tried again by hand."""


async def open_all(
    reports: Sequence[Report], actor: Actor, now: datetime
) -> tuple[list[Case], list[Opened], World, reference.Reference]:
    """Return one case per report, the new ones with their rows, and what they were decided on."""
    keys = [key for r in reports if (key := duplicates.lock_key(r)) is not None]
    if 0 < len(keys) <= HELD:
        await store.hold(keys)
    external = [r for r in reports if r.external_id is not None]
    known = await store.known(
        [r.id for r in reports if r.id is not None],
        [r.source for r in external],
        [r.external_id or "" for r in external],
    )
    have = await reference.of(known)
    _check(reports, have, actor, now)
    await _hold_parents(reports, actor, now)
    fresh = duplicates.first_of_each([r for r in reports if _existing(r, known) is None])
    located = await _locate(fresh, now)
    world = World(
        actor=actor,
        now=now,
        directory=await grid_facts.directory(now),
        rules=have.rules,
        calendar=have.calendar,
        makers=hashing.makers(),
    )
    names = await numbers.take(actor.district, len(fresh), now) if fresh else []
    opened: list[Opened] = []
    for one, number, place in zip(fresh, names, located, strict=True):
        item = have.catalogue.at(one.item, now)
        if item is not None:
            opened.append(opening.open_one(one, item, number, place, world))
    await _write(fresh, opened, actor, now)
    return await _answers(reports, fresh, opened, known), opened, world, have


def _existing(one: Report, known: store.Known) -> UUID | None:
    return duplicates.existing(one, known.by_id, known.by_source)


def _check(reports: Sequence[Report], have: reference.Reference, actor: Actor, now: datetime) -> None:
    errors: list[FieldError] = []
    for n, one in enumerate(reports):
        found = report.faults(one, now)
        item = have.catalogue.at(one.item, now)
        if item is not None and actor.kind == "citizen" and not item.citizen:
            item = None  # what a citizen may not choose is not in a citizen's catalogue
        if item is not None and len(one.evidence) < item.evidence_at_report:
            need = item.evidence_at_report
            found.append(FieldError("evidence", (f"须附 {need} 份佐证", f"{need} pieces of evidence are needed")))
        if item is not None:
            found += attributes.faults(item.attribute_schema, one.attributes)
        if item is None and one.item.strip():
            found.append(FieldError("item", (f"目录中没有事项 {one.item}", f"no such item: {one.item}")))
        prefix = f"records[{n}]." if len(reports) > 1 else ""
        errors += [FieldError(prefix + each.field, each.message) for each in found]
    if errors:
        raise Invalid(errors)


async def _hold_parents(reports: Sequence[Report], actor: Actor, now: datetime) -> None:
    """Lock the parents, so that none closes while a child is opened; Invalid for one that is not there, or over."""
    for parent in sorted({r.parent for r in reports if r.parent is not None}):
        locked = await store.lock(parent)
        known = locked is not None and scope.may(
            actor, "case.read", standing.ownership(*locked, await grid_facts.directory(now))
        )
        if locked is None or not known:
            raise invalid("parent", "没有这个主事件", "no such parent case")
        if locked[0].state in ENDED:
            raise invalid("parent", "主事件已结束", "the parent case is over")


async def _locate(reports: Sequence[Report], now: datetime) -> list[Located | None]:
    """Return where each report's place lies; None without a place."""
    placed = [one.place.wgs84() for one in reports if one.place is not None]
    found = iter(await grid_facts.locate(placed, now))
    return [None if one.place is None else next(found) for one in reports]


async def _write(reports: Sequence[Report], opened: Sequence[Opened], actor: Actor, now: datetime) -> None:
    if not opened:
        return
    contacts = [contact(one.reporter, new) for one, new in zip(reports, opened, strict=True)]
    await store.open_all(
        [new.record for new in opened],
        [leg for new in opened for leg in new.legs],
        [event for new in opened for event in new.events],
        [text for new in opened for text in new.texts],
        contacts,
    )
    await announce(
        [each for new in opened for each in new.facts],
        [message for new in opened for message in new.messages],
        [draft for new in opened for draft in journal.news(new.case, (), new.legs)],
    )
    for one, new in zip(reports, opened, strict=True):
        await evidence.declare(one.evidence, new.case, actor, now)


def contact(reporter: Reporter, new: Opened) -> ContactRow:
    """Return name and phone of who reported, sealed."""
    return ContactRow(
        case_id=new.case.id,
        name=None if not reporter.name else cipher.seal(reporter.name),
        phone=None if not reporter.phone else cipher.seal(reporter.phone),
        salt=new.salt,
    )


async def _answers(
    reports: Sequence[Report], fresh: Sequence[Report], opened: Sequence[Opened], known: store.Known
) -> list[Case]:
    """Return one case per report: the new one, or the one that was there."""
    new = {duplicates.key(one): made.case for one, made in zip(fresh, opened, strict=True)}
    old = {case for one in reports if (case := _existing(one, known)) is not None}
    there = {case.id: case for case in await store.cases(sorted(old))} if old else {}
    found: list[Case] = []
    for one in reports:
        existing = _existing(one, known)
        case = new[duplicates.key(one)] if existing is None else there[existing]
        named = one.external_id is None and existing is not None
        if named and (case.source, case.reporter) != (one.source, one.reporter.id):
            raise invalid("id", "编号已被使用", "the id is taken")
        found.append(case)
    return found
