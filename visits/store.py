"""Every query about households, questionnaires and visits; the caller opens the transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.exceptions import UniqueViolationError

from app.identity.scope import Reach
from app.kernel import db
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from visits.households import CareNeed, Household, ImportRow, address_key
from visits.problems import (
    AddressTaken,
    HouseholdIdTaken,
    HouseholdNotFound,
    QuestionnaireNotFound,
    VersionTaken,
    VisitNotFound,
)
from visits.questionnaire import Questionnaire
from visits.visit import Visit

_RECEIVED = ("received_lon", "received_lat", "received_datum", "received_accuracy_m")


def _columns(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Columns of a struct's table: its fields, the point as received in four of its own."""
    return (*(name for name in kind.__struct_fields__ if name != "received"), *_RECEIVED)


_OPEN_TURNS = "assignment a join visit_round r on r.id = a.round_id where a.state = 'planned' and r.state = 'published'"
HOUSEHOLD = _columns(Household)
VISIT = _columns(Visit)


async def insert(table: str, values: dict[str, Any]) -> None:
    """Insert one row; names are ours, values are parameters."""
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into {table} ({', '.join(values)}) values ({places})", *values.values())


def _received(place: Place | None) -> dict[str, Any]:
    values = (None,) * 4 if place is None else (place.lon, place.lat, place.datum.value, place.accuracy_m)
    return dict(zip(_RECEIVED, values, strict=True))


def _with_place(row: Any) -> dict[str, Any]:
    values = dict(row)
    lon, lat, datum, accuracy = (values.pop(name) for name in _RECEIVED)
    values["received"] = None if datum is None else {"lon": lon, "lat": lat, "datum": datum, "accuracy_m": accuracy}
    return values


def household_of(row: Any) -> Household:
    """Make a household of a row with all its columns."""
    return msgspec.convert(_with_place(row), Household)


def visit_of(row: Any) -> Visit:
    """Make a visit of a row with all its columns."""
    return msgspec.convert(_with_place(row), Visit)


# Households


async def add_household(household: Household, actor: UUID) -> None:
    """Insert a household and its first version; AddressTaken, HouseholdIdTaken."""
    values = {name: getattr(household, name) for name in HOUSEHOLD if name not in _RECEIVED}
    values |= {"consent": household.consent.value, "care_needs": list(household.care_needs)}
    try:
        async with db.transaction(db.current().district or ""):
            await insert("household", values | _received(household.received))
    except UniqueViolationError as error:
        sql = "select id from household where address_key = $1 and moved_out_at is null"
        there = await db.fetchval(sql, household.address_key)
        raise (HouseholdIdTaken() if there is None else AddressTaken(household=there)) from error
    await add_version(household, actor)


async def save_household(household: Household) -> None:
    """Write all that can change in a household; the caller has locked it and counted its version up."""
    await db.execute(
        "update household set residents = $2, contact = $3, consent = $4, care_needs = $5, refused_at = $6,"
        " unsafe_until = $7, last_visit_at = $8, moved_out_at = $9, version = $10, updated_at = $11 where id = $1",
        household.id,
        household.residents,
        household.contact,
        household.consent.value,
        list(household.care_needs),
        household.refused_at,
        household.unsafe_until,
        household.last_visit_at,
        household.moved_out_at,
        household.version,
        household.updated_at,
    )


async def add_version(household: Household, actor: UUID) -> None:
    """Keep the mergeable fields of a version."""
    await insert(
        "household_version",
        {
            "id": new_id(),
            "household_id": household.id,
            "version": household.version,
            "fields": merge_fields(household),
            "actor": actor,
            "at": household.updated_at,
        },
    )


def merge_fields(household: Household) -> dict[str, Any]:
    """Return the fields phones may change."""
    return {
        "residents": household.residents,
        "consent": household.consent.value,
        "care_needs": sorted(need.value for need in household.care_needs),
    }


async def fields_at(household_id: UUID, version: int) -> dict[str, Any] | None:
    """Return the mergeable fields of a household as of a version: the newest one kept not after it."""
    return await db.fetchval(
        "select fields from household_version where household_id = $1 and version <= $2 order by version desc limit 1",
        household_id,
        version,
    )


async def household(household_id: UUID, *, lock: bool = False) -> Household:
    """Return a household, locked if asked; HouseholdNotFound."""
    sql = f"select {', '.join(HOUSEHOLD)} from household where id = $1" + (" for update" if lock else "")
    row = await db.fetchrow(sql, household_id)
    if row is None:
        raise HouseholdNotFound
    return household_of(row)


def within(reach: Reach, args: list[Any], area: str, own: str | None) -> str:
    """Return the WHERE clause of a reach; its values are added to `args`. `own` is SQL with the person as `{}`."""
    if reach.everything:
        return "true"
    clauses: list[str] = []
    for prefix in reach.areas:
        args.append(f"{prefix}%")
        clauses.append(f"{area} like ${len(args)}")
    if reach.person is not None and own is not None:
        args.append(reach.person)
        clauses.append(own.format(f"${len(args)}"))
    return f"({' or '.join(clauses)})" if clauses else "false"


