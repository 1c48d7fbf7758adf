"""Every query on imports of files; the caller opens the transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from tasks.channels.bulk import Fault, Import, Numbered
from tasks.channels.mapping import Mapping as FieldMapping

_VIEW = (
    "id, source, file, dry_run, state, total, stored + updated + unchanged + refused as done, stored, updated,"
    " unchanged, refused, created_at, finished_at"
)


class Job(Struct, frozen=True, kw_only=True):
    """What working on an import needs of it."""

    id: UUID
    source: str
    digest: str
    mapping: FieldMapping
    actor: Actor
    area: str
    dry_run: bool
    state: str


async def add(view: Import, digest: str, mapping: FieldMapping, actor: Actor, area: str) -> None:
    """Write a new import."""
    who: dict[str, Any] = msgspec.to_builtins(actor)
    await db.execute(
        "insert into case_import (id, source, file, digest, mapping, actor, author, area, dry_run, state, total,"
        " stored, updated, unchanged, refused, created_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, 0, 0, 0, 0, $11)",
        view.id,
        view.source,
        view.file,
        digest,
        msgspec.to_builtins(mapping),
        who,
        actor.id,
        area,
        view.dry_run,
        view.total,
        view.created_at,
    )


async def add_rows(import_id: UUID, rows: Sequence[Numbered]) -> None:
    """Write the rows of a file, sealed: they hold names and phones."""
    records = [(new_id(), import_id, each.row, cipher.seal(msgspec.json.encode(each.record).decode())) for each in rows]
    await db.copy("case_import_row", ("id", "import_id", "row", "sealed"), records)


async def lock(import_id: UUID) -> Job | None:
    """Lock an import that is not done: one works on it at a time; None when it is done, or there is none."""
    row = await db.fetchrow(
        "select id, source, digest, mapping, actor, area, dry_run, state from case_import"
        " where id = $1 and state <> 'done' for update",
        import_id,
    )
    return None if row is None else msgspec.convert(dict(row), Job)


async def next_rows(import_id: UUID, limit: int) -> list[Numbered]:
    """Take the next rows of an import, in order; CannotOpen when their key is missing."""
    rows = await db.fetch(
        "delete from case_import_row where id in (select id from case_import_row where import_id = $1"
        " order by row limit $2) returning row, sealed",
        import_id,
        limit,
    )
    found = [Numbered(row["row"], msgspec.json.decode(cipher.open_(row["sealed"]))) for row in rows]
    return sorted(found, key=lambda each: each.row)


async def note(import_id: UUID, counts: Mapping[str, int], faults: Sequence[Fault]) -> None:
    """Write what became of some rows."""
    await db.execute(
        "update case_import set state = 'running', stored = stored + $2, updated = updated + $3,"
        " unchanged = unchanged + $4, refused = refused + $5 where id = $1",
        import_id,
        counts["stored"],
        counts["updated"],
        counts["unchanged"],
        counts["refused"],
    )
    if faults:
        records = [(new_id(), import_id, each.row, each.column[:200], *each.why) for each in faults]
        await db.copy("case_import_fault", ("id", "import_id", "row", "field", "zh", "en"), records)


async def finish(import_id: UUID, now: datetime) -> None:
    """Say that every row is dealt with."""
    await db.execute("update case_import set state = 'done', finished_at = $2 where id = $1", import_id, now)


async def one(import_id: UUID) -> tuple[Import, UUID, str] | None:
    """Return an import, who brought it, and the area it is for."""
    row = await db.fetchrow(f"select {_VIEW}, author, area from case_import where id = $1", import_id)
    return None if row is None else (msgspec.convert(dict(row), Import), row["author"], row["area"])


async def all_of_them(areas: Collection[str] | None, author: UUID, before: UUID | None, limit: int) -> list[Import]:
    """Return imports of areas (None: all) and one's own, newest first."""
    rows = await db.fetch(
        f"select {_VIEW} from case_import where ($1::text[] is null or author = $2 or exists"
        " (select from unnest($1::text[]) as a(code) where starts_with(area, a.code)))"
        " and ($3::uuid is null or id < $3) order by id desc limit $4",
        None if areas is None else list(areas),
        author,
        before,
        limit,
    )
    return [msgspec.convert(dict(row), Import) for row in rows]


async def faults(import_id: UUID, after: int, limit: int) -> list[Fault]:
    """Return the bad rows of an import past a row, in order; rows are never cut in two."""
    rows = await db.fetch(
        "select row, field, zh, en from case_import_fault where import_id = $1 and row in (select distinct row from"
        " case_import_fault where import_id = $1 and row > $2 order by row limit $3) order by row, id",
        import_id,
        after,
        limit,
    )
    return [Fault(row=row["row"], column=row["field"], why=(row["zh"], row["en"])) for row in rows]
