"""Pages of the list of cases, overdue first or newest first, read through indexes however rare what was asked for is.

What is due or open is little: one index of it is walked until the page is full, whoever reads. Of all the rest, what
somebody may see comes through several doors (area, desk, legs, own reports). One OR over them would make the database
read every row in order, so each door is a branch of its own, cut to a page, and the branches are united.
"""

import base64
import binascii
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity.scope import Reach
from app.kernel import db
from app.kernel.problem import invalid
from grid.organisations import Directory
from tasks.cases.listing import (
    CASES,
    ENDED_SQL,
    ENDED_STATES,
    GRAMS,
    LEGS,
    Door,
    Filter,
    Where,
    add_filter,
    add_number,
    add_state,
    check,
    doors,
    inside,
    is_number,
    pairs_of,
    text_conditions,
    visible,
)

RARE = 5_000
"""Cases in a box up to so many are fetched from their index; where there are more, they are met soon anyway."""
TURNS = 20_000
"""Up to so many legs are put together before the cases are met; of more, each case's own are looked at."""
GATHERED = 15_000
"""So many cases with a text are fetched from the index of words, before they are looked for in order."""
NEWEST = 1_000
"""So many of the newest cases tell whether a text is common."""

_UNDATED = "c.id not in (select d.id from cases d where d.due_at is not null)"
"""No due, in words an index answers: looked up in the row it would cost a page for each leg of a department."""
_NEWEST_FIRST = "c.received_at desc, c.id desc"
_WALKED = "c.id, c.due_at, c.received_at, c.area, c.town, c.desk, c.reporter, c.lon, c.lat"
"""What readers and marks ask of a case, all of it in the indexes of what is due and what is open."""


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
    asked = query.asked
    check(asked)
    found: list[dict[str, Any]] = []
    common = await _common(asked.text) if asked.text is not None and not is_number(asked.text) else False
    states = set(asked.state)
    over, is_open = states and states <= set(ENDED_STATES), states and not states & set(ENDED_STATES)
    if query.by_due and not over and (query.after is None or query.after.due):
        found = await _walked(query, _DUE, common=common)
    if len(found) < query.limit and not (query.by_due and asked.overdue):
        rest = query.limit - len(found)
        after = None if query.after is None or query.after.due else query.after
        others = _with(query, rest, after)
        found += await (_walked(others, _OPEN, common=common) if is_open else _by_age(others, common=common))
    return found


def _with(query: Query, limit: int, after: Mark | None) -> Query:
    return Query(query.asked, query.reach, query.directory, query.now, limit, query.by_due, after)


# ---- those that have a due, or are open: few beside all that are over


class _Walk(Struct, frozen=True):
    """An index of few cases, with what most filters and all readers ask of them (migration 0115), read in its order."""

    condition: str
    key: str
    direction: str
    beyond: str


_DUE = _Walk("c.due_at is not null", "due_at", "asc", ">")
_OPEN = _Walk(f"c.state not in ({ENDED_SQL})", "received_at", "desc", "<")


async def _walked(query: Query, walk: _Walk, *, common: bool) -> list[dict[str, Any]]:
    """Return the first that fit: the index is read from the mark on until the page is full.

    To its end that takes some milliseconds. Words are tried last, for they alone are not in the index.
    """
    asked, where = query.asked, Where()
    where.conditions.append(walk.condition)
    add_filter(where, replace(asked, state=(), overdue=None), query.now)
    if asked.state:
        add_state(where, asked.state)
    _add_due(where, query, walk)
    if asked.text is not None:
        _add_words(where, asked.text, few=not common)
    if query.after is not None:
        where.add(f"(c.{walk.key}, c.id) {walk.beyond} ({{}}, {{}})", query.after.at, query.after.id)
    seen = [await _seen_by(where, query)]
    if asked.box is not None:
        seen.insert(0, inside(where, asked.box))
    order = f"c.{walk.key} {walk.direction}, c.id {walk.direction}"
    rows = f"select {_WALKED} from {CASES} where {where.all()} order by {order} offset 0"
    found = f"select c.id from ({rows}) c where {' and '.join(seen)} offset 0"
    if where.late:
        words = f"select from {CASES} where c.id = f.id and {' and '.join(where.late)} offset 0"
        found = f"select f.id from ({found}) f cross join lateral ({words}) w"
    return await _rows(f"with found as ({found} limit {query.limit:d})", where, order)


def _add_due(where: Where, query: Query, walk: _Walk) -> None:
    """Add what is asked of the due, in the words of the phase."""
    if query.by_due and walk is _OPEN:
        where.add("c.due_at is null")
    elif query.asked.overdue is not None:
        later = "c.due_at >= {}" if walk is _DUE else "(c.due_at is null or c.due_at >= {})"
        where.add("c.due_at < {}" if query.asked.overdue else later, query.now)


async def _seen_by(where: Where, query: Query) -> str:
    """Return who sees a case as a condition. Few legs are put together first, many are looked for case by case."""
    found = doors(where, query.reach, query.directory)
    parts = [each.condition for each in found if each.table == CASES]
    turns = [each for each in found if each.table == LEGS]
    if turns:
        owners = [owner for each in turns for owner in each.organisations]
        few = not owners or await _few(TURNS, "case_leg s", "s.organisation = any($1::uuid[])", owners)
        held = "select s.case_id from case_leg s where " + " or ".join(f"({each.condition})" for each in turns)
        parts.append(f"c.id in ({held})" if few else f"exists (select from ({held}) s where s.case_id = c.id offset 0)")
    return "(" + " or ".join(parts) + ")" if parts else "false"


# ---- newest first


