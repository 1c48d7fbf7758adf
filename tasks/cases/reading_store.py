"""Every query about saved queues, claims and reply templates; the caller opens the transaction."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db
from grid.organisations import Directory
from tasks.cases import listing
from tasks.cases.claims import Claim
from tasks.cases.listing import Filter, Where
from tasks.cases.replies import Template


class Queue(Struct, frozen=True, kw_only=True):
    """A filter of the list under a name; of a person or of an organisation, never of both."""

    id: UUID
    person: UUID | None
    organisation: UUID | None
    name: str
    filter: Filter
    position: int
    version: int
    created_by: UUID
    created_at: datetime
    changed_at: datetime


_QUEUE = ", ".join(Queue.__struct_fields__)
_TEMPLATE = ", ".join(Template.__struct_fields__)
_CLAIM = ", ".join(Claim.__struct_fields__)


def _places(count: int) -> str:
    return ", ".join(f"${n}" for n in range(1, count + 1))


def _values(row: Struct) -> list[Any]:
    return [value if not isinstance(value, Struct) else _plain(value) for value in msgspec.structs.astuple(row)]


def _plain(value: Struct) -> dict[str, Any]:
    """Return a filter as kept: what was not asked is left out."""
    return {name: each for name, each in msgspec.to_builtins(value).items() if each not in (None, [], ())}


# ---- what a filter leaves of what somebody may see


def matching(where: Where, asked: Filter, reach: Reach, directory: Directory, now: datetime) -> str:
    """Return the condition on a row `c` of `cases`: what was asked for, of what is within reach."""
    listing.add_all(where, asked, now)
    return where.all(listing.visible(where, reach, directory))


async def count(filters: Sequence[Filter], reach: Reach, directory: Directory, now: datetime, most: int) -> list[int]:
    """Return how many cases each filter finds, counted up to `most`; one statement."""
    arguments: list[Any] = []
    parts: list[str] = []
    for asked in filters:
        where = Where()
        where.arguments = arguments  # one statement, one list of arguments
        condition = matching(where, asked, reach, directory, now)
        parts.append(f"(select count(*) from (select from cases c where {condition} limit {most:d}) f)")
    row = await db.fetchrow(f"select {', '.join(parts)}", *arguments) if parts else None
    return [] if row is None else list(row)


_EXPORTED = (
    "c.number, c.state, c.title, c.item, c.severity, c.source, c.area, c.town, c.address, c.lon, c.lat, c.last_lead,"
    " c.received_at, c.accepted_at, c.assigned_at, c.handled_at, c.closed_at, c.due_at, c.returns, c.reworks, c.redos,"
    " c.reopens, c.rating"
)


async def batches(
    asked: Filter, reach: Reach, directory: Directory, now: datetime, size: int
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Give every row a filter finds, newest first, `size` at a time: one cursor, so all of them as of one moment."""
    where = Where()
    condition = matching(where, asked, reach, directory, now)
    late = where.bind("coalesce(c.due_at < {}, false) as overdue", now)
    cursor = await db.current().connection.cursor(
        f"select {_EXPORTED}, {late} from cases c where {condition} order by c.received_at desc, c.id desc",
        *where.arguments,
    )
    while rows := await cursor.fetch(size):
        yield [dict(row) for row in rows]


# ---- queues


async def queues(person: UUID | None, organisations: Sequence[UUID]) -> list[Queue]:
    """Return the queues of a person and of organisations: organisations' first, each in its order."""
    rows = await db.fetch(
        f"select {_QUEUE} from case_queue where person = $1 or organisation = any($2::uuid[])"
        " order by person is not null, organisation, position, id",
        person,
        list(organisations),
    )
    return [msgspec.convert(dict(row), Queue) for row in rows]


async def lock_queue(queue_id: UUID) -> Queue | None:
    """Lock a queue and return it; None if there is none."""
    row = await db.fetchrow(f"select {_QUEUE} from case_queue where id = $1 for update", queue_id)
    return None if row is None else msgspec.convert(dict(row), Queue)


