"""The sweep over 100,000 open legs: its one query, and steps a second, beside bare reads and writes of them."""

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import system
from bench.figure import Figure
from bench.platform import DISTRICT, Context
from tasks.cases import intake, supervision_store, sweeping
from tasks.cases.intake import Report

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
SEEDS, LEGS = 100, 100_000
LATE = 1_000
"""So many of them are due; the others have time."""

_COPY = """
create temp table made as select l.id as leg, l.case_id as old, n, gen_random_uuid() as case_id, gen_random_uuid() as id
    from case_leg l, generate_series(1, $1::integer) n
"""


async def run(context: Context) -> list[Figure]:
    """Query times in ms, steps a second one after the other in one process."""
    dsn = await context.database()
    cipher.configure("bench", {"bench": bytes(32)})
    db.configure(dsn)
    await db.start(1, 4)
    connection: Any = await asyncpg.connect(dsn, server_settings={"search_path": f"d{DISTRICT},public"})
    try:
        await _fill(connection)
        found, bare = await _queries(connection)
        steps = await _steps()
        floor = await _bare_steps(connection)
    finally:
        await connection.close()
        await db.stop()
    return [
        Figure(name=f"sweep's query, {LEGS:,} open legs", value=found, unit="ms", floor=bare, floor_name="bare range"),
        Figure(name="sweep, each step", value=steps, unit="/s", floor=floor, floor_name="bare update and commit"),
    ]


async def _fill(connection: Any) -> None:
    """Open some cases by the one door, and multiply their rows."""
    lead = UUID(int=7 << 76 | 2 << 62 | 1)
    await connection.execute(
        "insert into area (code, level, name, valid_from) values ($1, 'district', '压测区', $2)",
        DISTRICT,
        NOW - timedelta(days=3650),
    )
    await connection.execute(
        "insert into organisation (id, kind, name, code, area) values ($1, 'centre', '压测中心', 'C', $2)",
        lead,
        DISTRICT,
    )
    reports = [  # one object said twice would be one case
        Report(source="bench", item="E0504", description=f"压测事件{n}", lead=lead, desk=lead) for n in range(SEEDS)
    ]
    async with db.transaction(DISTRICT):
        await intake.open_many(reports, system(DISTRICT, "bench"), NOW)
    await connection.execute(_COPY.replace("$1::integer", str(LEGS // SEEDS - 1)))
    await _multiply(connection, "cases", {"id": "m.case_id", "number": "t.number || '-' || m.n"}, "t.id = m.old")
    await _multiply(connection, "case_leg", {"id": "m.id", "case_id": "m.case_id"}, "t.id = m.leg")
    await connection.execute("update case_leg set next_urge_at = $1", NOW + timedelta(days=300))
    await connection.execute(
        "update case_leg set next_urge_at = $1 where id in (select id from case_leg order by id limit $2)", NOW, LATE
    )
    await connection.execute("vacuum analyze case_leg")
    await connection.execute("vacuum analyze cases")


async def _multiply(connection: Any, table: str, other: dict[str, str], on: str) -> None:
    columns = [
        row[0]
        for row in await connection.fetch(
            "select column_name from information_schema.columns where table_name = $1 and table_schema = $2"
            " and is_generated = 'NEVER'",
            table,
            f"d{DISTRICT}",
        )
    ]
    values = ", ".join(other.get(name, f"t.{name}") for name in columns)
    await connection.execute(
        f"insert into {table} ({', '.join(columns)}) select {values} from made m join {table} t on {on}"
    )


async def _queries(connection: Any) -> tuple[float, float]:
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(30):
        async with db.transaction(DISTRICT):
            began = time.perf_counter()
            assert len(await supervision_store.due(NOW, sweeping.BATCH)) == sweeping.BATCH
            ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        await connection.fetch(
            "select next_urge_at, id, case_id from case_leg where next_urge_at <= $1"
            " order by next_urge_at, id limit $2",
            NOW,
            sweeping.BATCH,
        )
        bare.append(time.perf_counter() - began)
    return median(ours) * 1000, median(bare) * 1000


async def _steps() -> float:
    began = time.perf_counter()
    made = await sweeping.sweep(DISTRICT, NOW + timedelta(days=10))
    assert made == LATE, made
    return made / (time.perf_counter() - began)


async def _bare_steps(connection: Any) -> float:
    legs = [row[0] for row in await connection.fetch("select id from case_leg limit $1", LATE)]
    began = time.perf_counter()
    for leg in legs:
        async with connection.transaction():
            await connection.execute("update case_leg set urges = urges + 1 where id = $1", leg)
    return len(legs) / (time.perf_counter() - began)
