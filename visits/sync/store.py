"""Every query of sync: pushed ops with their verdicts, and how each phone stands; the caller opens the transaction."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from visits.sync.verdict import Op
from visits.visit import Moment

SETTLED = ("applied", "merged")


class Known(Struct, frozen=True, kw_only=True):
    """What is stored of an op."""

    op_id: UUID
    digest: bytes
    state: str
    verdict: bytes


class Waiting(Struct, frozen=True, kw_only=True):
    """An op that waits, with all it takes to deal with it."""

    op_id: UUID
    person: UUID
    device: UUID
    app_schema: int
    sent_at: datetime
    received_at: datetime
    op: dict[str, Any]


class Unsettled(Struct, frozen=True, kw_only=True):
    """An op a person has to look at: held, in quarantine, in conflict or rejected."""

    op_id: UUID
    person: UUID
    device: UUID
    type: str
    entity_id: UUID
    state: str
    received_at: datetime
    captured_at: datetime
    problem: dict[str, Any] | None
    waits_for: list[UUID]


class DeviceStanding(Struct, frozen=True, kw_only=True):
    """What a phone last said: the proof of what is still on it."""

    device: UUID
    person: UUID
    app_schema: int
    pending_after: int
    held: int
    last_push_at: datetime | None
    last_pull_at: datetime | None


def _lock_key(op_id: UUID) -> int:
    folded = (op_id.int >> 64) ^ (op_id.int & 0xFFFF_FFFF_FFFF_FFFF)
    return folded - 2**64 if folded >= 2**63 else folded  # bigint is signed


async def claim(op_ids: Collection[UUID]) -> None:
    """Lock ops by id until the transaction ends, always in one order, so that two pushes never wait in a ring."""
    keys = sorted({_lock_key(op_id) for op_id in op_ids})
    await db.execute("select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as k(key)", keys)


async def known(op_ids: Collection[UUID]) -> dict[UUID, Known]:
    """Return what is stored of ops, by id."""
    rows = await db.fetch(
        "select op_id, digest, state, verdict from sync_op where op_id = any($1::uuid[])", list(op_ids)
    )
    return {row["op_id"]: Known(**dict(row)) for row in rows}


class Origin(Struct, frozen=True, kw_only=True):
    """Where and when a pushed op comes from; `received_at` is the server's time."""

    person: UUID
    device: UUID
    app_schema: int
    sent_at: datetime
    received_at: datetime


async def add(op: Op, digest: bytes, state: str, verdict: bytes, origin: Origin, when: Moment) -> None:
    """Store an op with its verdict; its content is kept unless it was applied."""
    await db.execute(
        "insert into sync_op (op_id, person, device, type, entity_id, digest, app_schema, captured_at, sent_at,"
        " received_at, corrected_at, skew_s, depends_on, state, verdict, op, settled_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        op.op_id,
        origin.person,
        origin.device,
        op.type,
        op.entity_id,
        digest,
        origin.app_schema,
        when.captured_at,
        origin.sent_at,
        origin.received_at,
        when.corrected_at,
        when.skew_s,
        list(op.depends_on),
        state,
        verdict,
        None if state in SETTLED else msgspec.to_builtins(op),
        origin.received_at if state in SETTLED else None,
    )


async def settle(op_id: UUID, state: str, verdict: bytes, now: datetime) -> None:
    """Replace the verdict of an op that waited."""
    await db.execute(
        "update sync_op set state = $2, verdict = $3, settled_at = $4,"
        " op = case when $2 in ('applied', 'merged') then null else op end where op_id = $1",
        op_id,
        state,
        verdict,
        now,
    )


async def ready(person: UUID, tried: Collection[UUID], limit: int = 100) -> list[Waiting]:
    """Lock and return the held ops of a person, but for those tried, that now have all they depend on, oldest first."""
    rows = await db.fetch(
        "select op_id, person, device, app_schema, sent_at, received_at, op from sync_op s where state = 'held'"
        " and person = $1 and not exists (select from unnest(s.depends_on) as d(id) where not exists (select"
        " from sync_op o where o.op_id = d.id and o.state in ('applied', 'merged')))"
        " and op_id <> all($2::uuid[]) order by received_at, op_id limit $3 for update skip locked",
        person,
        list(tried),
        limit,
    )
    return [Waiting(**dict(row)) for row in rows]


async def note_push(device: UUID, person: UUID, app_schema: int, pending_after: int, now: datetime) -> None:
    """Note that a phone pushed and what it still holds."""
    await db.execute(
        "insert into device_sync (device, person, app_schema, pending_after, last_push_at) values ($1, $2, $3, $4, $5)"
        " on conflict (device) do update set person = excluded.person, app_schema = excluded.app_schema,"
        " pending_after = excluded.pending_after, last_push_at = excluded.last_push_at",
        device,
        person,
        app_schema,
        pending_after,
        now,
    )


async def note_pull(device: UUID, person: UUID, app_schema: int, now: datetime) -> None:
    """Note that a phone pulled."""
    await db.execute(
        "insert into device_sync (device, person, app_schema, pending_after, last_pull_at) values ($1, $2, $3, 0, $4)"
        " on conflict (device) do update set person = excluded.person, app_schema = excluded.app_schema,"
        " last_pull_at = excluded.last_pull_at",
        device,
        person,
        app_schema,
        now,
    )


async def acknowledged(device: UUID, since: datetime) -> dict[str, str]:
    """Return what became of the ops of a phone since an instant: op_id → state."""
    rows = await db.fetch(
        "select op_id, state from sync_op where device = $1 and coalesce(settled_at, received_at) >= $2"
        " and received_at >= $3 order by received_at desc limit 500",
        device,
        since,
        since - timedelta(days=30),
    )
    return {str(row["op_id"]): row["state"] for row in rows}


async def unsettled(persons: Collection[UUID] | None, before: UUID | None, limit: int) -> list[Unsettled]:
    """Return ops people have to look at, newest first; None: of everybody."""
    rows = await db.fetch(
        "select op_id, person, device, type, entity_id, state, received_at, captured_at, verdict from sync_op"
        " where op is not null and ($1::uuid[] is null or person = any($1)) and ($2::uuid is null or op_id < $2)"
        " order by op_id desc limit $3",
        None if persons is None else list(persons),
        before,
        limit,
    )
    return [_unsettled(dict(row)) for row in rows]


def _unsettled(row: dict[str, Any]) -> Unsettled:
    verdict = msgspec.json.decode(row.pop("verdict"))
    return msgspec.convert(row | {"problem": verdict["problem"], "waits_for": verdict["waits_for"]}, Unsettled)


async def devices(persons: Collection[UUID] | None) -> list[DeviceStanding]:
    """Return how phones stand, longest silent first; None: of everybody."""
    rows = await db.fetch(
        "select d.device, d.person, d.app_schema, d.pending_after, d.last_push_at, d.last_pull_at,"
        " (select count(*) from sync_op o where o.device = d.device and o.state in ('held', 'quarantined')) as held"
        " from device_sync d where $1::uuid[] is null or d.person = any($1)"
        " order by d.last_push_at nulls first, d.device limit 2000",
        None if persons is None else list(persons),
    )
    return [DeviceStanding(**dict(row)) for row in rows]
