"""Queries of figures by area, for tables and map layers; the caller opens the transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.identity.scope import Reach
from app.kernel import db
from visits.coverage import DIGITS, Coverage, Heat, Level, Tally
from visits.store import within

_OUTCOMES = ("met", "moved", "refused", "unsafe", "absent")
"""Best first: a household counts under the first of these that any of its visits had."""


def _counts(best: str, prefix: str = "") -> str:
    return ", ".join(
        f"count(*) filter (where {best} = {rank}) as {prefix}{outcome}" for rank, outcome in enumerate(_OUTCOMES, 1)
    )


async def coverage(round_id: UUID, level: Level, person: UUID | None = None) -> list[Coverage]:
    """Return the coverage of a round at one level, by area; only of a person's own households where one is named.

    A household counts once, under its best outcome of the round; visits by day and night and demands count each.
    """
    rows = await db.fetch(
        f"""
        with due as (
            select h.id, left(h.area, $2) as area, bool_or(a.half = 'day') as day, bool_or(a.half = 'night') as night
            from assignment a join household h on h.id = a.household_id
            where a.round_id = $1 and a.state <> 'cancelled' group by h.id
            having $3::uuid is null or bool_or(a.person = $3)
        ), ranked as (
            select household_id, half, cardinality(cases) as demands, solved,
                array_position(array[{", ".join(f"'{each}'" for each in _OUTCOMES)}], outcome) as rank
            from visit where round_id = $1
        ), seen as (
            select household_id, min(rank) as best,
                min(rank) filter (where half = 'day') as day_best,
                min(rank) filter (where half = 'night') as night_best,
                count(*) filter (where half = 'day') as day, count(*) filter (where half = 'night') as night,
                sum(demands) as demands, sum(solved) as solved
            from ranked group by household_id
        )
        select due.area, count(*) as due, {_counts("best")},
            coalesce(sum(seen.day), 0)::bigint as day, coalesce(sum(seen.night), 0)::bigint as night,
            coalesce(sum(demands), 0)::bigint as demands, coalesce(sum(solved), 0)::bigint as solved,
            count(*) filter (where due.day) as day_due, {_counts("day_best", "day_")},
            count(*) filter (where due.night) as night_due, {_counts("night_best", "night_")}
        from due left join seen on seen.household_id = due.id group by due.area order by due.area
        """,
        round_id,
        DIGITS[level],
        person,
    )
    return [_coverage(dict(row)) for row in rows]


def _coverage(row: dict[str, Any]) -> Coverage:
    def tally(half: str) -> Tally:
        return Tally(**{name: row.pop(f"{half}_{name}") for name in Tally.__struct_fields__})

    return Coverage(by_day=tally("day"), by_night=tally("night"), **row)


async def heat(reach: Reach, since: datetime, until: datetime, area: str | None, level: Level) -> list[Heat]:
    """Return visits in reach that began in a span (the end is exclusive), counted by area, below one if named.

    A visit counts where it was made: under the cell its household was in then.
    """
    args: list[Any] = [since, until, f"{area or ''}%", DIGITS[level]]
    mine = within(reach, args, "area", "person = {}")
    rows = await db.fetch(
        "select left(area, $4) as area, count(*) as visits,"
        " count(*) filter (where outcome = 'met') as met, count(*) filter (where outcome = 'absent') as absent,"
        " count(*) filter (where outcome = 'refused') as refused,"
        " count(*) filter (where half = 'day') as day, count(*) filter (where half = 'night') as night,"
        " sum(cardinality(cases))::bigint as demands, sum(solved)::bigint as solved"
        f" from visit where started_at >= $1 and started_at < $2 and area like $3 and {mine}"
        " group by left(area, $4) order by left(area, $4)",
        *args,
    )
    return [Heat(**dict(row)) for row in rows]
