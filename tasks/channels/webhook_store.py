"""Every query of webhooks and their deliveries; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from tasks.channels.stream_events import Entry
from tasks.channels.webhooks import Backlog, Claimed, Delivery, Settled, State, Webhook

_COLUMNS = ", ".join(Webhook.__struct_fields__)
_ENTRY = "s.event_id, s.case_id, s.step, s.at, s.type, s.source, s.body"
_FREE = "d.state = 'waiting' and d.next_try_at <= $1 and (d.leased_until is null or d.leased_until <= $1)"
_HEARS = "w.state = 'active' and (w.hold_until is null or w.hold_until <= $1)"
_DUE = (
    f"select w.id from webhook w where {_HEARS} and exists (select from webhook_delivery d where d.webhook = w.id"
    f" and {_FREE}) order by w.id"
)
_CLAIM = (
    "update webhook_delivery set attempts = attempts + 1, lease = $3, leased_until = $4 where id in ("
    f"select d.id from webhook_delivery d join webhook w on w.id = d.webhook where d.webhook = $2 and {_HEARS}"
    f" and {_FREE} and not exists (select from webhook_delivery e where e.webhook = d.webhook"
    " and e.case_id = d.case_id and e.state = 'waiting' and (e.step, e.event_id) < (d.step, d.event_id))"
    " order by d.next_try_at, d.step limit $5 for update of d skip locked)"
    " returning id, lease, attempts, queued_at, event_id"
)
_SETTLE = (
    "update webhook_delivery d set state = x.state, next_try_at = x.next_try_at, done_at = x.done_at,"
    " last_status = x.last_status, last_error = x.last_error, duration_ms = x.duration_ms, lease = null,"
    " leased_until = null from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],"
    " $6::integer[], $7::text[], $8::integer[]) as x(id, lease, state, next_try_at, done_at, last_status, last_error,"
    " duration_ms) where d.id = x.id and d.lease = x.lease"
)
# What waits behind a failed one need not be looked at before that one's turn.
_FOLLOW = (
    "update webhook_delivery d set next_try_at = greatest(d.next_try_at, h.next_try_at) from webhook_delivery h"
    " where h.id = any($1::uuid[]) and h.state = 'waiting' and d.webhook = h.webhook and d.case_id = h.case_id"
    " and d.state = 'waiting' and (d.step, d.event_id) > (h.step, h.event_id)"
)
_REVIVE = (
    "update webhook_delivery d set state = 'waiting', attempts = 0, queued_at = $2, next_try_at = $2, done_at = null"
)


class Interest(Struct, frozen=True):
    """A webhook that is to get events of a source; `events` are the types it asked for."""

    id: UUID
    source: str
    events: tuple[str, ...]


async def add(webhook: Webhook, sealed: str) -> None:
    """Write a new webhook with its sealed secret."""
    names = Webhook.__struct_fields__
    values = ", ".join(f"${n + 2}" for n in range(len(names)))
    await db.execute(
        f"insert into webhook (secret, {_COLUMNS}) values ($1, {values})",
        sealed,
        *(list(webhook.events) if name == "events" else getattr(webhook, name) for name in names),
    )


async def get(webhook: UUID, lock: bool = False) -> Webhook | None:
    """Return a webhook, locked if asked; None when there is none."""
    row = await db.fetchrow(f"select {_COLUMNS} from webhook where id = $1{' for update' * lock}", webhook)
    return None if row is None else msgspec.convert(dict(row), Webhook)


async def page(source: str | None, after: UUID | None, limit: int) -> list[Webhook]:
    """Return up to `limit` webhooks by id past one, retired ones too."""
    rows = await db.fetch(
        f"select {_COLUMNS} from webhook where ($1::text is null or source = $1) and id > $2 order by id limit $3",
        source,
        after or UUID(int=0),
        limit,
    )
    return [msgspec.convert(dict(row), Webhook) for row in rows]


async def secret(webhook: UUID) -> str:
    """Return the sealed secret."""
    return await db.fetchval("select secret from webhook where id = $1", webhook)


async def set_secret(webhook: UUID, sealed: str) -> None:
    """Replace the sealed secret."""
    await db.execute("update webhook set secret = $2 where id = $1", webhook, sealed)


async def save(webhook: Webhook) -> None:
    """Write what may change of a webhook."""
    await db.execute(
        "update webhook set url = $2, events = $3, state = $4, retired = $5, hold_until = $6, version = $7,"
        " changed_at = $8, changed_by = $9 where id = $1",
        webhook.id,
        webhook.url,
        list(webhook.events),
        webhook.state,
        webhook.retired,
        webhook.hold_until,
        webhook.version,
        webhook.changed_at,
        webhook.changed_by,
    )


async def backlogs(webhooks: Sequence[UUID]) -> dict[UUID, Backlog]:
    """Return what lies with each of these webhooks."""
    rows = await db.fetch(
        "select webhook, count(*) filter (where state = 'waiting') as waiting,"
        " count(*) filter (where state = 'dead') as dead, min(queued_at) filter (where state = 'waiting') as oldest"
        " from webhook_delivery where webhook = any($1::uuid[]) and state in ('waiting', 'dead') group by webhook",
        list(webhooks),
    )
    found = {row["webhook"]: Backlog(waiting=row[1], dead=row[2], oldest_waiting=row[3]) for row in rows}
    return {each: found.get(each, Backlog()) for each in webhooks}


async def total() -> Backlog:
    """Return what lies with all webhooks together."""
    row = await db.fetchrow(
        "select (select count(*) from webhook_delivery where state = 'waiting'),"
        " (select count(*) from webhook_delivery where state = 'dead'),"
        " (select min(queued_at) from webhook_delivery where state = 'waiting')"
    )
    return Backlog() if row is None else Backlog(waiting=row[0], dead=row[1], oldest_waiting=row[2])


async def interested(source: str) -> list[Interest]:
    """Return the webhooks that are to get events of a source; none of them can be ended until this transaction is."""
    rows = await db.fetch(
        "select id, source, events from webhook where source = $1 and state in ('active', 'paused') order by id"
        " for share",
        source,
    )
    return [Interest(row["id"], row["source"], tuple(row["events"])) for row in rows]


async def enqueue(rows: Sequence[tuple[UUID, UUID, Entry]], now: datetime) -> None:
    """Write deliveries (id, webhook, event), in the order given; those there already stay as they are."""
    if rows:
        await db.execute(
            "insert into webhook_delivery (id, webhook, event_id, case_id, step, state, attempts, queued_at,"
            " next_try_at) select id, webhook, event_id, case_id, step, 'waiting', 0, $6, $6 from unnest($1::uuid[],"
            " $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[]) as d(id, webhook, event_id, case_id, step)"
            " on conflict (webhook, event_id) do nothing",
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2].event_id for row in rows],
            [row[2].case_id for row in rows],
            [row[2].step for row in rows],
            now,
        )


async def due(now: datetime) -> list[UUID]:
    """Return the webhooks that have something to be sent."""
    return [row["id"] for row in await db.fetch(_DUE, now)]


async def claim(webhook: UUID, lease: UUID, now: datetime, until: datetime, limit: int) -> list[Claimed]:
    """Take up to `limit` deliveries of a webhook, of each case the earliest that waits; nobody else has them till then.

    Counts the try. The secret is still sealed.
    """
    rows = {row["event_id"]: row for row in await db.fetch(_CLAIM, now, webhook, lease, until, limit)}
    if not rows:
        return []
    found = await db.fetch(
        f"select w.url, w.secret, {_ENTRY} from case_stream s cross join webhook w"
        " where w.id = $1 and s.event_id = any($2::uuid[]) order by s.step, s.event_id",
        webhook,
        list(rows),
    )
    return [
        Claimed(
            **{name: rows[each["event_id"]][name] for name in ("id", "lease", "attempts", "queued_at")},
            url=each["url"],
            secret=each["secret"],
            entry=Entry(**{name: each[name] for name in Entry.__struct_fields__}),
        )
        for each in found
    ]


async def settle(webhook: UUID, settled: Sequence[Settled], now: datetime) -> None:
    """Write what became of claimed deliveries; of those whose lease another sender has by now, nothing."""
    if not settled:
        return
    holds = [each.hold_until for each in settled if each.hold_until is not None]
    gone = any(each.gone for each in settled)
    if holds or gone:  # first the webhook, then its deliveries, as everybody who changes both
        await get(webhook, lock=True)
    if holds:
        await db.execute("update webhook set hold_until = $2 where id = $1", webhook, max(holds))
    names = ("id", "lease", "state", "next_try_at", "done_at", "last_status", "last_error", "duration_ms")
    columns: list[list[Any]] = [[getattr(each, name) for each in settled] for name in names]
    await db.execute(_SETTLE, *columns)
    retried = [each.id for each in settled if each.state == "waiting"]
    if retried:
        await db.execute(_FOLLOW, retried)
    if gone:
        await end(webhook, "gone: the receiver said 410", now)


async def end(webhook: UUID, why: str, now: datetime) -> None:
    """Call a webhook gone and bury what waits for it."""
    await db.execute(
        "update webhook set state = 'gone', changed_at = $2, changed_by = null, version = version + 1"
        " where id = $1 and state <> 'gone'",
        webhook,
        now,
    )
    await db.execute(
        "update webhook_delivery set state = 'dead', done_at = $2, last_error = $3, lease = null, leased_until = null"
        " where webhook = $1 and state = 'waiting'",
        webhook,
        now,
        why,
    )


async def release(claimed: Sequence[Claimed]) -> None:
    """Give back what was claimed and not sent to the end: another sender may take it now."""
    await db.execute(
        "update webhook_delivery d set lease = null, leased_until = null from unnest($1::uuid[], $2::uuid[])"
        " as x(id, lease) where d.id = x.id and d.lease = x.lease",
        [each.id for each in claimed],
        [each.lease for each in claimed],
    )


async def hurry(webhook: UUID, now: datetime) -> None:
    """Let what waits be tried now."""
    await db.execute(
        "update webhook_delivery set next_try_at = least(next_try_at, $2) where webhook = $1 and state = 'waiting'",
        webhook,
        now,
    )


async def log(webhook: UUID, state: State | str | None, before: UUID | None, limit: int) -> list[Delivery]:
    """Return up to `limit` deliveries of a webhook, newest first, from below one."""
    names = ", ".join(f"d.{name}" for name in Delivery.__struct_fields__ if name != "type")
    rows = await db.fetch(
        f"select {names}, s.type from webhook_delivery d join case_stream s on s.event_id = d.event_id"
        " where d.webhook = $1 and ($2::text is null or d.state = $2) and d.id < $3 order by d.id desc limit $4",
        webhook,
        state,
        before or UUID(int=2**128 - 1),
        limit,
    )
    return [msgspec.convert(dict(row), Delivery) for row in rows]


async def revive(webhook: UUID, delivery: UUID, now: datetime) -> int:
    """Let one delivery that is over be sent again; return 1, or 0 when there is none."""
    return await db.execute(f"{_REVIVE} where webhook = $1 and id = $3 and state <> 'waiting'", webhook, now, delivery)


async def revive_all(webhook: UUID, states: Sequence[str], since: datetime | None, now: datetime) -> int:
    """Let all deliveries of these states, of events since an instant, be sent again; return how many."""
    return await db.execute(
        f"{_REVIVE} from case_stream s where s.event_id = d.event_id and d.webhook = $1"
        " and d.state = any($3::text[]) and ($4::timestamptz is null or s.at >= $4)",
        webhook,
        now,
        list(states),
        since,
    )


async def forget(before: datetime, limit: int) -> int:
    """Delete up to `limit` deliveries that were over before an instant; return how many."""
    return await db.execute(
        "delete from webhook_delivery where id in (select id from webhook_delivery where state <> 'waiting'"
        " and done_at < $1 order by done_at limit $2)",
        before,
        limit,
    )
