"""Every query about rounds, assignments and coverage; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.identity.scope import Reach
from app.kernel import db
from visits.problems import RoundNotFound
from visits.rounds import Assignment, Half, Round
from visits.store import insert

_ROUND = ", ".join(Round.__struct_fields__)
_ASSIGNMENT = ", ".join(Assignment.__struct_fields__)


async def add_round(round_: Round) -> None:
    """Insert a round."""
    values: dict[str, Any] = {name: getattr(round_, name) for name in Round.__struct_fields__}
    values |= {
        "kind": round_.kind.value,
        "target": msgspec.to_builtins(round_.target),
        "squads": list(round_.squads),
        "state": round_.state.value,
        "area": round_.target.area,
    }
    await insert("visit_round", values)


async def find_round(round_id: UUID, *, lock: bool = False) -> Round | None:
    """Return a round or None."""
    row = await db.fetchrow(
        f"select {_ROUND} from visit_round where id = $1" + (" for update" if lock else ""), round_id
    )
    return None if row is None else msgspec.convert(dict(row), Round)


async def round_(round_id: UUID, *, lock: bool = False) -> Round:
    """Return a round, locked if asked; RoundNotFound."""
    found = await find_round(round_id, lock=lock)
    if found is None:
        raise RoundNotFound
    return found


async def save_state(round_: Round) -> None:
    """Write a round's state and version."""
    await db.execute(
        "update visit_round set state = $2, version = $3 where id = $1", round_.id, round_.state.value, round_.version
    )


async def rounds(reach: Reach, after: UUID | None, limit: int) -> list[Round]:
    """Return rounds in reach, newest first, from before `after` on: those of the areas, squads, or own lists."""
    rows = await db.fetch(
        f"select {_ROUND} from visit_round where ($1 or area like any($2::text[]) or squads && $3::uuid[]"
        " or id in (select round_id from assignment where person = $4))"
        " and ($5::uuid is null or id < $5) order by id desc limit $6",
        reach.everything,
        [f"{prefix}%" for prefix in reach.areas],
        list(reach.organisations),
        reach.person,
        after,
        limit,
    )
    return [msgspec.convert(dict(row), Round) for row in rows]


async def assignments(round_id: UUID, person: UUID | None = None) -> list[Assignment]:
    """Return the assignments of a round, each list in walking order."""
    rows = await db.fetch(
        f"select {_ASSIGNMENT} from assignment where round_id = $1 and ($2::uuid is null or person = $2)"
        " order by person, planned_on, place_in_walk, id",
        round_id,
        person,
    )
    return [msgspec.convert(dict(row), Assignment) for row in rows]


async def begin_day(day: date, now: datetime) -> bool:
    """Note that a day's lists are being renewed; False when they were already."""
    sql = "insert into visit_day (day, renewed_at) values ($1, $2) on conflict (day) do nothing"
    return await db.execute(sql, day, now) == 1


async def assignments_on(days: Sequence[date]) -> list[Assignment]:
    """Return what is still to be done on some days, in published rounds."""
    rows = await db.fetch(
        f"select {_ASSIGNMENT} from assignment where planned_on = any($1::date[]) and state = 'planned'"
        " and round_id in (select r.id from visit_round r where r.state = 'published') order by id",
        list(days),
    )
    return [msgspec.convert(dict(row), Assignment) for row in rows]


async def lock_assignments(round_id: UUID) -> list[Assignment]:
    """Lock and return all assignments of a round, by id (always the same order, so that nobody waits in a ring)."""
    rows = await db.fetch(f"select {_ASSIGNMENT} from assignment where round_id = $1 order by id for update", round_id)
    return [msgspec.convert(dict(row), Assignment) for row in rows]


async def lock_assignment(assignment_id: UUID) -> Assignment | None:
    """Lock and return one assignment."""
    row = await db.fetchrow(f"select {_ASSIGNMENT} from assignment where id = $1 for update", assignment_id)
    return None if row is None else msgspec.convert(dict(row), Assignment)


