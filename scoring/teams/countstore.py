"""Counts the facts behind the lines of a scheme, in the database; the caller opens the transaction."""

from datetime import datetime

from msgspec import Struct

from app.kernel import db
from scoring.teams import aggregation
from scoring.teams.aggregation import Selection
from scoring.teams.engine import Tally
from scoring.teams.measures import Measure
from scoring.teams.scheme import Scheme


class Counted(Struct, frozen=True):
    """What the database counted: tallies by subject, and the town of each subject."""

    tallies: dict[str, dict[str, Tally]]
    towns: dict[str, str | None]


async def count(scheme: Scheme, selection: Selection) -> Counted:
    """Count the facts behind every line; the same numbers as `engine.tally` over all facts."""
    tallies: dict[str, dict[str, Tally]] = {}
    towns: dict[str, str | None] = {}
    sql, arguments = aggregation.subjects(scheme, selection)
    if selection.subjects is not None:
        sql, arguments = aggregation.named_subjects(scheme, selection)
    for subject, town in await db.fetch(sql, *arguments):
        tallies[subject], towns[subject] = {}, town
    sql, arguments = aggregation.tallies(scheme, selection)
    for subject, code, counted, population in await db.fetch(sql, *arguments):
        if code:
            tallies[subject][code] = Tally(tuple(counted), tuple(population))
        else:
            towns[subject] = counted[0]
    return Counted(tallies, towns)


async def count_beside(scheme: Scheme, measure: Measure, subject: str, selection: Selection) -> tuple[int, int]:
    """Return numerator and denominator of one more measure of one subject."""
    sql, arguments = aggregation.count(scheme, measure, subject, selection)
    row = await db.fetchrow(sql, *arguments)
    return (0, 0) if row is None else (row[0], row[1])


async def changed_subjects(level: str, since: datetime, start: datetime, end: datetime) -> list[str]:
    """Return the subjects of all versions of facts that have a version recorded after `since` and touch the period."""
    rows = await db.fetch(
        f"select distinct f.{level} as subject from fact f where f.{level} <> '' and f.fact_id in"
        " (select fact_id from fact where recorded_at > $1)"
        " and ((f.occurred_at >= $2 and f.occurred_at < $3) or (f.due_at >= $2 and f.due_at < $3)"
        " or (f.done_at >= $2 and f.done_at < $3))",
        since,
        start,
        end,
    )
    return [row["subject"] for row in rows]