async def households(
    reach: Reach, area: str | None, care_need: CareNeed | None, after: UUID | None, limit: int
) -> list[Household]:
    """Return households in reach by id, from after `after` on, in a subtree and with a care need where asked."""
    args: list[Any] = []
    own = f"id in (select a.household_id from {_OPEN_TURNS} and a.person = {{}})"
    where = [within(reach, args, "area", own)]
    for value, clause in (
        (None if area is None else f"{area}%", "area like ${}"),
        (care_need, "${} = any(care_needs)"),
        (after, "id > ${}"),
    ):
        if value is not None:
            args.append(value)
            where.append(clause.format(len(args)))
    args.append(limit)
    sql = f"select {', '.join(HOUSEHOLD)} from household where {' and '.join(where)} order by id limit ${len(args)}"
    return [household_of(row) for row in await db.fetch(sql, *args)]


async def households_of(ids: Sequence[UUID]) -> list[Household]:
    """Return households by their ids, in no order."""
    sql = f"select {', '.join(HOUSEHOLD)} from household where id = any($1::uuid[])"
    return [household_of(row) for row in await db.fetch(sql, list(ids))]


async def candidates(
    area: str, care_need: CareNeed | None, not_since: datetime | None, ids: Sequence[UUID]
) -> list[Household]:
    """Return the households a round's target names, by id."""
    rows = await db.fetch(
        f"select {', '.join(HOUSEHOLD)} from household where area like $1 and moved_out_at is null"
        " and ($2::text is null or $2 = any(care_needs))"
        " and ($3::timestamptz is null or last_visit_at is null or last_visit_at < $3)"
        " and (cardinality($4::uuid[]) = 0 or id = any($4)) order by id",
        f"{area}%",
        care_need,
        not_since,
        list(ids),
    )
    return [household_of(row) for row in rows]


async def visits_since(households: Sequence[UUID], since: datetime) -> dict[UUID, int]:
    """Return how many visits each household has had since an instant; those with none are left out."""
    rows = await db.fetch(
        "select household_id, count(*) from visit where household_id = any($1::uuid[]) and started_at >= $2"
        " group by household_id",
        list(households),
        since,
    )
    return {row[0]: row[1] for row in rows}


async def taken_addresses(keys: Sequence[str]) -> frozenset[str]:
    """Return those of the address keys that belong to a household."""
    sql = "select address_key from household where address_key = any($1::text[]) and moved_out_at is null"
    return frozenset(row[0] for row in await db.fetch(sql, list(keys)))


async def copy_households(rows: Iterable[ImportRow], sealed: dict[UUID, str], now: datetime) -> int:
    """Write imported households by COPY and return how many. `sealed`: household → contact, sealed."""
    return await db.copy("household", HOUSEHOLD, (_import_values(row, sealed.get(row.id), now) for row in rows))


async def copy_versions(rows: Sequence[ImportRow], actor: UUID, now: datetime) -> None:
    """Keep the first versions of imported households, by one statement."""
    fields = [
        {"residents": row.residents, "consent": row.consent.value, "care_needs": sorted(row.care_needs)} for row in rows
    ]
    await db.execute(
        "insert into household_version (id, household_id, version, fields, actor, at)"
        " select v.id, v.household_id, 1, v.fields, $4, $5"
        " from unnest($1::uuid[], $2::uuid[], $3::jsonb[]) as v(id, household_id, fields)",
        [new_id() for _ in rows],
        [row.id for row in rows],
        fields,
        actor,
        now,
    )


def _import_values(row: ImportRow, contact: str | None, now: datetime) -> tuple[Any, ...]:
    values = {
        "id": row.id,
        "address": row.address,
        "address_key": address_key(row.address),
        "area": row.area,
        "lon": row.lon,
        "lat": row.lat,
        "residents": row.residents,
        "contact": contact,
        "consent": row.consent.value,
        "care_needs": list(row.care_needs),
        "version": 1,
        "created_at": now,
        "updated_at": now,
    } | _received(row.received or Place(row.lon, row.lat, Datum.WGS84))
    return tuple(values.get(name) for name in HOUSEHOLD)


async def cells_below(prefixes: Sequence[str], person: UUID) -> list[str]:
    """Return the area codes of households below the prefixes or planned for the person."""
    rows = await db.fetch(
        "select h.area from unnest($1::text[]) as p(code) join household h on h.area ~>=~ p.code and h.area ~<~ (p.code"
        " || ':') where h.moved_out_at is null union select h.area from household h where h.id in"
        f" (select a.household_id from {_OPEN_TURNS} and a.person = $2) order by 1",
        list(prefixes),
        person,
    )
    return [row[0] for row in rows]


