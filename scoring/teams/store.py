"""Queries on schemes, periods and their record, appeals and dirty marks; the caller opens the transaction."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db, ids
from scoring.teams.appeals import Appeal
from scoring.teams.period import Link, State
from scoring.teams.versions import SchemeVersion

T = TypeVar("T", bound=Struct)

_SCHEME = ", ".join(SchemeVersion.__struct_fields__)
_APPEAL = ", ".join(Appeal.__struct_fields__)
_LINK = ", ".join(Link.__struct_fields__)


class PeriodState(Struct, frozen=True, kw_only=True):
    """Where a period stands; `watermark` pins the facts from the freeze on."""

    code: str
    state: State
    watermark: datetime | None
    appeal_until: datetime | None
    reopened_until: datetime | None


def _row(record: Any, kind: type[T]) -> T:
    return msgspec.convert(dict(record), kind)


async def add_scheme(scheme: SchemeVersion) -> None:
    """Write a new version; a version number taken meanwhile by somebody else raises asyncpg.UniqueViolationError."""
    values = msgspec.structs.astuple(scheme)
    holders = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into score_scheme ({_SCHEME}) values ({holders})", *values)


async def next_version(code: str) -> int:
    """Return the number of the next version of a scheme."""
    return await db.fetchval("select coalesce(max(version), 0) + 1 from score_scheme where code = $1", code)


async def scheme(scheme_id: UUID, lock: bool = False) -> SchemeVersion | None:
    """Return a version by id, locked if asked."""
    ending = " for update" if lock else ""
    row = await db.fetchrow(f"select {_SCHEME} from score_scheme where id = $1{ending}", scheme_id)
    return None if row is None else _row(row, SchemeVersion)


async def schemes() -> list[SchemeVersion]:
    """Return all versions, the newest of each scheme first."""
    rows = await db.fetch(f"select {_SCHEME} from score_scheme order by code, version desc")
    return [_row(row, SchemeVersion) for row in rows]


async def lock_published() -> None:
    """Let one transaction at a time decide which schemes hold when."""
    await db.execute("lock table score_scheme in share row exclusive mode")


async def published(force: str, level: str, length: str) -> list[SchemeVersion]:
    """Return the published versions for a force, level and length of period, by their first day."""
    rows = await db.fetch(
        f"select {_SCHEME} from score_scheme where state = 'published' and force = $1 and level = $2 and length = $3"
        " order by effective",
        force,
        level,
        length,
    )
    return [_row(row, SchemeVersion) for row in rows]


async def in_force(length: str, first: date, code: str | None = None) -> list[SchemeVersion]:
    """Return the published versions that hold on the first day of a period, of one scheme or of all."""
    rows = await db.fetch(
        f"select {_SCHEME} from score_scheme where state = 'published' and length = $1 and effective <= $2"
        " and (until is null or until > $2) and ($3::text is null or code = $3) order by code",
        length,
        first,
        code,
    )
    return [_row(row, SchemeVersion) for row in rows]


async def save_scheme(scheme: SchemeVersion) -> None:
    """Write the state, the last day and the hands of a version."""
    await db.execute(
        "update score_scheme set state = $2, until = $3, reviewer = $4, reviewed_at = $5, publisher = $6,"
        " published_at = $7 where id = $1",
        scheme.id,
        scheme.state,
        scheme.until,
        scheme.reviewer,
        scheme.reviewed_at,
        scheme.publisher,
        scheme.published_at,
    )


async def open_period(code: str) -> PeriodState:
    """Return the period, locked for this transaction; one that is not there yet is opened."""
    await db.execute("insert into score_period (code, state) values ($1, 'open') on conflict (code) do nothing", code)
    found = await period(code, lock=True)
    if found is None:
        raise LookupError(code)
    return found


async def period(code: str, lock: bool = False) -> PeriodState | None:
    """Return the period, locked if asked."""
    ending = " for update" if lock else ""
    row = await db.fetchrow(
        f"select code, state, watermark, appeal_until, reopened_until from score_period where code = $1{ending}", code
    )
    return None if row is None else _row(row, PeriodState)


async def periods(states: Collection[State] = tuple(State)) -> list[PeriodState]:
    """Return the periods in one of the states, the newest first."""
    rows = await db.fetch(
        "select code, state, watermark, appeal_until, reopened_until from score_period"
        " where state = any($1::text[]) order by code desc",
        [str(state) for state in states],
    )
    return [_row(row, PeriodState) for row in rows]


async def save_period(period: PeriodState) -> None:
    """Write where a period stands."""
    await db.execute(
        "update score_period set state = $2, watermark = $3, appeal_until = $4, reopened_until = $5 where code = $1",
        period.code,
        str(period.state),
        period.watermark,
        period.appeal_until,
        period.reopened_until,
    )


async def record(period: str) -> list[Link]:
    """Return the chained record of a period in its order."""
    rows = await db.fetch(f"select {_LINK} from score_period_event where period = $1 order by seq", period)
    return [_row(row, Link) for row in rows]


async def append(link: Link) -> None:
    """Write the next entry of a period's record; the caller holds the period."""
    values = msgspec.structs.astuple(link)
    holders = ", ".join(f"${n}" for n in range(2, len(values) + 2))
    await db.execute(f"insert into score_period_event (id, {_LINK}) values ($1, {holders})", ids.new_id(), *values)


