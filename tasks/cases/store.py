"""Every query that changes or locks a case; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import Struct
from piccolo.columns import Column
from piccolo.table import Table

from app.kernel import db
from app.kernel.crs import Place
from tasks.cases import trace
from tasks.cases.catalogue import Item
from tasks.cases.journal import EventRow, TextRow
from tasks.cases.model import ENDED, Case, Follower, Leg
from tasks.cases.tables import (
    CaseCommandRow,
    CaseContactRow,
    CaseEventRow,
    CaseLegRow,
    CaseRow,
    CaseTextRow,
)

STATE_COLUMNS = Case.__struct_fields__


def _types(table: type[Table]) -> dict[str, str]:
    return {name: value.column_type for name, value in vars(table).items() if isinstance(value, Column)}


def _rows(table: type[Table], parameter: int) -> str:
    """Return a relation over a JSON parameter: one statement writes any number of rows into any number of tables."""
    columns = ", ".join(f"{name} {type_}" for name, type_ in _types(table).items())
    return f"jsonb_to_recordset(${parameter}::jsonb) as x({columns})"


def _insert(table: type[Table], name: str, parameter: int) -> str:
    columns = ", ".join(_types(table))
    return f"insert into {name} ({columns}) select {columns} from {_rows(table, parameter)}"


def _update(columns: Sequence[str], values: str) -> str:
    return ", ".join(f"{name} = {values}.{name}" for name in columns if name != "id")


_LEGS = (
    _insert(CaseLegRow, "case_leg", 2) + " on conflict (id) do update set " + _update([*_types(CaseLegRow)], "excluded")
)
_TRACE = (
    f"e as ({_insert(CaseEventRow, 'case_event', 3)}), t as ({_insert(CaseTextRow, 'case_text', 4)}),"
    f" m as ({_insert(CaseCommandRow, 'case_command', 5)})"
)
_OPEN = (
    f"with c as ({_insert(CaseRow, 'cases', 1)}), l as ({_LEGS}), {_TRACE},"
    f" k as ({_insert(CaseContactRow, 'case_contact', 6)}) select 1"
)
_SAVE = (
    f"with c as (update cases set {_update(STATE_COLUMNS, 'x')}, updated_at = coalesce($6, cases.updated_at)"
    f" from {_rows(CaseRow, 1)} where cases.id = x.id),"
    f" l as ({_LEGS}), {_TRACE} select 1"
)
_CASE_NAMES = tuple(_types(CaseRow))
_CASE = f"select {', '.join(STATE_COLUMNS)} from cases where id = $1"
_LEG_COLUMNS = ", ".join(Leg.__struct_fields__)
_LINKS = "select case_id as case, seq, at, actor, organisation, type, body, prev_hash, hash, algorithm from case_event"
_LEGS_OF = f"select {_LEG_COLUMNS} from case_leg where case_id = $1 order by ordinal"


class CommandRow(Struct, frozen=True, kw_only=True):
    """A command id, a digest of what it asked for, and the answer it got."""

    id: UUID
    case_id: UUID
    request: str
    answer: dict[str, Any]
    at: datetime


class ContactRow(Struct, frozen=True, kw_only=True):
    """Name and phone as sealed texts, and the salt of the case's hashes."""

    case_id: UUID
    name: str | None
    phone: str | None
    salt: str


class Known(Struct, frozen=True):
    """What there is already: cases of the ids and sources asked for, and the marks of catalogue, rules, calendar."""

    by_id: dict[UUID, UUID]
    by_source: dict[tuple[str, str], UUID]
    catalogue: UUID | None
    rules: UUID | None
    calendar: UUID | None


async def known(ids: Sequence[UUID], sources: Sequence[str], externals: Sequence[str]) -> Known:
    """Return which of these cases exist, and the marks; one statement."""
    if not ids and not sources:  # most openings and every command: no plan over the cases is paid for
        only = await db.fetchrow("select catalogue, rules, calendar from case_marks where id = 1")
        return Known({}, {}, *(only or (None, None, None)))
    row = await db.fetchrow(
        "select (select jsonb_agg(id) from cases where id = any($1::uuid[])) as ids,"
        " (select jsonb_agg(jsonb_build_array(c.source, c.external_id, c.id)) from cases c join"
        " unnest($2::text[], $3::text[]) as s(source, external_id) using (source, external_id)) as externals,"
        " (select jsonb_build_array(catalogue, rules, calendar) from case_marks where id = 1) as marks",
        ids,
        sources,
        externals,
    )
    found = dict(row) if row is not None else {}
    marks = [None if mark is None else UUID(mark) for mark in found.get("marks") or (None, None, None)]
    return Known(
        {UUID(each): UUID(each) for each in found.get("ids") or ()},
        {(source, external): UUID(case) for source, external, case in found.get("externals") or ()},
        *marks,
    )


