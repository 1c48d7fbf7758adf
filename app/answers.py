"""Answers kept for retried requests, in the transaction of their effect: one row per actor and `Idempotency-Key`.

Their bodies are sealed: they may hold a fresh key, or what a person was shown in clear text.
"""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.identity import cipher
from app.kernel import db

KEPT = timedelta(days=1)
"""How long an answer can be asked for again."""


class Answer(Struct, frozen=True):
    """The answer to a request, and by which request (its fingerprint) the key was used."""

    fingerprint: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes


async def claim(actor: UUID, key: str, fingerprint: str, now: datetime) -> bool:
    """Take a key for a request, in the caller's transaction; False when it was used before.

    A twin in flight holds the row's lock: this waits for its commit (then its answer is there) or roll-back.
    """
    claimed = await db.execute(
        "insert into idempotency_key (actor, key, fingerprint, at) values ($1, $2, $3, $4) on conflict do nothing",
        actor,
        key,
        fingerprint,
        now,
    )
    return claimed == 1


async def keep(actor: UUID, key: str, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Note the answer under a claimed key."""
    await db.execute(
        "update idempotency_key set status = $3, headers = $4, body = $5 where actor = $1 and key = $2",
        actor,
        key,
        status,
        headers,
        cipher.seal(body.decode("latin-1")).encode(),
    )


async def kept(actor: UUID, key: str) -> Answer | None:
    """Return the answer under a key, or None when there is none."""
    row = await db.fetchrow(
        "select fingerprint, status, headers, body from idempotency_key"
        " where actor = $1 and key = $2 and status is not null",
        actor,
        key,
    )
    if row is None:
        return None
    headers = [(name, value) for name, value in row["headers"]]
    body = cipher.open_(row["body"].decode()).encode("latin-1")
    return Answer(row["fingerprint"], row["status"], headers, body)


async def tidy(district: str, now: datetime) -> None:
    """Delete answers kept for longer than any client retries."""
    async with db.transaction(district):
        await db.execute("delete from idempotency_key where at < $1", now - KEPT)


_STALE = "body is not null and substring(body from 1 for length($1::bytea)) <> $1::bytea"


async def stale(district: str) -> int:
    """Return how many kept answers an older key or algorithm sealed."""
    async with db.transaction(district):
        sql = f"select count(*) from idempotency_key where {_STALE}"
        return await db.fetchval(sql, cipher.prefix().encode())


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many; CannotOpen when a key is missing."""
    async with db.transaction(district):
        rows = await db.fetch(
            f"select actor, key, body from idempotency_key where {_STALE} order by actor, key limit $2 for update",
            cipher.prefix().encode(),
            limit,
        )
        return await db.execute(
            "update idempotency_key as i set body = v.body from unnest($1::uuid[], $2::text[], $3::bytea[])"
            " as v(actor, key, body) where i.actor = v.actor and i.key = v.key",
            [row["actor"] for row in rows],
            [row["key"] for row in rows],
            [cipher.seal(cipher.open_(row["body"].decode())).encode() for row in rows],
        )
