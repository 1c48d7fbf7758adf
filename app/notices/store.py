"""Every query of notices; the caller opens the transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from app.notices.adapters import Message
from app.notices.wording import Channel, Wanted

NOTIFY = "zjw_notices"
"""The bell of open streams: a hint beside their polling, heard when the transaction commits."""


class NoticeView(Struct, frozen=True, kw_only=True):
    """A notice as its recipient sees it; `recipient` is the person or the desk."""

    id: UUID
    recipient: UUID
    kind: str
    case: UUID
    number: str
    zh: str
    en: str
    critical: bool
    made_at: datetime
    read_at: datetime | None


class Address(Struct, frozen=True):
    """A sealed address; `about` is the case it is for, or the recipient itself."""

    id: UUID
    recipient: UUID
    channel: str
    about: UUID


class Count(Struct, frozen=True):
    """How many deliveries of a channel are in a state."""

    channel: str
    state: str
    count: int


class Out(Struct, frozen=True, kw_only=True):
    """A delivery to be written: its notice, its channel, the address it goes to, when it is due."""

    id: UUID
    notice: UUID
    channel: Channel
    address: UUID | None
    critical: bool
    next_at: datetime


_VIEW = "select id, recipient, kind, about as case, number, zh, en, critical, made_at, read_at from notice"


async def add(notices: Sequence[tuple[UUID, Wanted]], now: datetime) -> set[UUID]:
    """Write notices under new ids; those there already stay. Returns the ids that were written."""
    rows = await db.fetch(
        "insert into notice (id, recipient, kind, about, step, number, zh, en, critical, made_at)"
        " select id, recipient, kind, about, step, number, zh, en, critical, $10 from unnest($1::uuid[], $2::uuid[],"
        " $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])"
        " as n(id, recipient, kind, about, step, number, zh, en, critical)"
        " on conflict (recipient, kind, about, step) do nothing returning id",
        [each for each, _ in notices],
        *([getattr(n, name) for _, n in notices] for name in ("recipient", "kind", "about", "step")),
        *([getattr(n, name) for _, n in notices] for name in ("number", "zh", "en", "critical")),
        now,
    )
    return {row["id"] for row in rows}


async def add_deliveries(deliveries: Sequence[Out]) -> None:
    """Write deliveries that wait."""
    await db.execute(
        "insert into notice_delivery (id, notice, channel, address, critical, state, tries, next_at)"
        " select id, notice, channel, address, critical, 'pending', 0, next_at from unnest($1::uuid[], $2::uuid[],"
        " $3::text[], $4::uuid[], $5::boolean[], $6::timestamptz[])"
        " as d(id, notice, channel, address, critical, next_at)",
        *([getattr(d, name) for d in deliveries] for name in ("id", "notice", "channel", "address")),
        *([getattr(d, name) for d in deliveries] for name in ("critical", "next_at")),
    )


async def ring(district: str) -> None:
    """Wake the open streams once the transaction is committed."""
    await db.execute("select pg_notify($1, $2)", NOTIFY, district)


async def addresses(recipients: Collection[UUID], cases: Collection[UUID]) -> list[Address]:
    """Return where messages about cases to these recipients may go."""
    rows = await db.fetch(
        "select id, recipient, channel, about from notice_address"
        " where recipient = any($1::uuid[]) and (about = recipient or about = any($2::uuid[]))",
        list(recipients),
        list(cases),
    )
    return [Address(**dict(row)) for row in rows]


async def set_address(
    address: UUID, recipient: UUID, channel: Channel, about: UUID, sealed: str, by: UUID, now: datetime
) -> None:
    """Write or replace an address."""
    await db.execute(
        "insert into notice_address (id, recipient, channel, about, address, set_at, set_by)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (recipient, channel, about) do update"
        " set address = excluded.address, set_at = excluded.set_at, set_by = excluded.set_by",
        address,
        recipient,
        channel,
        about,
        sealed,
        now,
        by,
    )


async def remove_address(recipient: UUID, channel: Channel, about: UUID) -> None:
    """Forget an address; what waits for it is given up when its turn comes."""
    await db.execute(
        "delete from notice_address where recipient = $1 and channel = $2 and about = $3", recipient, channel, about
    )


async def erase(recipient: UUID) -> None:
    """Delete all notices and addresses of somebody."""
    await db.execute("delete from notice where recipient = $1", recipient)
    await db.execute("delete from notice_address where recipient = $1", recipient)


async def page(recipients: Collection[UUID], read: bool, before: UUID | None, limit: int) -> list[NoticeView]:
    """Return read or unread notices of the recipients, newest first, from below an id."""
    rows = await db.fetch(
        f"{_VIEW} where recipient = any($1::uuid[]) and read_at is {'not null' if read else 'null'}"
        " and id < $2 order by id desc limit $3",
        list(recipients),
        before or UUID(int=2**128 - 1),
        limit,
    )
    return [NoticeView(**dict(row)) for row in rows]


async def recent(recipients: Collection[UUID], since: datetime) -> list[NoticeView]:
    """Return the notices of the recipients made since an instant, oldest first."""
    rows = await db.fetch(
        f"{_VIEW} where recipient = any($1::uuid[]) and made_at >= $2 order by id", list(recipients), since
    )
    return [NoticeView(**dict(row)) for row in rows]


async def after(recipients: Collection[UUID], last: UUID, limit: int) -> list[NoticeView]:
    """Return the notices of the recipients above an id, oldest first."""
    rows = await db.fetch(
        f"{_VIEW} where recipient = any($1::uuid[]) and id > $2 order by id limit $3", list(recipients), last, limit
    )
    return [NoticeView(**dict(row)) for row in rows]


async def read(notice: UUID, recipients: Collection[UUID], by: UUID, now: datetime) -> NoticeView | None:
    """Mark a notice of the recipients as read, the first time; None when there is none."""
    await db.execute(
        "update notice set read_at = $3, read_by = $4"
        " where id = $1 and recipient = any($2::uuid[]) and read_at is null",
        notice,
        list(recipients),
        now,
        by,
    )
    row = await db.fetchrow(f"{_VIEW} where id = $1 and recipient = any($2::uuid[])", notice, list(recipients))
    return None if row is None else NoticeView(**dict(row))


async def counts(since: datetime) -> list[Count]:
    """Return how many deliveries were or are due since an instant, by channel and state."""
    rows = await db.fetch(
        "select channel, state, count(*) as count from notice_delivery where next_at >= $1 group by channel, state",
        since,
    )
    return [Count(**dict(row)) for row in rows]


async def claim(channel: Channel, now: datetime, until: datetime, critical_only: bool, limit: int) -> list[Message]:
    """Take what is due through a channel, count the try, and lease it until an instant: nobody else has it till then.

    The address in the message is still sealed; None where it was taken away.
    """
    rows = await db.fetch(
        "update notice_delivery set tries = tries + 1, next_at = $3 where id in (select id from notice_delivery"
        " where channel = $1 and state in ('pending', 'failed') and next_at <= $2 and (critical or not $4)"
        " order by next_at limit $5 for update skip locked) returning id",
        channel,
        now,
        until,
        critical_only,
        limit,
    )
    messages = await db.fetch(
        "select d.id, d.notice, d.channel, d.tries, n.recipient, a.address, n.kind, n.about as case, n.number, n.zh,"
        " n.en, n.critical, n.made_at from notice_delivery d join notice n on n.id = d.notice"
        " left join notice_address a on a.id = d.address where d.id = any($1::uuid[]) order by d.id",
        [row["id"] for row in rows],
    )
    return [Message(**dict(row)) for row in messages]


async def settle(delivery: UUID, state: str, next_at: datetime, sent_at: datetime | None, error: str | None) -> None:
    """Write what became of a try."""
    await db.execute(
        "update notice_delivery set state = $2, next_at = $3, sent_at = $4, error = $5 where id = $1",
        delivery,
        state,
        next_at,
        sent_at,
        error,
    )