async def hold(keys: Sequence[int]) -> None:
    """Let nobody else open cases of these keys until the transaction ends: whoever waits then finds them opened."""
    await db.execute("select pg_advisory_xact_lock(k) from unnest($1::bigint[]) as k", sorted(set(keys)))


async def items() -> list[Item]:
    """Return the district's own versions of items."""
    return [msgspec.convert(row["body"], Item) for row in await db.fetch("select body from case_item")]


async def add_items(new: Sequence[Item], mark: UUID, now: datetime, ids: Sequence[UUID]) -> None:
    """Write new versions of items and change the mark."""
    await db.execute(
        "insert into case_item (id, code, version, body, created_at) select id, code, version, body, $5"
        " from unnest($1::uuid[], $2::text[], $3::integer[], $4::jsonb[]) as i(id, code, version, body)",
        list(ids),
        [item.code for item in new],
        [item.version for item in new],
        [msgspec.to_builtins(item) for item in new],
        now,
    )
    await db.execute(
        "insert into case_marks (id, catalogue) values (1, $1) on conflict (id) do update set catalogue = $1", mark
    )


async def lock(case_id: UUID) -> tuple[Case, tuple[Leg, ...]] | None:
    """Lock a case and return it with its legs; None if there is none.

    The legs are read by a statement of their own, after the lock: one snapshot for both would be older than the wait.
    """
    row = await db.fetchrow(_CASE + " for update", case_id)
    if row is None:
        return None
    legs = await db.fetch(_LEGS_OF, case_id)
    return msgspec.convert(dict(row), Case), tuple(msgspec.convert(dict(leg), Leg) for leg in legs)


async def legs(case_id: UUID) -> tuple[Leg, ...]:
    """Return a case's legs in order, unlocked."""
    return tuple(msgspec.convert(dict(leg), Leg) for leg in await db.fetch(_LEGS_OF, case_id))


async def cases(ids: Sequence[UUID]) -> list[Case]:
    """Return cases by id, unlocked; unknown ids are left out."""
    rows = await db.fetch(f"select {', '.join(STATE_COLUMNS)} from cases where id = any($1::uuid[])", list(ids))
    return [msgspec.convert(dict(row), Case) for row in rows]


async def turns_of(handler: UUID) -> list[tuple[UUID, UUID]]:
    """Lock the cases somebody works on and return (case, leg) of what is still to be done."""
    rows = await db.fetch(
        "select c.id, l.id from cases c join case_leg l on l.case_id = c.id where l.handler = $1"
        " and l.state in ('unsigned', 'signed') and c.state in ('assigned', 'handling', 'suspended')"
        " order by c.id, l.ordinal for update of c",
        handler,
    )
    return [(row[0], row[1]) for row in rows]


async def in_charge(handler: UUID) -> list[UUID]:
    """Lock the open cases somebody is in charge of and return their ids."""
    rows = await db.fetch(
        "select id from cases where handler = $1 and state <> all($2::text[]) order by id for update",
        handler,
        [state.value for state in ENDED],
    )
    return [row[0] for row in rows]


async def open_children(case_id: UUID) -> int:
    """Return how many cases below this one are not over."""
    return (await open_children_of([case_id])).get(case_id, 0)


