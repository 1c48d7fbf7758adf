"""Every query about sets of routing rules and what they are tried on; the caller opens the transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from tasks.cases.rules_backtest import Past


class Version(Struct, frozen=True, kw_only=True):
    """A published set; `restores` is the older version it brings back."""

    id: UUID
    version: int = 0
    document: dict[str, Any]
    author: UUID
    reviewer: UUID
    published_at: datetime
    note: str = ""
    restores: int | None = None


class Draft(Struct, frozen=True, kw_only=True):
    """A set in the making; `based_on` is the version in force when it was begun (0: those shipped)."""

    id: UUID
    note: str
    document: dict[str, Any]
    author: UUID
    based_on: int
    restores: int | None
    version: int
    created_at: datetime
    changed_at: datetime


_VERSION = ", ".join(Version.__struct_fields__)
_DRAFT = ", ".join(Draft.__struct_fields__)


async def document() -> dict[str, Any]:
    """Return the newest published routing rules as a document; `{}` if there are none."""
    found = await db.fetchval("select document from routing_rules order by version desc limit 1")
    return found or {}


async def newest() -> int:
    """Return the number of the version in force; 0 while none was published."""
    return await db.fetchval("select coalesce(max(version), 0) from routing_rules")


async def version(number: int) -> Version | None:
    """Return one published version."""
    row = await db.fetchrow(f"select {_VERSION} from routing_rules where version = $1", number)
    return None if row is None else msgspec.convert(dict(row), Version)


async def versions(before: int | None, limit: int) -> list[Version]:
    """Return published versions, newest first."""
    rows = await db.fetch(
        f"select {_VERSION} from routing_rules where $1::integer is null or version < $1"
        " order by version desc limit $2",
        before,
        limit,
    )
    return [msgspec.convert(dict(row), Version) for row in rows]


async def hold() -> int:
    """Let nobody else publish until the transaction ends; return the version in force."""
    await db.execute("insert into case_marks (id) values (1) on conflict (id) do nothing")
    await db.execute("select 1 from case_marks where id = 1 for update")
    return await newest()


async def publish(new: Version, mark: UUID) -> int:
    """Write the next version of the routing rules and change the mark; return its number."""
    number = await hold() + 1
    await db.execute(
        f"insert into routing_rules ({_VERSION}) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        *msgspec.structs.astuple(msgspec.structs.replace(new, version=number)),
    )
    await db.execute("update case_marks set rules = $1 where id = 1", mark)
    return number


async def add_draft(new: Draft) -> None:
    """Write a new draft."""
    await db.execute(
        f"insert into routing_draft ({_DRAFT}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *msgspec.structs.astuple(new),
    )


async def draft(id_: UUID, *, lock: bool = False) -> Draft | None:
    """Return a draft, locked if asked for."""
    row = await db.fetchrow(f"select {_DRAFT} from routing_draft where id = $1{' for update' if lock else ''}", id_)
    return None if row is None else msgspec.convert(dict(row), Draft)


async def drafts() -> list[Draft]:
    """Return all drafts, newest first."""
    rows = await db.fetch(f"select {_DRAFT} from routing_draft order by id desc")
    return [msgspec.convert(dict(row), Draft) for row in rows]


async def change_draft(changed: Draft) -> None:
    """Write what may change of a draft: all but author and birth."""
    await db.execute(
        "update routing_draft set note = $2, document = $3, version = $4, changed_at = $5, based_on = $6,"
        " restores = $7 where id = $1",
        changed.id,
        changed.note,
        changed.document,
        changed.version,
        changed.changed_at,
        changed.based_on,
        changed.restores,
    )


async def remove_draft(id_: UUID) -> None:
    """Remove a draft."""
    await db.execute("delete from routing_draft where id = $1", id_)


async def past(last: int) -> list[Past]:
    """Return the last cases as they came in, newest first: what the first step of the trace says of them.

    The words are those of today: a title that was corrected since counts as corrected. `then` is what routing decided;
    for cases of older versions, which did not keep it, the lead that the system assigned first.
    """
    rows = await db.fetch(
        "select c.id, c.number, c.received_at, e.body ->> 'item' as item,"
        " (e.body ->> 'item_version')::integer as item_version, e.body ->> 'severity' as severity,"
        " e.body ->> 'source' as source, e.body ->> 'cell' as cell, c.routing ->> 'place' as place,"
        " c.title || chr(10) || c.description as words, c.attributes, c.sender, c.complained_about,"
        " coalesce((c.routing ->> 'unsorted')::boolean, false) as unsorted, c.routing ->> 'rule' as rule,"
        " case when c.routing ? 'lead' then (c.routing ->> 'lead')::uuid"
        " when l.assigner is null then l.organisation end as lead, l.organisation as first_lead"
        " from (select id, number, received_at, title, description, attributes, sender, complained_about, routing"
        " from cases order by received_at desc, id desc limit $1) c"
        " join case_event e on e.case_id = c.id and e.seq = 1"
        " left join lateral (select organisation, assigner from case_leg where case_id = c.id and kind = 'root'"
        " order by ordinal limit 1) l on true",
        last,
    )
    return [msgspec.convert(dict(row), Past) for row in rows]
