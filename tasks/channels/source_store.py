"""Every query on sources and their mappings; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.kernel import db
from tasks.channels.mapping import Mapping
from tasks.channels.sources import Source

_COLUMNS = "code, name, organisation, sandbox, version, mapping, changed_at, changed_by"


def _source(row: Any) -> Source:
    return msgspec.convert(dict(row), Source)


async def all_of_them() -> list[Source]:
    """Return the district's own sources."""
    return [_source(row) for row in await db.fetch(f"select {_COLUMNS} from source order by code")]


async def one(code: str) -> Source | None:
    """Return the district's own source of a code."""
    row = await db.fetchrow(f"select {_COLUMNS} from source where code = $1", code)
    return None if row is None else _source(row)


async def hold(code: str) -> None:
    """Let nobody else save this source until the transaction ends."""
    await db.execute("select pg_advisory_xact_lock(hashtextextended('source ' || $1, 0))", code)


async def save(id_: UUID, source: Source) -> None:
    """Write a source as it is from now on."""
    await db.execute(
        "insert into source (id, code, name, organisation, sandbox, version, mapping, changed_at, changed_by)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (code) do update set name = excluded.name,"
        " organisation = excluded.organisation, sandbox = excluded.sandbox, version = excluded.version,"
        " mapping = excluded.mapping, changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        id_,
        source.code,
        source.name,
        source.organisation,
        source.sandbox,
        source.version,
        msgspec.to_builtins(source.mapping),
        source.changed_at,
        source.changed_by,
    )


async def add_version(id_: UUID, source: Source) -> None:
    """Keep a mapping among the versions of its source."""
    await db.execute(
        "insert into source_version (id, source, version, name, mapping, author, at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        id_,
        source.code,
        source.version,
        source.name,
        msgspec.to_builtins(source.mapping),
        source.changed_by,
        source.changed_at,
    )


async def versions(code: str) -> Sequence[tuple[int, str, Mapping, UUID, datetime]]:
    """Return the saved mappings of a source, newest first."""
    rows = await db.fetch(
        "select version, name, mapping, author, at from source_version where source = $1 order by version desc", code
    )
    return [(row[0], row[1], msgspec.convert(row[2], Mapping), row[3], row[4]) for row in rows]