async def _by_age(query: Query, *, common: bool) -> list[dict[str, Any]]:
    """Return the newest; of a list by due those that have none."""
    asked, where = query.asked, Where()
    if asked.text is not None and not is_number(asked.text) and not common:
        gathered = await _gathered(query, asked.text)
        if gathered is not None:
            return gathered
    rest = _add_age(where, query)
    few = False
    if asked.text is not None:
        _add_words(where, asked.text, few=False)
    if asked.box is not None:
        few = await _few(RARE, CASES, "c.lon between $1 and $3 and c.lat between $2 and $4", *asked.box)
        (where.conditions if few else where.late).append(inside(where, asked.box))
    source = _fetched(where, query, [*rest, *where.late]) if few else _united(where, query, rest)
    return await _rows(source, where, _NEWEST_FIRST, query.limit)


def _add_age(where: Where, query: Query) -> list[str]:
    """Add filter and mark; return what is asked of the due beside."""
    add_filter(where, replace(query.asked, overdue=None) if query.by_due else query.asked, query.now)
    if query.after is not None:
        where.add("(c.received_at, c.id) < ({}, {})", query.after.at, query.after.id)
    return ["c.due_at is null"] if query.by_due else []


async def _gathered(query: Query, text: str) -> list[dict[str, Any]] | None:
    """Return the newest with a text through the index of words; None if more have it than are gathered."""
    where = Where()
    rest = _add_age(where, query)
    _add_words(where, text, few=True)
    if query.asked.box is not None:
        where.conditions.append(inside(where, query.asked.box))
    seen = await _seen_by(where, query)
    met = f"select {_WALKED} from {CASES} where {where.all(*rest)} limit {GATHERED + 1}"
    in_order = f"select c.* from met c order by {_NEWEST_FIRST} offset 0"
    row = await db.fetchrow(
        f"with met as materialized ({met}) select (select count(*) from met) as met,"
        f" array(select c.id from ({in_order}) c where {seen} limit {query.limit:d}) as ids",
        *where.arguments,
    )
    if row is None or row["met"] > GATHERED:
        return None
    rows = await db.fetch(
        f"select {COLUMNS} from {CASES} where c.id = any($1::uuid[]) order by {_NEWEST_FIRST}", row["ids"]
    )
    return [dict(each) for each in rows]


async def _rows(found: str, where: Where, order: str, limit: int | None = None) -> list[dict[str, Any]]:
    most = "" if limit is None else f" limit {limit:d}"
    rows = await db.fetch(
        f"{found} select {COLUMNS} from found f join cases c on c.id = f.id order by {order}{most}", *where.arguments
    )
    return [dict(row) for row in rows]


def _add_words(where: Where, text: str, *, few: bool) -> None:
    """Add a number, or a text that must occur: through its index if few have it, else tried row by row."""
    if add_number(where, text):
        return
    if few:
        where.add(f"{GRAMS} @> {{}}::text[]", pairs_of(text))
    (where.conditions if few else where.late).extend(text_conditions(where, text))


async def _common(text: str | None) -> bool:
    """Say whether a text occurs in so many of the newest cases that a page is full before the index is read."""
    newest = Where()
    pairs_of(text or "")
    rows = " and ".join(text_conditions(newest, text or ""))
    found: int = await db.fetchval(
        f"select count(*) from (select c.* from {CASES} order by c.received_at desc, c.id desc limit {NEWEST}) c"
        f" where {rows}",
        *newest.arguments,
    )
    return found * 50 > NEWEST


async def _few(most: int, table: str, condition: str, *values: Any) -> bool:
    found: int = await db.fetchval(
        f"select count(*) from (select from {table} where {condition} limit {most + 1}) f", *values
    )
    return found <= most


def _fetched(where: Where, query: Query, rest: list[str]) -> str:
    """Return a relation of all that fits: the filters leave little, fetched before it is put in order."""
    seen = visible(where, query.reach, query.directory)
    return f"with found as materialized (select c.id from {CASES} where {where.all(seen, *rest)})"


def _united(where: Where, query: Query, rest: list[str]) -> str:
    """Return a relation of the first that fit through each door, a page of each."""
    order = "received_at desc, id desc"
    branches = [_branch(where, door, query, order, rest) for door in doors(where, query.reach, query.directory)]
    united = " union ".join(branches) or "select null::uuid as id, null::timestamptz as received_at where false"
    return f"with found as (select id from ({united}) b order by {order} limit {query.limit:d})"


def _branch(where: Where, door: Door, query: Query, order: str, rest: list[str]) -> str:
    """Return the first page through one door.

    `offset 0` keeps the database from mixing the inner query with the rest, where its estimates mislead it.
    """
    page = f"order by {order} limit {query.limit:d}"
    late = " and ".join(where.late) or "true"
    if not door.ordered:  # few rows: each is looked up and tried
        name, column = ("case_leg s", "s.case_id") if door.table == LEGS else (CASES, "c.id")
        rows = f"select distinct {column} as id from {name} where {door.condition} offset 0"
        one = f"select c.id, c.received_at from {CASES} where c.id = d.id and {where.all(*rest, late)} offset 0"
        return f"(select f.id, f.received_at from ({rows}) d cross join lateral ({one}) f {page})"
    if door.table == CASES:
        rows = f"select c.* from {CASES} where {where.all(door.condition, *rest)} {_of('c', order)} offset 0"
        return f"(select c.id, c.received_at from ({rows}) c where {late} limit {query.limit:d})"
    alone = query.asked != Filter() and query.asked in (
        Filter(source=query.asked.source),
        Filter(item=query.asked.item),
    )  # then the indexes on source and item hold all that is asked, and no row need be read
    undated = [_UNDATED] if rest and alone else rest
    rows = f"select distinct s.case_id as id, s.received_at from {LEGS} where"
    return f"({rows} {where.all(door.condition, late, *undated, *_on_turns(where, query))} {page})"


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
