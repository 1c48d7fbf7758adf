"""Pages of the list of cases, overdue first or newest first, read through indexes however rare what was asked for is.

What somebody may see comes through several doors (area, desk, legs, own reports). One OR over them would make the
database read every row in order, so each door is a branch of its own, cut to a page, and the branches are united.
"""

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db
from app.kernel.problem import invalid
from grid.organisations import Directory
from tasks.cases.listing import (
    CASES,
    ENDED_STATES,
    GRAMS,
    LEGS,
    Door,
    Filter,
    Where,
    add_filter,
    add_number,
    check,
    doors,
    inside,
    pairs_of,
    text_conditions,
    visible,
)

RARE = 5_000
"""Matches of a text up to so many are fetched from its index; words found more often are met soon anyway."""
NEWEST = 1_000
"""So many of the newest cases tell whether a text is common."""


_UNDATED = "c.id not in (select d.id from cases d where d.due_at is not null)"
"""No due, in words an index answers: looked up in the row it would cost a page for each leg of a department."""


class Mark(Struct, frozen=True):
    """Where a page ended: among those with a due (`due`), or among the others, newest first."""

    due: bool
    at: datetime
    id: UUID

    def text(self) -> str:
        """Return the mark as it travels."""
        said = f"{'d' if self.due else 'n'}|{self.at.isoformat()}|{self.id}"
        return base64.urlsafe_b64encode(said.encode()).decode()


