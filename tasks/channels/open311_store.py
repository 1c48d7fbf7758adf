"""Every query about what came through Open311; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.kernel import db


async def claim(key: UUID, digest: str, case_id: UUID, now: datetime, since: datetime) -> UUID | None:
    """Note a request of a key; None when it is new, else the case of the same content sent after `since`.

    A twin in flight holds the row: this waits for its commit (then its case is there) or roll-back.
    """
    claimed = await db.fetchval(
        "insert into open311_submission as s (key, digest, case_id, at) values ($1, $2, $3, $4) on conflict"
        " (key, digest) do update set case_id = excluded.case_id, at = excluded.at where s.at <= $5 returning case_id",
        key,
        digest,
        case_id,
        now,
        since,
    )
    if claimed is not None:
        return None
    return await db.fetchval("select case_id from open311_submission where key = $1 and digest = $2", key, digest)


async def sent_since(key: UUID, since: datetime) -> int:
    """Return how many requests a key has sent after a moment."""
    return await db.fetchval("select count(*) from open311_submission where key = $1 and at > $2", key, since)


async def ours(cases: Sequence[UUID]) -> set[UUID]:
    """Return which of these cases came through Open311."""
    rows = await db.fetch("select case_id from open311_submission where case_id = any($1::uuid[])", list(cases))
    return {row["case_id"] for row in rows}


async def sent_by(key: UUID, case_id: UUID) -> bool:
    """Tell whether a key sent a case."""
    return await db.fetchval(
        "select exists (select from open311_submission where key = $1 and case_id = $2)", key, case_id
    )
