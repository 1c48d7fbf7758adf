"""Queries that read or delete personal data whose time is over; the caller opens the transaction."""

from datetime import datetime
from uuid import UUID

from app.kernel import db


async def citizen(citizen: UUID) -> tuple[str | None, datetime] | None:
    """Return a citizen's sealed contact and when they first came; None for nobody or somebody erased."""
    row = await db.fetchrow("select contact, created_at from citizen where id = $1 and erased_at is null", citizen)
    return None if row is None else (row[0], row[1])


async def erase_citizen(citizen: UUID, now: datetime) -> bool:
    """Take contact and openid from a citizen; False when there is none."""
    erased = await db.execute(
        "update citizen set openid_hash = $2, contact = null, erased_at = $3 where id = $1 and erased_at is null",
        citizen,
        f"erased:{citizen}",
        now,
    )
    return erased == 1


async def forget_accesses(before: datetime, limit: int) -> int:
    """Delete the oldest lines of the access log."""
    return await db.execute(
        "delete from access_log where id in (select id from access_log where at < $1 order by at limit $2)",
        before,
        limit,
    )


async def forget_sessions(before: datetime, limit: int) -> int:
    """Delete sessions last used before an instant, and their tokens."""
    old = "select id from session where refreshed_at < $1 order by id limit $2 for update"
    ids = [row[0] for row in await db.fetch(old, before, limit)]
    await db.execute("delete from refresh_token where session = any($1::uuid[])", ids)
    return await db.execute("delete from session where id = any($1::uuid[])", ids)
