"""Queries about households whose cell ended; the caller opens the transaction."""

from collections.abc import Sequence

from app.kernel import db
from visits.households import Household
from visits.store import HOUSEHOLD, household_of


async def lock_households_of(cells: Sequence[str]) -> list[Household]:
    """Lock and return the households of some cells, those moved out too, by id."""
    sql = f"select {', '.join(HOUSEHOLD)} from household where area = any($1::text[]) order by id for update"
    return [household_of(row) for row in await db.fetch(sql, list(cells))]


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
