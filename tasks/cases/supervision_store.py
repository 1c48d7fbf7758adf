"""Every query of the sweep, of the three loops and of the district's calendar; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from tasks.cases.model import ENDED, Case, Leg

DUE = (
    "select * from ("
    "(select l.next_urge_at as at, l.id, l.case_id as case, true as leg from case_leg l where l.next_urge_at <= $1"
    " and ($2::timestamptz is null or (l.next_urge_at, l.id) > ($2, $3)) order by l.next_urge_at, l.id limit $4)"
    " union all "
    "(select c.wake_at, c.id, c.id, false from cases c where c.wake_at <= $1"
    " and ($2::timestamptz is null or (c.wake_at, c.id) > ($2, $3)) order by c.wake_at, c.id limit $4)"
    ") as due order by at, id limit $4"
)
"""Everything that is due, of legs and of cases, page by page in the order of its time; both halves by an index."""


class Due(Struct, frozen=True, kw_only=True):
    """A leg whose ladder has a rung, or a case whose own time has come."""

    at: datetime
    id: UUID
    case: UUID
    leg: bool


async def due(now: datetime, limit: int, after: Due | None = None) -> list[Due]:
    """Return what is due at `now`, past `after`; one statement."""
    seen = (None, None) if after is None else (after.at, after.id)
    return [Due(**dict(row)) for row in await db.fetch(DUE, now, *seen, limit)]


class Unread(Struct, frozen=True, kw_only=True):
    """A case's row with those of its legs, unread: one that cannot be read keeps no other from it."""

    id: UUID
    row: dict[str, Any]
    legs: list[dict[str, Any]]

    def read(self) -> tuple[Case, tuple[Leg, ...]]:
        """Return the case and its legs; ValidationError for rows that are none."""
        return msgspec.convert(self.row, Case), tuple(msgspec.convert(leg, Leg) for leg in self.legs)


async def lock_free(cases: Sequence[UUID]) -> list[Unread]:
    """Lock those of some cases that nobody else has under lock, waiting for none, and return them with their legs.

    The legs are read by a statement of their own, after the locks.
    """
    rows = await db.fetch(
        f"select {', '.join(Case.__struct_fields__)} from cases where id = any($1::uuid[]) order by id"
        " for update skip locked",
        list(cases),
    )
    return await _with_legs(rows)


async def look_again(legs: Sequence[tuple[UUID, datetime | None]]) -> None:
    """Say when the sweep looks at legs again, where there was nothing to do now."""
    await db.execute(
        "update case_leg set next_urge_at = n.at from unnest($1::uuid[], $2::timestamptz[]) as n(id, at)"
        " where case_leg.id = n.id",
        [leg for leg, _ in legs],
        [at for _, at in legs],
    )


class CalendarRow(Struct, frozen=True, kw_only=True):
    """A version of the district's own calendar."""

    version: int
    document: dict[str, Any]
    author: UUID
    published_at: datetime


async def calendar() -> CalendarRow | None:
    """Return the newest version; None where the district has none of its own."""
    row = await db.fetchrow(
        "select version, document, author, published_at from case_calendar order by version desc limit 1"
    )
    return None if row is None else CalendarRow(**dict(row))


async def lock_marks() -> None:
    """Let nobody else change a mark until the transaction ends."""
    await db.execute("insert into case_marks (id) values (1) on conflict (id) do nothing")
    await db.execute("select 1 from case_marks where id = 1 for update")


async def publish_calendar(id_: UUID, version: int, document: Any, author: UUID, now: datetime) -> None:
    """Write a new version of the calendar and change the mark."""
    await db.execute(
        "insert into case_calendar (id, version, document, author, published_at) values ($1, $2, $3, $4, $5)",
        id_,
        version,
        document,
        author,
        now,
    )
    await db.execute("update case_marks set calendar = $1 where id = 1", id_)


async def reckoned_by() -> str | None:
    """Return the fingerprint of the calendar by which every due was last reckoned; None if none ever was."""
    return await db.fetchval("select fingerprint from case_reckoning where id = 1")


async def set_reckoned(fingerprint: str, now: datetime) -> None:
    """Note that every due is reckoned by this calendar."""
    await db.execute(
        "insert into case_reckoning (id, fingerprint, at) values (1, $1, $2)"
        " on conflict (id) do update set fingerprint = $1, at = $2",
        fingerprint,
        now,
    )


async def open_cases(after: UUID | None, limit: int) -> list[Unread]:
    """Return cases that are not over with their legs, in the order of ids past `after`, unlocked."""
    rows = await db.fetch(
        f"select {', '.join(Case.__struct_fields__)} from cases where state <> all($1::text[])"
        " and ($2::uuid is null or id > $2) order by id limit $3",
        [state.value for state in ENDED],
        after,
        limit,
    )
    return await _with_legs(rows)


async def _with_legs(rows: Sequence[Any]) -> list[Unread]:
    found = {row["id"]: Unread(id=row["id"], row=dict(row), legs=[]) for row in rows}
    for leg in await db.fetch(
        f"select {', '.join(Leg.__struct_fields__)} from case_leg where case_id = any($1::uuid[])"
        " order by case_id, ordinal",
        [*found],
    ):
        found[leg["case_id"]].legs.append(dict(leg))
    return list(found.values())


class Count(Struct, frozen=True):
    """How many items of a loop are open in a town; None: in no town."""

    loop: str
    town: str | None
    open: int
    overdue: int


_EVENT = (
    "select 'event', c.town, count(*), count(*) filter (where d.due_at < $1 and c.state <> 'suspended')"
    " from cases c left join lateral"
    " (select least(c.total_due, c.verify_due, min(l.handle_due)) as due_at from case_leg l where l.case_id = c.id"
    " and l.state in ('unsigned', 'signed')) d on true where c.state <> all($2::text[]) and {} group by c.town"
)
_BODY = (
    "select 'responsible_body', c.town, count(*), count(*) filter (where l.supervised_at is not null and"
    " l.replied_at is null and l.reply_due < $1 and c.state <> 'suspended')"
    " from case_leg l join cases c on c.id = l.case_id where"
    " (l.supervised_at is not null or (l.urged_at is not null and l.state in ('unsigned', 'signed')"
    " and (l.answered_at is null or l.answered_at < l.urged_at))) and {} group by c.town"
)
_ASSESSMENT = (
    "select 'assessment', c.town, count(*), count(*) filter (where c.call_back_due < $1 or c.verify_due < $1)"
    " from cases c where (c.state in ('disputed', 'handled', 'calling_back') or (c.state = 'received' and c.appealed)"
    " or (c.state = any($2::text[]) and c.state <> 'archived' and exists (select from case_leg l where"
    " l.case_id = c.id and l.supervised_at is not null))) and {} group by c.town"
)


async def loops(now: datetime, areas: Sequence[str] | None) -> list[Count]:
    """Return how many items of each loop are open and overdue, per town, inside these areas (None: everywhere)."""
    inside = "($3::text[] is null or exists (select from unnest($3::text[]) a where starts_with(c.area, a)))"
    rows = await db.fetch(
        " union all ".join(part.format(inside) for part in (_EVENT, _BODY, _ASSESSMENT)),
        now,
        [state.value for state in ENDED],
        None if areas is None else list(areas),
    )
    return [Count(*row) for row in rows]