async def squads_with_turns(person: UUID) -> frozenset[UUID]:
    """Return the squads for which the person has open turns."""
    rows = await db.fetch(f"select distinct a.squad from {_OPEN_TURNS} and a.person = $1", person)
    return frozenset(row[0] for row in rows if row[0] is not None)


# Questionnaires


async def add_questionnaire(questionnaire: Questionnaire) -> None:
    """Publish a version; VersionTaken when it exists."""
    values = {name: getattr(questionnaire, name) for name in Questionnaire.__struct_fields__}
    try:
        async with db.transaction(db.current().district or ""):
            await insert("questionnaire", values | {"questions": msgspec.to_builtins(questionnaire.questions)})
    except UniqueViolationError as error:
        raise VersionTaken from error


async def questionnaire(code: str, version: int) -> Questionnaire:
    """Return a published version; QuestionnaireNotFound."""
    row = await db.fetchrow(
        "select id, code, version, title, questions, published_at from questionnaire where code = $1 and version = $2",
        code,
        version,
    )
    if row is None:
        raise QuestionnaireNotFound(questionnaire=code, version=version)
    return msgspec.convert(dict(row), Questionnaire)


async def questionnaires() -> list[Questionnaire]:
    """Return all published versions, newest first."""
    rows = await db.fetch(
        "select id, code, version, title, questions, published_at from questionnaire order by code, version desc"
    )
    return [msgspec.convert(dict(row), Questionnaire) for row in rows]


# Visits


async def add_visit(visit: Visit, solved: int) -> None:
    """Insert a visit; `solved` of its cases were solved at the door."""
    values = {name: getattr(visit, name) for name in VISIT if name not in _RECEIVED}
    values |= {
        "companions": list(visit.companions),
        "outcome": visit.outcome.value,
        "half": visit.half.value,
        "cases": list(visit.cases),
        "flags": list(visit.flags),
        "solved": solved,
    }
    await insert("visit", values | _received(visit.received))


_VISIT_TYPES = {
    "id": "uuid", "household_id": "uuid", "assignment_id": "uuid", "round_id": "uuid", "person": "uuid",
    "squad": "uuid", "outcome": "text", "half": "text", "started_at": "timestamptz", "ended_at": "timestamptz",
    "captured_at": "timestamptz", "received_at": "timestamptz", "area": "text", "lon": "double precision",
    "lat": "double precision", "questionnaire": "text", "questionnaire_version": "integer", "note": "text",
}  # fmt: skip


async def add_visits(visits: Sequence[tuple[Visit, int]]) -> None:
    """Insert visits without companions, answers and flags by one statement, each with how many cases were solved."""
    names = ", ".join(_VISIT_TYPES)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_VISIT_TYPES.values(), 1))
    after = len(_VISIT_TYPES)
    await db.execute(
        f"insert into visit ({names}, cases, solved, companions, answers, flags, skew_s)"
        f" select {names}, string_to_array(cases, ' ')::uuid[], solved, '{{}}', '{{}}', '{{}}', 0"
        f" from unnest({arrays}, ${after + 1}::text[], ${after + 2}::integer[]) as v({names}, cases, solved)",
        *([getattr(visit, name) for visit, _ in visits] for name in _VISIT_TYPES),
        [" ".join(str(case) for case in visit.cases) for visit, _ in visits],
        [solved for _, solved in visits],
    )


async def note_last_visits(visits: Sequence[Visit], now: datetime) -> None:
    """Bring the day of the last visit of households up to these visits; phones learn it with the next change."""
    await db.execute(
        "update household set last_visit_at = v.last, updated_at = $3 from (select household_id, max(at) as last"
        " from unnest($1::uuid[], $2::timestamptz[]) as u(household_id, at) group by household_id) as v"
        " where household.id = v.household_id"
        " and (household.last_visit_at is null or household.last_visit_at < v.last)",
        [visit.household_id for visit in visits],
        [visit.started_at for visit in visits],
        now,
    )


async def find_visit(visit_id: UUID) -> Visit | None:
    """Return a visit or None."""
    row = await db.fetchrow(f"select {', '.join(VISIT)} from visit where id = $1", visit_id)
    return None if row is None else visit_of(row)


async def visit(visit_id: UUID) -> Visit:
    """Return a visit; VisitNotFound."""
    found = await find_visit(visit_id)
    if found is None:
        raise VisitNotFound
    return found


async def visits(
    reach: Reach, round_id: UUID | None, household_id: UUID | None, before: UUID | None, limit: int
) -> list[Visit]:
    """Return visits in reach, newest id first, from before `before` on."""
    args: list[Any] = []
    where = [within(reach, args, "area", "person = {}")]
    for value, clause in (
        (round_id, "round_id = ${}"),
        (household_id, "household_id = ${}"),
        (before, "id < ${}"),
    ):
        if value is not None:
            args.append(value)
            where.append(clause.format(len(args)))
    args.append(limit)
    sql = f"select {', '.join(VISIT)} from visit where {' and '.join(where)} order by id desc limit ${len(args)}"
    return [visit_of(row) for row in await db.fetch(sql, *args)]
