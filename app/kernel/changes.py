"""The change feed of sync: nothing is lost however slow its transaction, for positions follow the order of commits.

A change is written in its own transaction without a position. Positions are given later, under the lock of the
district's `feed_head` row, to rows that are committed by then: a sequence taken inside the writing transaction would
let a reader pass a slow one.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel import db, ids

Draft = tuple[str, str, UUID | str, int, dict[str, Any] | None]
"""Bucket, kind, entity, version, body; a body of None takes the entity out of the bucket."""

_LOCK_HEAD = "select position from feed_head where id = 1 for update"
_NEW_HEAD = "insert into feed_head (id, epoch, position) values (1, $1, 0) on conflict (id) do nothing"
_NEW_EPOCH = _NEW_HEAD.replace("do nothing", "do update set epoch = excluded.epoch returning epoch")
_PLACE = (
    "update change set position = $1 + batch.n from (select id, row_number() over (order by id) as n from change"
    " where position is null order by id limit $2) as batch where change.id = batch.id"
)
# Only the newest state of an entity stays in a bucket: whoever has not seen the older one will see the newer.
_DROP_OUTDATED = (
    "delete from change where id in (select id from (select c.id, row_number() over (partition by c.bucket, c.kind,"
    " c.entity order by c.version desc, c.id desc) as age from change c join (select distinct bucket, kind, entity"
    " from change where position > $1) as fresh using (bucket, kind, entity) where c.position is not null) as ranked"
    " where age > 1)"
)


class Change(Struct, frozen=True):
    """The newest state of one entity in one bucket; `body` None: it is no longer there."""

    position: int
    kind: str
    entity: str
    version: int
    body: dict[str, Any] | None


def mark(kind: str, entity: str, version: int) -> int:
    """Return what an entity adds by XOR to a bucket's checksum: 8 bytes of SHA-256 of `kind:entity:version`, signed."""
    return int.from_bytes(sha256(f"{kind}:{entity}:{version}".encode()).digest()[:8], signed=True)


async def append(bucket: str, kind: str, entity: UUID | str, version: int, body: dict[str, Any] | None) -> None:
    """Write one change in the current transaction."""
    await append_many([(bucket, kind, entity, version, body)])


async def append_many(drafts: Sequence[Draft]) -> None:
    """Write many changes in the current transaction, by one statement."""
    if drafts:
        await db.execute(_INSERT, *arguments(drafts))


def insert(first: int) -> str:
    """Return the statement that writes changes, its parameters numbered from `first`."""
    types = ("uuid", "text", "text", "text", "integer", "jsonb", "bigint")
    columns = ", ".join(f"${n}::{each}[]" for n, each in enumerate(types, first))
    return f"insert into change (id, bucket, kind, entity, version, body, mark) select * from unnest({columns})"


def arguments(drafts: Sequence[Draft]) -> list[list[Any]]:
    """Return the parameters of `insert`: a list per column."""
    rows = [
        (ids.new_id(), bucket, kind, str(key), version, body, 0 if body is None else mark(kind, str(key), version))
        for bucket, kind, key, version, body in drafts
    ]
    return [[row[n] for row in rows] for n in range(7)]


_INSERT = insert(1)


async def assign_positions(limit: int = 5_000) -> int:
    """Give positions to up to `limit` committed changes that have none; return to how many.

    In a short transaction of its own (it holds the head's lock to the end): by the relay, and by every pull.
    """
    if not await db.fetchval("select exists (select from change where position is null)"):
        return 0
    await db.execute(_NEW_HEAD, ids.new_id())
    head: int = await db.fetchval(_LOCK_HEAD)
    placed = await db.execute(_PLACE, head, limit)  # a statement after the lock: it sees all that committed before it
    await db.execute("update feed_head set position = $1 where id = 1", head + placed)
    await db.execute(_DROP_OUTDATED, head)
    return placed


async def epoch() -> UUID:
    """Return the feed's epoch: cursors of another epoch mean nothing here."""
    await db.execute(_NEW_HEAD, ids.new_id())
    return await db.fetchval("select epoch from feed_head where id = 1")


async def renew_epoch() -> UUID:
    """Begin a new epoch, after a restore: a restored head may lie behind what phones have seen."""
    return await db.fetchval(_NEW_EPOCH, ids.new_id())


async def read(bucket: str, after: int, limit: int) -> list[Change]:
    """Return up to `limit` placed changes of a bucket past position `after`, in order."""
    sql = "select position, kind, entity, version, body from change where bucket = $1 and position > $2"
    return [Change(**dict(row)) for row in await db.fetch(sql + " order by position limit $3", bucket, after, limit)]


async def summary(buckets: Collection[str]) -> dict[str, tuple[int, int]]:
    """Return of each bucket that has changes its last position and checksum (XOR of `mark` of all that is in it)."""
    sql = "select bucket, max(position), bit_xor(mark) from change where bucket = any($1::text[]) and position > 0"
    return {row[0]: (row[1], row[2]) for row in await db.fetch(sql + " group by bucket", list(buckets))}
