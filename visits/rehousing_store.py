"""Queries about households and rounds whose cell ended; the caller opens the transaction."""

from collections.abc import Sequence

import msgspec

from app.kernel import db
from visits.households import Household
from visits.rounds import Round
from visits.store import HOUSEHOLD, household_of


async def lock_households_of(cells: Sequence[str]) -> list[Household]:
    """Lock and return the households of some cells, those moved out too, by id."""
    sql = f"select {', '.join(HOUSEHOLD)} from household where area = any($1::text[]) order by id for update"
    return [household_of(row) for row in await db.fetch(sql, list(cells))]


async def lock_rounds_of(cells: Sequence[str]) -> list[Round]:
    """Lock and return the rounds for exactly these cells that are not closed, by id."""
    rows = await db.fetch(
        f"select {', '.join(Round.__struct_fields__)} from visit_round where area = any($1::text[])"
        " and state <> 'closed' order by id for update",
        list(cells),
    )
    return [msgspec.convert(dict(row), Round) for row in rows]


async def save_target(round_: Round) -> None:
    """Write whom a round is for; the caller has locked it and counted its version up."""
    await db.execute(
        "update visit_round set target = $2, area = $3, version = $4 where id = $1",
        round_.id,
        msgspec.to_builtins(round_.target),
        round_.target.area,
        round_.version,
    )


async def move_households(moved: Sequence[Household]) -> None:
    """Write the areas of households (locked by the caller, their versions counted up), by one statement."""
    await db.execute(
        "update household h set area = m.area, version = m.version, updated_at = m.at from unnest($1::uuid[],"
        " $2::text[], $3::integer[], $4::timestamptz[]) as m(id, area, version, at) where h.id = m.id",
        [home.id for home in moved],
        [home.area for home in moved],
        [home.version for home in moved],
        [home.updated_at for home in moved],
    )