async def open_children_of(cases: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many cases below each of these are not over, where there are any."""
    rows = await db.fetch(
        "select parent, count(*) from cases where parent = any($1::uuid[]) and state <> all($2::text[])"
        " group by parent",
        list(cases),
        [state.value for state in ENDED],
    )
    return {row[0]: row[1] for row in rows}


class JoinedRow(Struct, frozen=True, kw_only=True):
    """Somebody who joined a case, name and phone as sealed texts."""

    id: UUID
    case_id: UUID
    kind: str
    reporter: UUID | None
    name: str | None
    phone: str | None
    joined_at: datetime


async def join(row: JoinedRow) -> None:
    """Write down who joined a case."""
    await db.execute(
        "insert into case_reporter (id, case_id, kind, reporter, name, phone, joined_at)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (case_id, reporter) do nothing",
        *msgspec.structs.astuple(row),
    )


async def has_joined(case_id: UUID, reporter: UUID) -> bool:
    """Tell whether a citizen joined the case before."""
    return await db.fetchval(
        "select exists (select from case_reporter where case_id = $1 and reporter = $2)", case_id, reporter
    )


async def merged_into(case_id: UUID) -> UUID | None:
    """Return what a case was merged into, unlocked."""
    return await db.fetchval("select merged_into from cases where id = $1", case_id)


async def lock_all(ids: Sequence[UUID]) -> None:
    """Lock cases in the order of their ids."""
    await db.execute("select 1 from cases where id = any($1::uuid[]) order by id for update", list(ids))


async def set_place(case_id: UUID, place: Place) -> None:
    """Write a place as it was told, beside the point it stands for."""
    await db.execute(
        "update cases set raw_lon = $2, raw_lat = $3, datum = $4, accuracy_m = $5 where id = $1",
        case_id,
        place.lon,
        place.lat,
        place.datum.value,
        place.accuracy_m,
    )


async def reporters(case_id: UUID) -> list[Follower]:
    """Return who reported or joined a case or one merged into it, at any depth; whoever has no account is left out."""
    rows = await db.fetch(
        "with recursive tree as (select id, number, reporter, received_at from cases where id = $1 union"
        " select c.id, c.number, c.reporter, c.received_at from cases c join tree t on c.merged_into = t.id)"
        " select reporter, id, number from tree where reporter is not null union all"
        " select j.reporter, t.id, t.number from tree t join case_reporter j on j.case_id = t.id"
        " where j.reporter is not null",
        case_id,
    )
    return [Follower(reporter=row[0], case=row[1], number=row[2]) for row in rows]


async def answered(command_id: UUID) -> CommandRow | None:
    """Return what a command id was answered, if it came before."""
    row = await db.fetchrow("select id, case_id, request, answer, at from case_command where id = $1", command_id)
    return None if row is None else CommandRow(**dict(row))


async def open_all(
    cases: Sequence[dict[str, Any]],
    legs: Sequence[Leg],
    events: Sequence[EventRow],
    texts: Sequence[TextRow],
    contacts: Sequence[ContactRow],
) -> None:
    """Write new cases with all that belongs to them: one statement."""
    await db.fetchval(_OPEN, _dated(cases, events), list(legs), list(events), list(texts), [], list(contacts))


async def copy_all(
    cases: Sequence[dict[str, Any]],
    legs: Sequence[Leg],
    events: Sequence[EventRow],
    texts: Sequence[TextRow],
    contacts: Sequence[ContactRow],
) -> None:
    """Write many new cases with all that belongs to them by COPY."""
    dated = _dated(cases, events)
    await db.copy("cases", _CASE_NAMES, ([_plain(case[name]) for name in _CASE_NAMES] for case in dated))
    for table, kind, rows in (
        ("case_leg", Leg, legs),
        ("case_event", EventRow, events),
        ("case_text", TextRow, texts),
        ("case_contact", ContactRow, contacts),
    ):
        await db.copy(table, kind.__struct_fields__, ([*map(_plain, msgspec.structs.astuple(row))] for row in rows))


def _dated(cases: Sequence[dict[str, Any]], events: Sequence[EventRow]) -> list[dict[str, Any]]:
    """Return new cases with the time of their last step."""
    last = {event.case_id: event.at for event in events}  # in the order of the trace
    return [case | {"updated_at": last.get(case["id"], case["received_at"])} for case in cases]


def _plain(value: Any) -> Any:
    """Return a value as COPY takes it: a tuple (pauses, extensions) as the list that JSON knows."""
    return [*cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


async def externals(source: str, prefix: str) -> list[str]:
    """Return the external ids of a source that begin so."""
    rows = await db.fetch(
        "select external_id from cases where source = $1 and starts_with(external_id, $2)", source, prefix
    )
    return [row[0] for row in rows]


async def save(
    cases: Sequence[Case],
    legs: Sequence[Leg],
    events: Sequence[EventRow],
    texts: Sequence[TextRow],
    commands: Sequence[CommandRow],
) -> None:
    """Write cases, their changed legs, traces, texts and the commands' answers: one statement."""
    at = max((event.at for event in events), default=None)
    await db.fetchval(_SAVE, list(cases), list(legs), list(events), list(texts), list(commands), at)


async def links(case_id: UUID) -> list[trace.Link]:
    """Return a case's trace in order."""
    rows = await db.fetch(_LINKS + " where case_id = $1 order by seq", case_id)
    return [trace.Link(**dict(row)) for row in rows]


async def heads(after: UUID | None, limit: int) -> list[tuple[UUID, trace.Head]]:
    """Return the ends of chains as the cases' rows hold them, in the order of ids, past `after`."""
    rows = await db.fetch(
        "select id, trace_seq, trace_hash from cases where $1::uuid is null or id > $1 order by id limit $2",
        after,
        limit,
    )
    return [(row[0], trace.Head(row[1], row[2])) for row in rows]


async def links_of(cases: Sequence[UUID]) -> dict[UUID, list[trace.Link]]:
    """Return the traces of several cases, each in order."""
    rows = await db.fetch(_LINKS + " where case_id = any($1::uuid[]) order by case_id, seq", list(cases))
    found: dict[UUID, list[trace.Link]] = {}
    for row in rows:
        found.setdefault(row["case"], []).append(trace.Link(**dict(row)))
    return found
