"""The outbox: an event is written in the transaction of its change and stays until every subscriber has dealt with it.

The queue only rings: it may be emptied at any time, the sweep rings again (ADR 0003).
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel import db, event

RING_AGAIN = timedelta(seconds=60)
"""How long a rung event may stay undone before it is rung once more (the queue may have lost it)."""
TRIES = 8
"""After so many failures an event is a dead letter: kept, visible, replayable."""

bells: list[Callable[[str], None]] = []
"""Called with the district after a commit that wrote events; the server hangs its NOTIFY here. A hint, nothing more."""


class Pending(Struct, frozen=True):
    """An event on its way: `done` names the subscribers that have dealt with it."""

    event_id: UUID
    type: str
    body: dict[str, Any]
    tries: int
    done: list[str]


class DeadLetter(Struct, frozen=True):
    """An event that some subscriber refused to the last try."""

    event_id: UUID
    type: str
    written_at: datetime
    dead_at: datetime
    tries: int
    error: str | None


def _ring(district: str) -> None:
    for bell in bells:
        bell(district)


async def emit(*events: event.Event) -> None:
    """Write events into the outbox, in the transaction of the change they tell of."""
    await db.execute(_INSERT, *arguments(events))
    ring()


def insert(first: int) -> str:
    """Return the statement that writes events, its parameters numbered from `first`."""
    types = ("uuid", "text", "jsonb", "timestamptz")
    columns = ", ".join(f"${n}::{each}[]" for n, each in enumerate(types, first))
    return (
        "insert into outbox (event_id, type, body, written_at, next_at)"
        f" select id, type, body, at, at from unnest({columns}) as e(id, type, body, at)"
    )


def arguments(events: Sequence[event.Event]) -> list[list[Any]]:
    """Return the parameters of `insert`: a list per column."""
    return [
        [e.id for e in events],
        [type(e).__name__ for e in events],
        [event.to_body(e) for e in events],
        [e.at for e in events],
    ]


def ring() -> None:
    """Ring once the current transaction is committed: it wrote events."""
    district = db.current().district or ""
    db.after_commit(lambda: _ring(district))


_INSERT = insert(1)


async def take(now: datetime, subscribed: Collection[str], limit: int = 500) -> list[UUID]:
    """Mark up to `limit` events as rung and return those somebody subscribes to; the others are deleted.

    Each is taken by one relay only (SKIP LOCKED); one rung and not done in a minute is taken again.
    """
    rows = await db.fetch(
        "update outbox set rung_at = $1 where event_id in (select event_id from outbox"
        " where dead_at is null and next_at <= $1 and (rung_at is null or rung_at < $2)"
        " order by next_at limit $3 for update skip locked) returning event_id, type",
        now,
        now - RING_AGAIN,
        limit,
    )
    idle = [row["event_id"] for row in rows if row["type"] not in subscribed]
    if idle:
        await db.execute("delete from outbox where event_id = any($1::uuid[])", idle)
    return [row["event_id"] for row in rows if row["type"] in subscribed]


async def undone(key: str, value: str, types: Collection[str]) -> list[event.Event]:
    """Return the events of these types that some subscriber has still to deal with and whose body has `key` = `value`.

    Whoever needs the events of one object in order takes the earlier ones from here: workers deliver in any order.
    """
    if not key.isidentifier():
        raise ValueError(f"no field {key!r}")
    rows = await db.fetch(  # the key in the text, so that an index on it serves
        f"select type, body from outbox where body ? '{key}' and body ->> '{key}' = $1 and type = any($2::text[])",
        value,
        list(types),
    )
    return [event.from_body(row["type"], row["body"]) for row in rows]


async def put_back(event_ids: Sequence[UUID]) -> None:
    """Un-ring events the queue did not take: the next relay takes them again."""
    await db.execute("update outbox set rung_at = null where event_id = any($1::uuid[])", event_ids)


async def wait(event_id: UUID, until: datetime) -> None:
    """Let an event be rung again from then on, without a failed try: nobody could deal with it."""
    await db.execute("update outbox set rung_at = null, next_at = $2 where event_id = $1", event_id, until)


async def lock(event_id: UUID) -> Pending | None:
    """Lock an event for delivery; None when it is done, dead, or another worker has it."""
    row = await db.fetchrow(
        "select event_id, type, body, tries, done from outbox where event_id = $1 and dead_at is null"
        " for update skip locked",
        event_id,
    )
    return None if row is None else Pending(**dict(row))


async def finish(event_id: UUID) -> None:
    """Delete an event all subscribers have dealt with."""
    await db.execute("delete from outbox where event_id = $1", event_id)


async def note_done(event_id: UUID, done: list[str]) -> None:
    """Keep which subscribers have dealt with an event that waits for others."""
    await db.execute("update outbox set done = $2 where event_id = $1", event_id, done)


async def postpone(pending: Pending, done: list[str], error: str, now: datetime) -> bool:
    """Note a failed delivery: try again with back-off (10 s, doubling, at most 1 h) or bury it; True if dead."""
    tries = pending.tries + 1
    dead = tries >= TRIES
    wait = min(timedelta(seconds=10 * 2 ** (tries - 1)), timedelta(hours=1))
    await db.execute(
        "update outbox set tries = $2, done = $3, error = $4, next_at = $5, rung_at = null, dead_at = $6"
        " where event_id = $1",
        pending.event_id,
        tries,
        done,
        error[:2000],
        now + wait,
        now if dead else None,
    )
    return dead


async def dead(limit: int = 100, after: tuple[datetime, UUID] | None = None) -> list[DeadLetter]:
    """Return the dead letters, oldest first; those behind `after`, the death and event of one, if given."""
    rows = await db.fetch(
        "select event_id, type, written_at, dead_at, tries, error from outbox where dead_at is not null"
        " and ($2::timestamptz is null or (dead_at, event_id) > ($2, $3::uuid)) order by dead_at, event_id limit $1",
        limit,
        *(after or (None, None)),
    )
    return [DeadLetter(**dict(row)) for row in rows]


async def replay(event_id: UUID, now: datetime) -> bool:
    """Bring a dead letter back to life; False when there is none of that id."""
    revived = await db.execute(
        "update outbox set dead_at = null, tries = 0, rung_at = null, next_at = $2"
        " where event_id = $1 and dead_at is not null",
        event_id,
        now,
    )
    return revived == 1