async def open_assignment(household_id: UUID, person: UUID, half: Half) -> Assignment | None:
    """Lock and return the person's open assignment of a household, one of that half of the day first."""
    row = await db.fetchrow(
        f"select {_ASSIGNMENT} from assignment where household_id = $1 and person = $2 and state = 'planned'"
        " and round_id in (select r.id from visit_round r where r.state = 'published')"
        " order by half <> $3, planned_on, id limit 1 for update",
        household_id,
        person,
        half.value,
    )
    return None if row is None else msgspec.convert(dict(row), Assignment)


async def lock_open_of(household_id: UUID) -> list[Assignment]:
    """Lock and return what is still planned of a household in rounds given out, by id."""
    rows = await db.fetch(
        f"select {_ASSIGNMENT} from assignment where household_id = $1 and state = 'planned'"
        " and round_id in (select r.id from visit_round r where r.state = 'published') order by id for update",
        household_id,
    )
    return [msgspec.convert(dict(row), Assignment) for row in rows]


async def has_person(round_id: UUID, person: UUID) -> bool:
    """Say whether anything of a round was given to a person."""
    sql = "select exists (select from assignment where round_id = $1 and person = $2)"
    return await db.fetchval(sql, round_id, person)


async def rounds_of(person: UUID) -> list[UUID]:
    """Return the published rounds in which somebody has open visits, by id."""
    rows = await db.fetch(
        "select distinct r.id from visit_round r join assignment a on a.round_id = r.id where a.person = $1"
        " and a.state = 'planned' and r.state = 'published' order by r.id",
        person,
    )
    return [row[0] for row in rows]


async def unsent(person: UUID) -> int:
    """Return how many ops the phones of somebody had not pushed when they last said so."""
    return await db.fetchval("select coalesce(sum(pending_after), 0) from device_sync where person = $1", person)


async def persons_of(household_id: UUID) -> frozenset[UUID]:
    """Return everybody who was ever given this household."""
    sql = "select distinct person from assignment where household_id = $1 and person is not null"
    return frozenset(row[0] for row in await db.fetch(sql, household_id))


async def put_assignments(assignments: Sequence[Assignment]) -> None:
    """Insert assignments, or replace what can change in those known, by one statement."""
    rows = [msgspec.structs.astuple(each) for each in assignments]
    if not rows:
        return
    types = {"planned_on": "date", "place_in_walk": "integer", "version": "integer", "half": "text", "state": "text"}
    names = Assignment.__struct_fields__
    arrays = ", ".join(f"${n}::{types.get(name, 'uuid')}[]" for n, name in enumerate(names, 1))
    changing = ("person", "squad", "planned_on", "place_in_walk", "state", "version")
    await db.execute(
        f"insert into assignment ({_ASSIGNMENT}) select * from unnest({arrays}) on conflict (id) do update set "
        + ", ".join(f"{name} = excluded.{name}" for name in changing),
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def has_half(round_id: UUID, household_id: UUID, half: Half) -> bool:
    """Say whether a round already has an assignment of a household for that half of the day."""
    return await db.fetchval(
        "select exists (select from assignment where round_id = $1 and household_id = $2 and half = $3)",
        round_id,
        household_id,
        half.value,
    )


async def loads(persons: Sequence[UUID], days: Sequence[date], other_than: UUID | None) -> dict[UUID, dict[date, int]]:
    """Return how many open visits of published rounds each person has on each of those days, one round left out."""
    rows = await db.fetch(
        "select person, planned_on, count(*) from assignment where person = any($1::uuid[])"
        " and planned_on = any($2::date[]) and state = 'planned' and ($3::uuid is null or round_id <> $3)"
        " and round_id in (select r.id from visit_round r where r.state = 'published') group by person, planned_on",
        list(persons),
        list(days),
        other_than,
    )
    found: dict[UUID, dict[date, int]] = {}
    for person, day, count in rows:
        found.setdefault(person, {})[day] = count
    return found
