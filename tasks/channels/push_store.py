"""Every query on pushed records and events; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity import cipher
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
        "select external_id, case_id, number, digests, sealed from push_record where source = $1"
        " and external_id = any($2::text[])",
        source,
        list(external_ids),
    )
    return {
        row["external_id"]: Kept(
            external_id=row["external_id"],
            case_id=row["case_id"],
            number=row["number"],
            digests=_opened(row["digests"], row["sealed"]),
        )
        for row in rows
    }


def _opened(plain: dict[str, str], sealed: str | None) -> dict[str, str]:
    # plain ones are newer: the previous version wrote them, which knows of no sealed ones
    return plain if plain or sealed is None else msgspec.json.decode(cipher.open_(sealed), type=dict[str, str])


def _sealed(digests: dict[str, str]) -> str:
    """Seal digests: a phone number has so few values that a bare digest gives it away."""
    return cipher.seal(msgspec.json.encode(digests).decode())


async def unsealed() -> int:
    """Return how many records have digests that are not sealed."""
    return await db.fetchval("select count(*) from push_record where digests <> '{}'")


async def seal_old(limit: int) -> int:
    """Seal the digests of up to `limit` records that have bare ones; return how many."""
    rows = await db.fetch(
        "select id, digests from push_record where digests <> '{}' order by id limit $1 for update", limit
    )
    return await db.execute(
        "update push_record r set digests = '{}', sealed = v.sealed"
        " from unnest($1::uuid[], $2::text[]) as v(id, sealed) where r.id = v.id",
        [row[0] for row in rows],
        [_sealed(row[1]) for row in rows],
    )


async def keep(source: str, records: Sequence[Kept], ids: Sequence[UUID], now: datetime) -> None:
    """Write what came, or what it is by now."""
    if not records:
        return
    await db.execute(
        "insert into push_record (id, source, external_id, case_id, number, digests, sealed, at, changed_at)"
        " select id, $1, external_id, case_id, number, '{}', sealed, $2, $2 from"
        " unnest($3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[])"
        " as r(id, external_id, case_id, number, sealed)"
        " on conflict (source, external_id) do update set digests = excluded.digests, sealed = excluded.sealed,"
        " changed_at = excluded.changed_at",
        source,
        now,
        list(ids),
        [each.external_id for each in records],
        [each.case_id for each in records],
        [each.number for each in records],
        [_sealed(each.digests) for each in records],
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
