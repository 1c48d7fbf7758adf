"""Saved queues: a desk's or a clerk's own filters under names, and how much lies in each; one use case each."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import StaleVersion, invalid
from grid import facts as grid_facts
from tasks.cases import listing, reading_store
from tasks.cases.listing import Filter, Where
from tasks.cases.problems import QueueNotFound, TooManyQueues
from tasks.cases.reading_store import Queue

MOST_QUEUES = 50
"""Of one person or one organisation."""
COUNTED = 1_000
"""A queue is counted up to here: "more than a thousand" is as good as the number, and cheap."""
LONGEST = 200

Name = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]
Position = Annotated[int, Meta(ge=0, le=10_000)]


class NewQueue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue to be kept: for the clerk alone, or with `organisation` for all who work there."""

    name: Name
    filter: Filter = Filter()
    organisation: UUID | None = None
    position: Position = 0


class ChangedQueue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue as it is from now on; `version` is the one that was read."""

    name: Name
    filter: Filter = Filter()
    position: Position = 0
    version: int | None = None


class QueueCount(Struct, frozen=True, kw_only=True):
    """How many cases lie in a queue; `more`: at least as many as were counted."""

    queue: UUID
    cases: int
    more: bool


async def queues(actor: Actor, now: datetime) -> list[Queue]:
    """Return the actor's own queues and those of their organisations, with what these took over of others."""
    reach = scope.require_any(actor, "queue.read")
    async with db.transaction(actor.district):
        mine = (await grid_facts.directory(now)).line_of_all(reach.organisations)
        return await reading_store.queues(reach.person, sorted(mine))


async def queue(queue_id: UUID, actor: Actor, now: datetime) -> Queue:
    """Return one queue; QueueNotFound."""
    found = next((each for each in await queues(actor, now) if each.id == queue_id), None)
    if found is None:
        raise QueueNotFound
    return found


async def counts(actor: Actor, now: datetime) -> list[QueueCount]:
    """Return how many cases the actor may see lie in each of their queues; one statement for all of them."""
    within = scope.require_any(actor, "case.read")
    async with db.transaction(actor.district):
        mine = await queues(actor, now)
        directory = await grid_facts.directory(now)
        found = await reading_store.count([each.filter for each in mine], within, directory, now, COUNTED)
    return [
        QueueCount(queue=each.id, cases=count, more=count >= COUNTED) for each, count in zip(mine, found, strict=True)
    ]


async def add(new: NewQueue, actor: Actor, now: datetime) -> Queue:
    """Keep a queue. Invalid for a filter that cannot be asked or an organisation not the actor's; TooManyQueues."""
    reach = scope.require_any(actor, "queue.write")
    if new.organisation is not None and new.organisation not in reach.organisations:
        raise invalid("organisation", "只能为本单位保存队列", "is not an organisation of yours")
    _check(new.filter, now)
    person = actor.id if new.organisation is None else None
    made = Queue(
        id=new_id(),
        person=person,
        organisation=new.organisation,
        name=new.name,
        filter=new.filter,
        position=new.position,
        version=1,
        created_by=actor.id,
        created_at=now,
        changed_at=now,
    )
    async with db.transaction(actor.district):
        kept = await reading_store.queues(person, [] if new.organisation is None else [new.organisation])
        if len(kept) >= MOST_QUEUES:
            raise TooManyQueues(most=MOST_QUEUES)
        await reading_store.add_queue(made)
    return made


async def change(queue_id: UUID, changed: ChangedQueue, actor: Actor, now: datetime) -> Queue:
    """Write a queue anew; QueueNotFound, StaleVersion, Invalid."""
    _check(changed.filter, now)
    async with db.transaction(actor.district):
        held = await _held(queue_id, actor, now)
        if changed.version is not None and changed.version != held.version:
            raise StaleVersion(version=held.version)
        after = replace(
            held,
            name=changed.name,
            filter=changed.filter,
            position=changed.position,
            version=held.version + 1,
            changed_at=now,
        )
        await reading_store.change_queue(after)
    return after


async def remove(queue_id: UUID, actor: Actor, now: datetime) -> None:
    """Delete a queue; QueueNotFound."""
    async with db.transaction(actor.district):
        await _held(queue_id, actor, now)
        await reading_store.remove_queue(queue_id)


async def _held(queue_id: UUID, actor: Actor, now: datetime) -> Queue:
    """Lock a queue the actor may change."""
    reach = scope.require_any(actor, "queue.write")
    mine = (await grid_facts.directory(now)).line_of_all(reach.organisations)
    held = await reading_store.lock_queue(queue_id)
    if held is None or not (held.person == actor.id or held.organisation in mine):
        raise QueueNotFound
    return held


def _check(asked: Filter, now: datetime) -> None:
    """Raise Invalid for a filter that no list would take."""
    for name in ("item", "source", "severity", "text"):
        if len(getattr(asked, name) or "") > LONGEST:
            raise invalid(f"filter.{name}", f"至多 {LONGEST} 个字", f"has at most {LONGEST} characters")
    for name in ("since", "until"):
        at: datetime | None = getattr(asked, name)
        if at is not None and not 1970 < at.year < 9999:
            raise invalid(f"filter.{name}", "年份超出范围", "lies outside of the years 1971 to 9998")
    listing.add_all(Where(), asked, now)
