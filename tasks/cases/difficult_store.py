"""Every query of the library of difficult items; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.kernel import db
from tasks.cases.difficult import Entry, Kept

_ENTRY = Entry.__struct_fields__
_OWN = tuple(field for field in Kept.__struct_fields__ if field != "entry")
_COLUMNS = ", ".join((*_OWN, *_ENTRY))


def _kept(row: Any) -> Kept:
    found = dict(row)
    return msgspec.convert(found | {"entry": {field: found.pop(field) for field in _ENTRY}}, Kept)


async def mark() -> UUID | None:
    """Return the mark of the library: another one when anything in it changed."""
    return await db.fetchval("select difficult from case_marks where id = 1")


async def set_mark(new: UUID) -> None:
    """Change the mark of the library."""
    await db.execute(
        "insert into case_marks (id, difficult) values (1, $1)"
        " on conflict (id) do update set difficult = excluded.difficult",
        new,
    )


async def versions() -> dict[UUID, int]:
    """Return id → version of every entry in use."""
    rows = await db.fetch("select id, version from difficult_item where retired_at is null")
    return {row[0]: row[1] for row in rows}


async def entries(ids: Sequence[UUID]) -> dict[UUID, Kept]:
    """Return entries by id; unknown ids are left out."""
    rows = await db.fetch(f"select {_COLUMNS} from difficult_item where id = any($1::uuid[])", list(ids))
    return {row["id"]: _kept(row) for row in rows}


async def page(domain: str | None, limit: int, after: UUID | None) -> list[Kept]:
    """Return entries in use by id, past `after`."""
    rows = await db.fetch(
        f"select {_COLUMNS} from difficult_item where retired_at is null and ($1::text is null or domain = $1)"
        " and ($2::uuid is null or id > $2) order by id limit $3",
        domain,
        after,
        limit,
    )
    return [_kept(row) for row in rows]


async def lock(id_: UUID) -> Kept | None:
    """Lock an entry and return it; None if there is none."""
    row = await db.fetchrow(f"select {_COLUMNS} from difficult_item where id = $1 for update", id_)
    return None if row is None else _kept(row)


def _record(one: Kept) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.to_builtins(one)
    return record | record.pop("entry")


async def add(new: Sequence[Kept]) -> int:
    """Write new entries and return how many were new: one whose code is there already is left as it is."""
    rows = await db.fetch(
        f"insert into difficult_item ({_COLUMNS}) select {_COLUMNS} from"
        " jsonb_populate_recordset(null::difficult_item, $1::jsonb) on conflict (code) do nothing returning id",
        [_record(one) for one in new],
    )
    return len(rows)


async def save(one: Kept) -> None:
    """Write a changed entry over the one it was."""
    columns = [*_ENTRY, "version", "updated_at", "retired_at"]
    settings = ", ".join(f"{name} = x.{name}" for name in columns)
    await db.execute(
        f"update difficult_item d set {settings} from jsonb_populate_record(null::difficult_item, $1::jsonb) x"
        " where d.id = x.id",
        _record(one),
    )


async def use(id_: UUID, entry: UUID, case_id: UUID, actor: UUID, now: datetime) -> bool:
    """Note that an entry was followed in a case; False if that was noted before."""
    noted = await db.fetchval(
        "insert into difficult_use (id, entry, case_id, actor, at) values ($1, $2, $3, $4, $5)"
        " on conflict (entry, case_id) do nothing returning id",
        id_,
        entry,
        case_id,
        actor,
        now,
    )
    if noted is not None:
        await db.execute("update difficult_item set used = used + 1 where id = $1", entry)
    return noted is not None


async def precedents() -> list[tuple[str, str]]:
    """Return (item, words) of every entry in use that belongs to an item."""
    rows = await db.fetch(
        "select item, title || ' ' || description || ' ' || keywords::text from difficult_item"
        " where item is not null and retired_at is null"
    )
    return [(row[0], row[1]) for row in rows]
