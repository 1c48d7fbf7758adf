"""Evaluation: a month of the whole district computed and written, one team anew, one line opened to its facts."""

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from app.kernel import db
from app.kernel.actor import system
from bench.figure import Figure
from bench.platform import DISTRICT, Context
from scoring.teams import commands

MONTH = "2026-10"
START = datetime(2026, 9, 30, 16, tzinfo=UTC)
NOW = datetime(2026, 10, 31, 15, tzinfo=UTC)
FORCES = ("grid", "enforcement", "police")
TEAMS = 660
CASES = 120_000
VISITS = 25_000
TOWNS = 22

COLUMNS = (
    *("fact_id", "version", "kind", "force", "town", "team", "person", "item"),
    *("occurred_at", "due_at", "done_at", "attributes", "recorded_at"),
)

# What any computation must at least do: read the month's facts and count them by team. Writes nothing.
BARE = """
    select team, kind, count(*), count(*) filter (where done_at <= due_at) from fact
    where force = any($1) and (occurred_at >= $2 and occurred_at < $3 or due_at >= $2 and due_at < $3) group by 1, 2
"""


async def run(context: Context) -> list[Figure]:
    """Measure on a database of its own, filled with made-up facts of one month."""
    db.configure(await context.database())
    await db.start(1, 2)
    try:
        return await _measure()
    finally:
        await db.stop()


async def _measure() -> list[Figure]:
    async with db.transaction(DISTRICT):
        await _fill()
    async with db.transaction(DISTRICT):
        await db.execute("analyze fact")
    await commands.install_schemes(DISTRICT, START)
    actor = system(DISTRICT, "bench")
    async with db.transaction(DISTRICT):
        bare = await _best(lambda: db.fetch(BARE, list(FORCES), START, START + timedelta(days=31)))
    month = await _best(lambda: commands.recompute(MONTH, None, actor, NOW))

    async def one_team() -> None:
        await commands.mark_dirty(MONTH, ["grid-team-007"], actor, NOW)
        await commands.recompute_dirty(DISTRICT, NOW)

    team = await _best(one_team, 10)
    async with db.transaction(DISTRICT):
        await db.execute("analyze score_emission")
        opened = await _best(_drill_down, 20)
        scored = await db.fetchval("select count(*) from score")
    assert scored == TEAMS, scored
    return [
        Figure(
            name=f"scores of a month, {TEAMS} teams, written with emissions",
            value=month,
            unit="s",
            floor=bare,
            floor_name="one aggregate over the same facts",
        ),
        Figure(name="one team anew", value=team * 1000, unit="ms"),
        Figure(name="a line opened to its facts", value=opened * 1000, unit="ms"),
    ]


async def _best(work: Callable[[], Awaitable[Any]], times: int = 3) -> float:
    """Return the seconds of the fastest of some runs, the first one apart."""
    await work()
    taken: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return min(taken)


async def _drill_down() -> None:
    await db.fetch(
        "select f.* from score s join score_emission e using (run, subject), unnest(e.population) as p(fact_id)"
        " join fact f on f.fact_id = p.fact_id where s.subject = 'grid-team-007' and e.code = 'CLOSE_ONTIME'"
    )


async def _fill() -> None:
    """Write the facts of a month as cases and visits leave them."""
    rows = list(_facts())
    types = ("text", "int", *("text",) * 6, *("timestamptz",) * 3, "jsonb", "timestamptz")
    names = ", ".join(COLUMNS)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 1))
    for start in range(0, len(rows), 50_000):
        columns = (list(column) for column in zip(*rows[start : start + 50_000], strict=True))
        await db.execute(f"insert into fact ({names}) select {names} from unnest({arrays}) as f({names})", *columns)


def _facts() -> Iterator[tuple[Any, ...]]:
    chance = Random(1)
    for number in range(CASES):
        team = number % TEAMS
        began = START + timedelta(minutes=chance.randrange(28 * 1440))
        due = began + timedelta(hours=48)
        done = began + timedelta(hours=chance.uniform(1, 54))
        worked = {"reworks": int(chance.random() < 0.06), "deferred": chance.random() < 0.04}
        yield _fact("case", number, team, began, due, done, worked)
        yield _fact("signing", number, team, began, began + timedelta(hours=2), began + timedelta(hours=1), {})
        if number % 3 == 0:
            said = {"passed": chance.random() < 0.9, "by_system": False}
            yield _fact("verification", number, team, done, due, done, said)
        if number % 2 == 0:
            said = {"answered": chance.random() < 0.6, "satisfied": chance.random() < 0.85}
            yield _fact("survey", number, team, done, due, done, said)
    for number in range(VISITS):
        began = START + timedelta(minutes=chance.randrange(25 * 1440))
        met = began + timedelta(days=1) if chance.random() < 0.7 else None
        half = {"half": "night" if number % 2 else "day", "cancelled": False}
        yield _fact("visit_due", number, number % TEAMS // 3 * 3, began, began + timedelta(days=3), met, half)


def _fact(
    kind: str,
    number: int,
    team: int,
    occurred: datetime,
    due: datetime,
    done: datetime | None,
    attributes: dict[str, Any],
) -> tuple[Any, ...]:
    force = FORCES[team % 3]
    town = f"{DISTRICT}{team % TOWNS + 1:03}"
    who = (f"{kind}:{number}", 1, kind, force, town, f"{force}-team-{team // 3:03}", f"person-{team * 9}", "E001")
    return *who, occurred, due, done, attributes, done or occurred