async def add_appeal(appeal: Appeal) -> None:
    """Write a new appeal."""
    values = msgspec.structs.astuple(appeal)
    holders = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into score_appeal ({_APPEAL}) values ({holders})", *values)


async def appeal(appeal_id: UUID) -> Appeal | None:
    """Return an appeal, locked for this transaction."""
    row = await db.fetchrow(f"select {_APPEAL} from score_appeal where id = $1 for update", appeal_id)
    return None if row is None else _row(row, Appeal)


async def decide_appeal(appeal: Appeal) -> None:
    """Write the decision on an appeal."""
    await db.execute(
        "update score_appeal set state = $2, points = $3, decision = $4, decided_by = $5, decided_at = $6"
        " where id = $1",
        appeal.id,
        appeal.state,
        appeal.points,
        appeal.decision,
        appeal.decided_by,
        appeal.decided_at,
    )


async def appeals(period: str, reach: Reach) -> list[Appeal]:
    """Return the appeals of a period that are within reach, oldest first."""
    rows = await db.fetch(
        f"select {_APPEAL} from score_appeal where period = $1 and {within('score_appeal', 2)} order by raised_at, id",
        period,
        *reach_arguments(reach),
    )
    return [_row(row, Appeal) for row in rows]


async def appeals_of(period: str, subject: str) -> list[Appeal]:
    """Return the appeals of one subject in a period, oldest first."""
    rows = await db.fetch(
        f"select {_APPEAL} from score_appeal where period = $1 and subject = $2 order by raised_at, id", period, subject
    )
    return [_row(row, Appeal) for row in rows]


async def upheld(period: str, scheme: str) -> list[Appeal]:
    """Return the upheld appeals of a scheme and period; a struck fact counts for every scheme of the period."""
    rows = await db.fetch(
        f"select {_APPEAL} from score_appeal where period = $1 and state = 'upheld'"
        " and (scheme = $2 or fact is not null) order by id",
        period,
        scheme,
    )
    return [_row(row, Appeal) for row in rows]


async def upheld_by_id(appeal_ids: Sequence[UUID]) -> list[Appeal]:
    """Return the appeals a run was pinned to."""
    rows = await db.fetch(f"select {_APPEAL} from score_appeal where id = any($1::uuid[]) order by id", appeal_ids)
    return [_row(row, Appeal) for row in rows]


async def undecided(period: str) -> int:
    """Return how many appeals of the period wait for a decision."""
    return await db.fetchval("select count(*) from score_appeal where period = $1 and state = 'raised'", period)


def within(table: str, first: int) -> str:
    """Return the condition that rows with `town` and `subject` are within reach; arguments by `reach_arguments`."""
    return (
        f"(${first}::boolean or {table}.subject = any(${first + 1}::text[])"
        f" or exists (select 1 from unnest(${first + 2}::text[]) as area where starts_with({table}.town, area)))"
    )


def reach_arguments(reach: Reach) -> tuple[bool, list[str], list[str]]:
    """Return the three arguments of `within`."""
    return reach.everything, sorted(str(o) for o in reach.organisations), list(reach.areas)


async def mark_dirty(period: str, subjects: Collection[str], now: datetime) -> None:
    """Note that scores of these subjects no longer fit their facts."""
    wanted = sorted(set(subjects))
    await db.execute(
        "insert into score_dirty (id, period, subject, marked_at) select id, $2, subject, $4"
        " from unnest($1::uuid[], $3::text[]) as d(id, subject)"
        " on conflict (period, subject) do update set marked_at = excluded.marked_at",
        [ids.new_id() for _ in wanted],
        period,
        wanted,
        now,
    )


async def take_dirty(period: str) -> list[str]:
    """Remove and return the marks of a period; the caller holds the period."""
    rows = await db.fetch("delete from score_dirty where period = $1 returning subject", period)
    return sorted(row["subject"] for row in rows)
