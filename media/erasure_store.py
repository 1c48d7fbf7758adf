"""Queries that take evidence and its files away; the caller opens the transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from app.kernel import db
from app.kernel.ids import new_id


async def contents_of(person: UUID) -> set[str]:
    """Return the digests of all a person brought or announced."""
    rows = await db.fetch(
        "select sha256 from evidence where uploader = $1"
        " union select sha256 from upload where actor = $1 and outcome = 'completed'",
        person,
    )
    return {row[0] for row in rows}


async def erase_evidence_of(person: UUID) -> list[UUID]:
    """Delete a person's evidence that is under no hold and return its ids."""
    return [
        row[0]
        for row in await db.fetch("delete from evidence where uploader = $1 and not legal_hold returning id", person)
    ]


async def held_of(person: UUID) -> int:
    """Return how much of a person's evidence is under a hold."""
    return await db.fetchval("select count(*) from evidence where uploader = $1 and legal_hold", person)


async def erase_uploads_of(person: UUID) -> list[UUID]:
    """Delete what is known of a person's uploads, except of contents under a hold; return their ids."""
    rows = await db.fetch(
        "delete from upload u where u.actor = $1 and not exists (select from evidence e"
        " where e.uploader = u.actor and e.sha256 = u.sha256 and e.legal_hold) returning u.id",
        person,
    )
    return [row[0] for row in rows]


async def due(before: datetime, limit: int) -> list[tuple[UUID, str]]:
    """Return ids and digests of evidence that was to be kept until before an instant and is under no hold."""
    rows = await db.fetch(
        "select id, sha256 from evidence where retain_until < $1 and not legal_hold order by retain_until, id limit $2",
        before,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


async def erase_due(ids: Sequence[UUID], before: datetime) -> int:
    """Delete of these pieces those that are due still; their uploaders' uploads of the same bytes count no more."""
    await db.execute(
        "delete from upload u using evidence e where e.id = any($1::uuid[]) and e.retain_until < $2"
        " and not e.legal_hold and u.actor = e.uploader and u.sha256 = e.sha256 and u.outcome = 'completed'"
        " and not exists (select from evidence o where o.uploader = e.uploader and o.sha256 = e.sha256"
        " and o.id <> all($1::uuid[]))",
        ids,
        before,
    )
    return await db.execute(
        "delete from evidence where id = any($1::uuid[]) and retain_until < $2 and not legal_hold", ids, before
    )


async def queue(kind: str, names: Collection[str], now: datetime) -> None:
    """Ask for an erasure; asked again it stays as it is."""
    await db.execute(
        "insert into media_erasure (id, kind, name, asked_at) select id, $1, name, $2"
        " from unnest($3::uuid[], $4::text[]) as q(id, name) on conflict (kind, name) do nothing",
        kind,
        now,
        [new_id() for _ in names],
        sorted(names),
    )


async def queued(kind: str, limit: int) -> list[tuple[str, datetime]]:
    """Return what was asked to be erased, the oldest first, and when."""
    rows = await db.fetch(
        "select name, asked_at from media_erasure where kind = $1 order by asked_at, id limit $2", kind, limit
    )
    return [(row[0], row[1]) for row in rows]


async def settle(kind: str, name: str) -> None:
    """An erasure is done, or not to be done any more."""
    await db.execute("delete from media_erasure where kind = $1 and name = $2", kind, name)


async def referred(sha256: str) -> bool:
    """Tell whether evidence, an upload or another file's derivative still is of this content.

    Evidence that waits for its bytes does not: whoever announced them brings them.
    """
    return await db.fetchval(
        "select exists (select from evidence where sha256 = $1 and state <> 'awaiting')"
        " or exists (select from upload where sha256 = $1 and outcome = 'completed')"
        " or exists (select from derivative where sha256 = $1 and file_sha256 <> $1)",
        sha256,
    )


async def erase_file(sha256: str) -> list[str]:
    """Delete a file's row and its derivatives' and return the digests of those that nothing else has."""
    rows = await db.fetch("delete from derivative where file_sha256 = $1 returning sha256", sha256)
    await db.execute("delete from media_file where sha256 = $1", sha256)
    made = {row[0] for row in rows}
    shared = await db.fetch(
        "select sha256 from derivative where sha256 = any($1::text[])"
        " union select sha256 from media_file where sha256 = any($1::text[])",
        sorted(made),
    )
    return sorted(made - {row[0] for row in shared})