def mark(text: str) -> Mark:
    """Read a mark; Invalid for anything else."""
    try:
        phase, at, case_id = base64.urlsafe_b64decode(text.encode()).decode().split("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or phase not in ("d", "n"):
            raise ValueError("not a mark")
        return Mark(phase == "d", moment, UUID(case_id))
    except (ValueError, binascii.Error) as error:
        raise invalid("after", "翻页标记无效", "not a page mark") from error


COLUMNS = (
    "c.id, c.number, c.version, c.state, c.title, c.address, c.item, c.severity, c.source, c.area, c.town, c.cell,"
    " c.lon, c.lat, c.last_lead as lead, c.received_at, c.closed_at, c.due_at"
)


class Query(Struct, frozen=True):
    """A list to be read: who asks for what, how it is ordered, where the page before ended."""

    asked: Filter
    reach: Reach
    directory: Directory
    now: datetime
    limit: int
    by_due: bool
    after: Mark | None = None


async def page(query: Query) -> list[dict[str, Any]]:
    """Return one page in the caller's transaction: by due first those that have one, the nearest (overdue) first."""
    check(query.asked)
    found: list[dict[str, Any]] = []
    over = set(query.asked.state) and set(query.asked.state) <= set(ENDED_STATES)
    if query.by_due and not over and (query.after is None or query.after.due):
        found = await _phase(query, due=True)
    if len(found) < query.limit and not (query.by_due and query.asked.overdue):
        rest = query.limit - len(found)
        after = None if query.after is None or query.after.due else query.after
        found += await _phase(_with(query, rest, after), due=False)
    return found


def _with(query: Query, limit: int, after: Mark | None) -> Query:
    return Query(query.asked, query.reach, query.directory, query.now, limit, query.by_due, after)


async def _phase(query: Query, *, due: bool) -> list[dict[str, Any]]:
    where = Where()
    add_filter(where, query.asked, query.now)
    few = await _add_searched(where, query.asked)
    if due:
        where.add("c.due_at is not null")
    key, direction, after = ("c.due_at", "asc", ">") if due else ("c.received_at", "desc", "<")
    if query.after is not None:
        where.add(f"({key}, c.id) {after} ({{}}, {{}})", query.after.at, query.after.id)
    order = f"{key} {direction}, c.id {direction}"
    rest = ["c.due_at is null"] if query.by_due and not due else []
    source = _fetched(where, query, rest) if few else await _united(where, query, rest, due=due)
    rows = await db.fetch(
        f"{source} select {COLUMNS} from found f join cases c on c.id = f.id order by {order} limit {query.limit:d}",
        *where.arguments,
    )
    return [dict(row) for row in rows]


async def _add_searched(where: Where, asked: Filter) -> bool:
    """Add text and box; return whether so few cases fit that their indexes alone lead to them.

    The database's own estimate is no help: it takes neighbouring characters, and longitude and latitude, for unrelated.
    """
    few = False
    if asked.text:
        few = await _add_text(where, asked.text)
    if asked.box is not None:
        within = inside(where, asked.box)
        west, south, east, north = asked.box
        scarce = await _few(CASES, "c.lon between $1 and $2 and c.lat between $3 and $4", west, east, south, north)
        (where.conditions if scarce else where.late).append(within)
        few = few or scarce
    return few


async def _add_text(where: Where, text: str) -> bool:
    """Add a number, or a text that must occur; return whether its index alone leads to the cases."""
    if add_number(where, text):
        return False
    pairs = pairs_of(text)
    rows = text_conditions(where, text)
    few = not await _common(text) and await _few(CASES, f"{GRAMS} @> $1::text[]", pairs)
    if few:
        where.add(f"{GRAMS} @> {{}}::text[]", pairs)
    (where.conditions if few else where.late).extend(rows)
    return few


async def _common(text: str) -> bool:
    """Say whether a text occurs in so many of the newest cases that a page is full before the index is read."""
    newest = Where()
    rows = " and ".join(text_conditions(newest, text))
    found: int = await db.fetchval(
        f"select count(*) from (select c.* from {CASES} order by c.received_at desc, c.id desc limit {NEWEST}) c"
        f" where {rows}",
        *newest.arguments,
    )
    return found * 50 > NEWEST


async def _few(table: str, condition: str, *values: Any) -> bool:
    found: int = await db.fetchval(
        f"select count(*) from (select from {table} where {condition} limit {RARE + 1}) f", *values
    )
    return found <= RARE


def _fetched(where: Where, query: Query, rest: list[str]) -> str:
    """Return a relation of all that fits: the filters leave little, fetched before it is put in order."""
    seen = visible(where, query.reach, query.directory)
    return f"with found as materialized (select c.id from {CASES} where {where.all(seen, *rest)})"


async def _united(where: Where, query: Query, rest: list[str], *, due: bool) -> str:
    """Return a relation of the first that fit through each door, a page of each."""
    key = "due_at" if due else "received_at"
    order = f"{key} asc, id asc" if due else f"{key} desc, id desc"
    seen = doors(where, query.reach, query.directory)
    branches = [
        await _by_due(where, door, query, order)
        if due and door.organisation is not None
        else _branch(where, door, query, key, order, rest)
        for door in seen
    ]
    united = " union ".join(branches) or f"select null::uuid as id, null::timestamptz as {key} where false"
    return f"with found as (select id from ({united}) b order by {order} limit {query.limit:d})"


def _branch(where: Where, door: Door, query: Query, key: str, order: str, rest: list[str]) -> str:
    """Return the first page through one door.

    `offset 0` keeps the database from mixing the inner query with the rest, where its estimates mislead it.
    """
    page = f"order by {order} limit {query.limit:d}"
    late = " and ".join(where.late) or "true"
    if not door.ordered:  # few rows: each is looked up and tried
        name, column = ("case_leg s", "s.case_id") if door.table == LEGS else (CASES, "c.id")
        rows = f"select distinct {column} as id from {name} where {door.condition} offset 0"
        one = f"select c.id, c.{key} from {CASES} where c.id = d.id and {where.all(*rest, late)} offset 0"
        return f"(select f.id, f.{key} from ({rows}) d cross join lateral ({one}) f {page})"
    if door.table == CASES:
        rows = f"select c.* from {CASES} where {where.all(door.condition, *rest)} {_of('c', order)} offset 0"
        return f"(select c.id, c.{key} from ({rows}) c where {late} limit {query.limit:d})"
    alone = query.asked != Filter() and query.asked in (
        Filter(source=query.asked.source),
        Filter(item=query.asked.item),
    )  # then the indexes on source and item hold all that is asked, and no row need be read
    undated = [_UNDATED] if rest and alone else rest
    rows = f"select distinct s.case_id as id, s.{key} from {LEGS} where"
    return f"({rows} {where.all(door.condition, late, *undated, *_on_turns(where, query))} {page})"


async def _by_due(where: Where, door: Door, query: Query, order: str) -> str:
    """Return the first page by due of what an organisation holds.

    Few legs are put together before the cases are met; many are looked for case by case, until the page is full.
    """
    late = " and ".join(where.late) or "true"
    turns = f"from case_leg s where {door.condition}"
    if await _few("case_leg s", "s.organisation = $1", door.organisation):
        rows = f"select c.id, c.due_at from {CASES} where {where.all(late)} offset 0"
        found = f"select c.id, c.due_at from ({rows}) c where c.id in (select s.case_id {turns})"
        return f"({found} order by {order} limit {query.limit:d})"
    rows = f"select c.* from {CASES} where {where.all()} {_of('c', order)} offset 0"
    held = f"exists (select {turns} and s.case_id = c.id offset 0)"
    return f"(select c.id, c.due_at from ({rows}) c where {held} and {late} limit {query.limit:d})"


def _of(alias: str, order: str) -> str:
    return "order by " + ", ".join(f"{alias}.{part}" for part in order.split(", "))


def _on_turns(where: Where, query: Query) -> list[str]:
    """Return the conditions on time once more, on the legs: their index is read from there on."""
    found: list[str] = []
    if query.asked.since is not None:
        found.append(where.bind("s.received_at >= {}", query.asked.since))
    if query.asked.until is not None:
        found.append(where.bind("s.received_at < {}", query.asked.until))
    if query.after is not None:
        found.append(where.bind("(s.received_at, s.case_id) < ({}, {})", query.after.at, query.after.id))
    return found
