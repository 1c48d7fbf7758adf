"""Verifying the traces of 120,000 cases, beside hashing the same steps alone."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import system
from bench.figure import Figure
from bench.platform import DISTRICT, Context
from tasks.cases import intake, store, trace, trail
from tasks.cases.intake import Report

CASES, BATCH = 120_000, 2_000
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


async def run(context: Context) -> list[Figure]:
    """Cases and steps a second, seconds for a daily root. Raises AssertionError when a chain does not hold."""
    cipher.configure("bench", {"bench": bytes(32)})
    db.configure(await context.database())
    await db.start(1, 2)
    try:
        await _fill()
        began = time.perf_counter()
        found = await trail.verify_all(DISTRICT)
        took = time.perf_counter() - began
        assert found.broken is None, found.broken
        assert found.cases == CASES, found.cases
        began = time.perf_counter()
        assert await trail.seal_day(DISTRICT, NOW + timedelta(hours=1))
        root = time.perf_counter() - began
        bare = await _hashing()
    finally:
        await db.stop()
    steps = found.links / took
    return [
        Figure(name=f"trail verify, {CASES:,} cases", value=CASES / took, unit="cases/s"),
        Figure(name="trail verify, steps", value=steps, unit="/s", floor=bare, floor_name="SHA-256 of as many texts"),
        Figure(name=f"daily root over {CASES:,} cases", value=root, unit="s"),
    ]


async def _fill() -> None:
    """Open the cases by the one door, with a desk and a lead each."""
    lead = UUID(int=7 << 76 | 2 << 62 | 1)
    async with db.transaction(DISTRICT):
        await db.execute(
            "insert into area (code, level, name, valid_from) values ($1, 'district', '压测区', $2)",
            DISTRICT,
            NOW - timedelta(days=3650),
        )
        await db.execute(
            "insert into organisation (id, kind, name, code, area) values ($1, 'centre', '压测中心', 'C', $2)",
            lead,
            DISTRICT,
        )
    for _ in range(CASES // BATCH):
        async with db.transaction(DISTRICT):
            reports = [
                Report(source="bench", item="E0504", description=f"压测事件{n}", lead=lead, desk=lead)
                for n in range(BATCH)
            ]
            await intake.open_many(reports, system(DISTRICT, "bench"), NOW)


async def _hashing() -> float:
    """Steps a second when the texts lie ready in memory and nothing but their hash is computed."""
    async with db.transaction(DISTRICT):
        chains = await store.links_of([case for case, _ in await store.heads(None, BATCH)])
    texts = [
        trace.canonical([str(each.case), each.seq, str(each.actor), each.type, each.body, each.prev_hash])
        for chain in chains.values()
        for each in chain
    ]
    began = time.perf_counter()
    for text in texts:
        trace.digest(text)
    return len(texts) / (time.perf_counter() - began)
