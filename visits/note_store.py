"""Queries about notes between shifts; the caller opens the transaction."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db


class Note(Struct, frozen=True, kw_only=True):
    """What a shift of a squad leaves to the next (交接班说明)."""

    id: UUID
    squad: UUID
    author: UUID
    text: str
    written_at: datetime
    expires_at: datetime


_NOTE = ", ".join(Note.__struct_fields__)


async def add(note: Note) -> bool:
    """Write a note; False when its id is taken."""
    sql = f"insert into shift_note ({_NOTE}) values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing"
    return await db.execute(sql, *msgspec.structs.astuple(note)) == 1


async def find(note_id: UUID) -> Note | None:
    """Return a note or None."""
    row = await db.fetchrow(f"select {_NOTE} from shift_note where id = $1", note_id)
    return None if row is None else msgspec.convert(dict(row), Note)


async def of_squad(squad: UUID, now: datetime) -> list[Note]:
    """Return the notes of a squad that still count, newest first."""
    rows = await db.fetch(
        f"select {_NOTE} from shift_note where squad = $1 and expires_at > $2 order by id desc limit 500", squad, now
    )
    return [msgspec.convert(dict(row), Note) for row in rows]


async def drop_expired(now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Delete notes whose time is over and return them with their squads."""
    rows = await db.fetch(
        "delete from shift_note where id in (select id from shift_note where expires_at <= $1 order by expires_at, id"
        " limit $2 for update skip locked) returning id, squad",
        now,
        limit,
    )
    return [(row["id"], row["squad"]) for row in rows]
