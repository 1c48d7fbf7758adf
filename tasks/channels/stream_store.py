"""Every query of the stream of case events; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from app.kernel import db
from tasks.channels.stream_events import Entry

_LOCK = "select position from case_stream_head where id = 1 for update"
_NEW_HEAD = "insert into case_stream_head (id, position, kept_from) values (1, 0, 0) on conflict (id) do nothing"
# By step first: within a case the order is that of its steps whatever the clocks of several machines say.
_PLACE = (
    "update case_stream set position = $1 + batch.n from (select event_id, row_number() over (order by step, at,"
    " event_id) as n from case_stream where position is null order by step, at, event_id limit $2) as batch"
    " where case_stream.event_id = batch.event_id"
)
_COLUMNS = "event_id, case_id, step, at, type, source, body"
_FORGET = (
    "delete from case_stream s where s.event_id in (select c.event_id from case_stream c where c.at < $1"
    " and c.position is not null and not exists (select from webhook_delivery d where d.event_id = c.event_id)"
    " order by c.at limit $2) returning s.position"
)


class Placed(Struct, frozen=True):
    """An event at its position."""

    position: int
    entry: Entry


class Head(Struct, frozen=True):
    """The last position; events up to `kept_from` may have been deleted."""

    position: int
    kept_from: int


async def add(entries: Sequence[Entry]) -> None:
    """Keep events, in the order given; those kept already stay as they are."""
    columns = [[getattr(each, name) for each in entries] for name in Entry.__struct_fields__]
    await db.execute(
        f"insert into case_stream ({_COLUMNS}) select {_COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::bigint[],"
        f" $4::timestamptz[], $5::text[], $6::text[], $7::jsonb[]) as e({_COLUMNS}) on conflict (event_id) do nothing",
        *columns,
    )


async def place(limit: int = 2_000) -> int:
    """Give positions to up to `limit` committed events that have none, and return to how many.

    In a short transaction of its own: it holds the head's lock to the end.
    """
    if not await db.fetchval("select exists (select from case_stream where position is null)"):
        return 0
    await db.execute(_NEW_HEAD)
    head: int = await db.fetchval(_LOCK)
    placed = await db.execute(_PLACE, head, limit)  # a statement after the lock: it sees all that committed before it
    await db.execute("update case_stream_head set position = $1 where id = 1", head + placed)
    return placed


async def head() -> Head:
    """Return how far the stream goes, and from where it is whole."""
    row = await db.fetchrow("select position, kept_from from case_stream_head where id = 1")
    return Head(0, 0) if row is None else Head(row["position"], row["kept_from"])


async def after(position: int, source: str | None, limit: int) -> list[Placed]:
    """Return up to `limit` events past a position, of one source or of all."""
    rows = await db.fetch(
        f"select position, {_COLUMNS} from case_stream where position > $1"
        " and ($2::text is null or source = $2) order by position limit $3",
        position,
        source,
        limit,
    )
    return [Placed(row["position"], Entry(**{name: row[name] for name in Entry.__struct_fields__})) for row in rows]


async def forget(before: datetime, limit: int) -> int:
    """Delete up to `limit` events from before an instant that no delivery needs, and note how far; return how many."""
    await db.execute(_NEW_HEAD)
    await db.fetchval(_LOCK)
    gone = [row["position"] for row in await db.fetch(_FORGET, before, limit)]
    if gone:
        await db.execute("update case_stream_head set kept_from = greatest(kept_from, $1) where id = 1", max(gone))
    return len(gone)