async def add_queue(new: Queue) -> None:
    """Write a new queue."""
    names = Queue.__struct_fields__
    await db.execute(f"insert into case_queue ({_QUEUE}) values ({_places(len(names))})", *_values(new))


async def change_queue(queue: Queue) -> None:
    """Write a queue anew."""
    await db.execute(
        "update case_queue set name = $2, filter = $3, position = $4, version = $5, changed_at = $6 where id = $1",
        queue.id,
        queue.name,
        _plain(queue.filter),
        queue.position,
        queue.version,
        queue.changed_at,
    )


async def remove_queue(queue_id: UUID) -> None:
    """Delete a queue."""
    await db.execute("delete from case_queue where id = $1", queue_id)


# ---- claims


async def claim(new: Claim, now: datetime, *, take_over: bool) -> bool:
    """Write a claim unless a colleague's holds; of two at once exactly one wins. Return whether it is written."""
    written = await db.execute(
        f"insert into case_claim ({_CLAIM}) values ($1, $2, $3, $4, $5) on conflict (case_id) do update"
        " set person = excluded.person, organisation = excluded.organisation, since = excluded.since,"
        " until = excluded.until where case_claim.person = excluded.person or case_claim.until <= $6 or $7",
        *msgspec.structs.astuple(new),
        now,
        take_over,
    )
    return written == 1


async def claims(cases: Sequence[UUID], now: datetime) -> dict[UUID, Claim]:
    """Return the claims that hold now, by case."""
    rows = await db.fetch(
        f"select {_CLAIM} from case_claim where case_id = any($1::uuid[]) and until > $2", list(cases), now
    )
    return {row["case_id"]: Claim(**dict(row)) for row in rows}


async def release(case_id: UUID, person: UUID) -> None:
    """Delete somebody's claim on a case, if they hold it."""
    await db.execute("delete from case_claim where case_id = $1 and person = $2", case_id, person)


async def forget_claims(before: datetime) -> None:
    """Delete claims that have ended."""
    await db.execute("delete from case_claim where until <= $1", before)


# ---- reply templates


async def templates(organisations: Sequence[UUID], item: str | None) -> list[Template]:
    """Return the district's templates and those of organisations; with an item, its own first, then those for all."""
    rows = await db.fetch(
        f"select {_TEMPLATE} from reply_template where (organisation is null or organisation = any($1::uuid[]))"
        " and ($2::text is null or item is null or item = $2)"
        " order by item is null, organisation is null, title, id",
        list(organisations),
        item,
    )
    return [Template(**dict(row)) for row in rows]


async def template(template_id: UUID, *, lock: bool = False) -> Template | None:
    """Return a template; None if there is none."""
    row = await db.fetchrow(
        f"select {_TEMPLATE} from reply_template where id = $1" + (" for update" if lock else ""), template_id
    )
    return None if row is None else Template(**dict(row))


async def add_template(new: Template) -> None:
    """Write a new template."""
    names = Template.__struct_fields__
    await db.execute(f"insert into reply_template ({_TEMPLATE}) values ({_places(len(names))})", *_values(new))


async def change_template(changed: Template) -> None:
    """Write a template anew."""
    await db.execute(
        "update reply_template set item = $2, title = $3, body = $4, version = $5, changed_by = $6, changed_at = $7"
        " where id = $1",
        changed.id,
        changed.item,
        changed.title,
        changed.body,
        changed.version,
        changed.changed_by,
        changed.changed_at,
    )


async def remove_template(template_id: UUID) -> None:
    """Delete a template."""
    await db.execute("delete from reply_template where id = $1", template_id)


async def public_result(case_id: UUID) -> str | None:
    """Return what was last said publicly of how a case was handled; None while nothing was."""
    return await db.fetchval(
        "select t.text from case_text t join case_event e on e.id = t.event where t.case_id = $1 and t.field = 'result'"
        " and t.public order by e.seq desc limit 1",
        case_id,
    )
