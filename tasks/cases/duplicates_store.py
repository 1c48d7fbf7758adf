"""Queries about cases near a place: probable duplicates for a desk, near ones for a citizen; by the index on place."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db
from grid.organisations import Directory
from tasks.cases import listing
from tasks.cases.likeness import Told, Window
from tasks.cases.listing import Where
from tasks.cases.model import ENDED
from tasks.cases.report import Report

MOST = 500
"""So many cases around one are compared at most, the nearest in time: after a storm there are many."""


class Candidate(Told, frozen=True, kw_only=True):
    """A case around another one, with what is shown of it."""

    number: str
    state: str
    version: int


class NearRow(Struct, frozen=True, kw_only=True):
    """A case near a citizen: no word of it is read."""

    id: UUID
    item: str
    item_version: int
    lon: float
    lat: float


class JoinedRow(Struct, frozen=True, kw_only=True):
    """A case a citizen joined, with the state and the expected end of what it was merged into, if it was."""

    case: UUID
    joined_at: datetime
    number: str
    item: str
    item_version: int
    lon: float | None
    lat: float | None
    state: str
    expected_by: datetime | None


_TOLD = "c.id, c.item, c.title, c.description, c.lon, c.lat, c.received_at"


async def told(case_id: UUID) -> Told | None:
    """Return what is compared of a case; None for one without a place."""
    row = await db.fetchrow(f"select {_TOLD} from cases c where c.id = $1 and c.lon is not null", case_id)
    return None if row is None else msgspec.convert(dict(row), Told)


async def around(of: Told, within: Window, reach: Reach, directory: Directory) -> list[Candidate]:
    """Return up to `MOST` open cases of a window that are within reach, the nearest in time first."""
    where = Where()
    where.add("c.id <> {}", of.id)
    where.conditions.append(listing.inside(where, within.box))
    where.add("c.received_at between {} and {}", within.since, within.until)
    where.conditions.append(f"c.state not in ({listing.ENDED_SQL})")
    seen = where.all(listing.visible(where, reach, directory))
    order = where.bind("abs(extract(epoch from c.received_at - {}::timestamptz)), c.id", of.received_at)
    rows = await db.fetch(
        f"select {_TOLD}, c.number, c.state, c.version from cases c where {seen} order by {order} limit {MOST:d}",
        *where.arguments,
    )
    return [msgspec.convert(dict(row), Candidate) for row in rows]


_JOINABLE = (
    "select c.id, c.item, c.item_version, c.lon, c.lat from cases c where {} and c.item = any({{}}::text[])"
    f" and c.looked_at is not null and c.state not in ({listing.ENDED_SQL}) and c.complained_about = '[]'::jsonb"
    " and c.lon is not null and c.reporter is distinct from {{}}::uuid"
)


async def near(
    box: tuple[float, float, float, float], items: Sequence[str], citizen: UUID, since: datetime
) -> list[NearRow]:
    """Return open cases of these items in a box that a clerk has looked at and the citizen has no part in."""
    where = Where()
    inside = f"{listing.inside(where, box)} and {where.bind('c.received_at >= {}', since)}"
    sql = where.bind(_JOINABLE.format(inside), list(items), citizen)
    mine = where.bind("select from case_reporter j where j.case_id = c.id and j.reporter = {}", citizen)
    rows = await db.fetch(f"{sql} and not exists ({mine}) order by c.received_at desc limit {MOST:d}", *where.arguments)
    return [NearRow(**dict(row)) for row in rows]


async def joinable(case_id: UUID, items: Sequence[str], citizen: UUID) -> NearRow | None:
    """Return a case of somebody else that a citizen may join, or has joined; None for any other."""
    where = Where()
    sql = where.bind(_JOINABLE.format(where.bind("c.id = {}", case_id)), list(items), citizen)
    row = await db.fetchrow(sql, *where.arguments)
    return None if row is None else NearRow(**dict(row))


async def joined_by(citizen: UUID, limit: int, case_id: UUID | None = None) -> list[JoinedRow]:
    """Return the cases a citizen joined, the last joined first, or the one named; each as what it was merged into."""
    rows = await db.fetch(
        "with recursive chain as (select j.case_id as joined, j.joined_at, c.id, c.merged_into from case_reporter j"
        " join cases c on c.id = j.case_id where j.reporter = $1 and ($3::uuid is null or j.case_id = $3) union all"
        " select chain.joined, chain.joined_at, c.id, c.merged_into from chain join cases c on c.id ="
        " chain.merged_into) select chain.joined as case, chain.joined_at, f.number, f.item, f.item_version, f.lon,"
        " f.lat, e.state, coalesce(e.total_due, e.due_at) as expected_by from chain join cases e on e.id = chain.id"
        " join cases f on f.id = chain.joined where chain.merged_into is null order by joined_at desc, joined limit $2",
        citizen,
        limit,
        case_id,
    )
    return [JoinedRow(**dict(row)) for row in rows]


async def speak_for(id_: UUID, case_id: UUID, name: str | None, phone: str | None, now: datetime) -> None:
    """Write down, once, for whom a case was reported; name and phone as sealed texts."""
    await db.execute(
        "insert into case_reporter (id, case_id, kind, reporter, name, phone, joined_at)"
        " select $1, $2, 'resident', null, $3, $4, $5 where not exists"
        " (select from case_reporter where case_id = $2 and kind = 'resident')",
        id_,
        case_id,
        name,
        phone,
        now,
    )


async def contacts(case_id: UUID) -> list[dict[str, Any]]:
    """Return name and phone, sealed, of those who joined a case or for whom it was reported, the first first."""
    rows = await db.fetch(
        "select name, phone from case_reporter where case_id = $1 and num_nonnulls(name, phone) > 0"
        " order by joined_at, id",
        case_id,
    )
    return [dict(row) for row in rows]


async def said_since(report: Report, since: datetime, *, any_item: bool) -> UUID | None:
    """Return the newest case its reporter opened since then with the same words, place and item, if it is not over.

    And with all the evidence: what shows more is said for the first time.
    """
    place = report.place
    return await db.fetchval(
        "select id from cases where reporter = $1 and received_at > $2 and source = $3 and description = $4"
        " and address = $5 and raw_lon is not distinct from $6 and raw_lat is not distinct from $7"
        " and ($8 or item = $9) and state <> all($10::text[]) and (select body -> 'evidence' from case_event"
        " where case_id = cases.id and seq = 1) @> $11::jsonb order by received_at desc limit 1",
        report.reporter.id,
        since,
        report.source,
        report.description,
        report.address,
        None if place is None else place.lon,
        None if place is None else place.lat,
        any_item,
        report.item,
        [state.value for state in ENDED],
        [str(each.id) for each in report.evidence],
    )
