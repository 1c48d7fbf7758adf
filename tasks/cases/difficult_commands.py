"""The library of difficult items: search, keep, change, retire, follow, and learn from rulings."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, StaleVersion
from grid import facts as grid_facts
from tasks.cases import difficult, reference, store
from tasks.cases import difficult_store as own
from tasks.cases.difficult import Entry, Kept, Library, Sample
from tasks.cases.model import Case
from tasks.cases.orders import Order, Rule
from tasks.cases.problems import CaseNotFound, DifficultItemNotFound

BEST = 10
BATCH = 100


class Match(Struct, frozen=True, kw_only=True):
    """An entry found: how well it fits, and the words that say so."""

    score: float
    words: tuple[str, ...]
    entry: Kept


class _Kept:
    """What this process knows of a district's library, as of a mark."""

    def __init__(self) -> None:
        self.mark: UUID | None = None
        self.library = Library()
        self.renewing = asyncio.Lock()


_kept: dict[str, _Kept] = {}


async def _library() -> Library:
    """Return the library as this transaction sees it; only what changed since is read."""
    kept = _kept.setdefault(db.current().district or "", _Kept())
    async with kept.renewing:
        mark = await own.mark()
        if mark != kept.mark:
            stale = kept.library.stale(await own.versions())
            for start in range(0, len(stale), BATCH):
                for id_, one in (await own.entries(stale[start : start + BATCH])).items():
                    kept.library.put(id_, one.version, one.entry)
            kept.mark = mark
    return kept.library


async def ready(district: str, _: datetime) -> int:
    """Read the library of a district before anybody searches it; return how many entries are known."""
    async with db.transaction(district):
        return len(await _library())


async def search(text: str, actor: Actor, limit: int = BEST) -> list[Match]:
    """Return the entries that fit a text best, at most `limit`."""
    async with db.transaction(actor.district):
        hits = (await _library()).search(text, limit)
        found = await own.entries([UUID(hit.key) for hit in hits])
    return [
        Match(score=round(hit.score, 3), words=hit.words, entry=found[UUID(hit.key)])
        for hit in hits
        if UUID(hit.key) in found
    ]


async def page(domain: str | None, limit: int, after: UUID | None, actor: Actor) -> list[Kept]:
    """Return entries in use, oldest first, past `after`."""
    async with db.transaction(actor.district):
        return await own.page(domain, limit, after)


async def read(id_: UUID, actor: Actor) -> Kept:
    """Return an entry, also a retired one; DifficultItemNotFound."""
    async with db.transaction(actor.district):
        found = (await own.entries([id_])).get(id_)
    if found is None:
        raise DifficultItemNotFound
    return found


async def _check(entry: Entry, now: datetime) -> None:
    found = difficult.faults(entry)
    if entry.item is not None and (await reference.present()).catalogue.at(entry.item, now) is None:
        found.append(FieldError("item", (f"目录中没有事项 {entry.item}", f"no such item: {entry.item}")))
    if found:
        raise Invalid(found)


async def create(entry: Entry, actor: Actor, now: datetime) -> Kept:
    """Keep a new entry; Invalid."""
    scope.require_any(actor, "difficult.manage")
    async with db.transaction(actor.district):
        await _check(entry, now)
        made = Kept(id=new_id(), entry=entry, created_at=now, created_by=actor.id, updated_at=now)
        await own.add([made])
        await own.set_mark(new_id())
    return made


async def _changed(id_: UUID, version: int, actor: Actor, **changes: Any) -> Kept:
    """Write an entry in its next version; DifficultItemNotFound, StaleVersion."""
    before = await own.lock(id_)
    if before is None or before.retired_at is not None:
        raise DifficultItemNotFound
    if before.version != version:
        raise StaleVersion(version=before.version)
    after = replace(before, version=version + 1, **changes)
    await own.save(after)
    await own.set_mark(new_id())
    return after


async def change(id_: UUID, version: int, entry: Entry, actor: Actor, now: datetime) -> Kept:
    """Say something else in an entry, whose version the actor saw; Invalid, DifficultItemNotFound, StaleVersion."""
    scope.require_any(actor, "difficult.manage")
    async with db.transaction(actor.district):
        await _check(entry, now)
        return await _changed(id_, version, actor, entry=entry, updated_at=now)


async def retire(id_: UUID, version: int, actor: Actor, now: datetime) -> Kept:
    """Take an entry out of use; it stays readable. DifficultItemNotFound, StaleVersion."""
    scope.require_any(actor, "difficult.manage")
    async with db.transaction(actor.district):
        return await _changed(id_, version, actor, updated_at=now, retired_at=now)


async def follow(id_: UUID, case_id: UUID, actor: Actor, now: datetime) -> Kept:
    """Count that an entry was followed in a case the actor may see (checked by the caller); once a case."""
    async with db.transaction(actor.district):
        if await own.lock(id_) is None:
            raise DifficultItemNotFound
        if not await store.cases([case_id]):
            raise CaseNotFound
        await own.use(new_id(), id_, case_id, actor.id, now)
        return (await own.entries([id_]))[id_]


async def learn(case: Case, order: Order, actor: Actor, now: datetime) -> None:
    """Keep a ruling as an entry if its clerk said so, in the transaction of the ruling."""
    if not isinstance(order, Rule) or order.precedent is None:
        return
    entry = difficult.ruled(case, order, order.precedent, await grid_facts.directory(now))
    made = Kept(
        id=new_id(),
        entry=entry,
        origin="ruling",
        provenance=f"ruling in {case.number}",
        case_id=case.id,
        created_at=now,
        created_by=actor.id,
        updated_at=now,
    )
    await own.add([made])
    await own.set_mark(new_id())


async def load(samples: Iterable[Sample], now: datetime) -> int:
    """Keep samples in the caller's transaction and return how many were new; known codes are left as they are."""
    added = await own.add(difficult.kept(samples, now, new_id))
    if added:
        await own.set_mark(new_id())
    return added
