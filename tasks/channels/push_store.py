"""Every query on pushed records and events; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel import db


class Kept(Struct, frozen=True, kw_only=True):
    """A record that came before: its case, and digests of its fields."""

    external_id: str
    case_id: UUID
    number: str
    digests: dict[str, str]


async def hold(source: str, external_ids: Sequence[str]) -> None:
    """Let nobody else take records of these ids until the transaction ends; in one order, so that there is no ring."""
    keys = {int.from_bytes(sha256(f"push {source} {each}".encode()).digest()[:8], signed=True) for each in external_ids}
    await db.execute("select pg_advisory_xact_lock(k) from unnest($1::bigint[]) as k", sorted(keys))


async def kept(source: str, external_ids: Sequence[str]) -> dict[str, Kept]:
    """Return the records that came before, by their ids."""
    rows = await db.fetch(
        "select external_id, case_id, number, digests from push_record where source = $1"
        " and external_id = any($2::text[])",
        source,
        list(external_ids),
    )
    return {row["external_id"]: Kept(**dict(row)) for row in rows}


async def keep(source: str, records: Sequence[Kept], ids: Sequence[UUID], now: datetime) -> None:
    """Write what came, or what it is by now."""
    if not records:
        return
    await db.execute(
        "insert into push_record (id, source, external_id, case_id, number, digests, at, changed_at)"
        " select id, $1, external_id, case_id, number, digests, $2, $2 from"
        " unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::jsonb[])"
        " as r(id, external_id, case_id, number, digests)"
        " on conflict (source, external_id) do update set digests = excluded.digests, changed_at = excluded.changed_at",
        source,
        now,
        list(ids),
        [each.external_id for each in records],
        [each.case_id for each in records],
        [each.number for each in records],
        [each.digests for each in records],
    )


async def event(channel: str, source: str, event_id: str) -> tuple[str, dict[str, Any]] | None:
    """Return digest and answer of an event that came before; held until the transaction ends, taken or not."""
    key = sha256(f"event {channel} {source} {event_id}".encode()).digest()[:8]
    await db.execute("select pg_advisory_xact_lock($1)", int.from_bytes(key, signed=True))
    row = await db.fetchrow(
        "select digest, answer from push_event where channel = $1 and source = $2 and event_id = $3",
        channel,
        source,
        event_id,
    )
    return None if row is None else (row["digest"], row["answer"])


async def keep_event(
    id_: UUID, channel: str, source: str, event_id: str, digest: str, answer: dict[str, Any], now: datetime
) -> None:
    """Write what an event was answered."""
    await db.execute(
        "insert into push_event (id, channel, source, event_id, digest, answer, at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        id_,
        channel,
        source,
        event_id,
        digest,
        answer,
        now,
    )
