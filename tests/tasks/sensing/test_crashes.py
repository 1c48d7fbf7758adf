"""The worker may die between any two statements: readings and cases come out as if it had not (kill -9, fixed seed)."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from app.kernel import db
from tasks.sensing import watch_commands
from tasks.sensing.episodes import State, advance
from tasks.sensing.evaluation import tick
from tasks.sensing.rules import compile_rule, parse
from tests.tasks.sensing.underpass import DISTRICT, RULE, Underpass, at, build, count, send

SEED, KILLS = 20261123, 6
CHANGES = {"clear_for": 20, "max_gap": 60, "reopen_window": 30}

WORKER = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from app.identity import cipher
from app.kernel import db
from tasks.sensing import watch_commands

async def main(dsn, district, now):
    db.configure(dsn)
    cipher.configure("test", {"test": bytes(range(32))})
    await db.start(1, 2)
    print("up", flush=True)
    while True:
        await watch_commands.sweep(district, datetime.fromisoformat(now))

asyncio.run(main(*sys.argv[1:]))
"""


async def start(program: str, dsn: str, now: str) -> asyncio.subprocess.Process:
    """Run a worker and return it once it has said that it is up."""
    arguments = ("-c", program, dsn, DISTRICT, now)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    return process


@asynccontextmanager
async def worker(dsn: str, now: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that sweeps without end, ready when this yields; killed with SIGKILL afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        dsn,
        DISTRICT,
        now,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


def expected(pairs: list[tuple[float, float]]) -> list[tuple[str, int]]:
    """What the machine makes of the series in one go: (kind of step, episode)."""
    rule = compile_rule(parse(RULE | CHANGES))
    _, transitions, _ = advance(State(), rule, [(tick(at(s)), v) for s, v in sorted(pairs)])
    return [(t.target.value, t.episode or 0) for t in transitions]


async def pour(place: Underpass, pairs: list[tuple[float, float]], rng: random.Random) -> None:
    """Send a few readings at a time, some of them twice."""
    while pairs:
        batch, pairs[:3] = pairs[:3], []
        await send(place, *batch)
        if rng.random() < 0.3:
            rng.shuffle(batch)
            await send(place, *batch)
        await asyncio.sleep(rng.uniform(0, 0.02))


async def test_killed_workers_lose_and_double_nothing(committed: str, database: str):
    rng = random.Random(SEED)
    place = await build(CHANGES)
    series = [(float(n * 10), float(rng.choice((5, 5, 7, 9, 12, 14)))) for n in range(120)]
    share = len(series) // KILLS
    killed = 0
    for n in range(KILLS):
        async with worker(database, at(2000).isoformat()):
            await asyncio.gather(
                pour(place, series[n * share : (n + 1) * share], rng), asyncio.sleep(rng.uniform(0, 0.3))
            )
            killed += 1
    while await watch_commands.sweep(DISTRICT, at(2000)):
        pass
    async with db.transaction(DISTRICT):
        rows = await db.fetch(
            "select t.target, coalesce(a.number, 0) as number from alert_transition t"
            " left join alert a on a.id = t.alert order by t.at"
        )
        alerts = await db.fetch("select id, number, case_id from alert order by number")
        cases = await db.fetch("select id, external_id, signal from cases where source = 'sensing'")
    steps = expected(series)
    episodes = max(number for _, number in steps)
    assert killed == KILLS
    assert await count("reading") == len(series)
    assert [(row["target"], row["number"]) for row in rows] == steps
    assert [row["number"] for row in alerts] == list(range(1, episodes + 1))
    assert {f"alert:{row['id']}": row["case_id"] for row in alerts} == {row["external_id"]: row["id"] for row in cases}
    assert len(cases) == episodes
    state = await _state()
    assert state.episode == episodes


async def _state() -> State:
    async with db.transaction(DISTRICT):
        return msgspec.convert(await db.fetchval("select state from episode_state"), State)


async def test_a_worker_killed_between_its_statements_leaves_nothing_half_done(committed: str, database: str):
    """The case is open and the state is not yet written when the worker dies: all of it is undone, then done once."""
    place = await build()
    await send(place, (-10, 5))
    await watch_commands.sweep(DISTRICT, at(-10))
    await send(place, (0, 12))
    dying = WORKER.replace(
        'print("up", flush=True)',
        """
    from tasks.sensing import alert_store
    async def die(*_):
        print("up", flush=True)
        await asyncio.sleep(3600)
    alert_store.save = die
""",
    )
    process = await start(dying, database, at(1).isoformat())
    assert (await watch_commands.sweep(DISTRICT, at(1)), await count("cases")) == (1, 0)  # the other one holds it
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for _ in range(100):
        await watch_commands.sweep(DISTRICT, at(2))
        if await count("cases"):
            break
        await asyncio.sleep(0.05)  # until the server has noticed that the client is gone
    assert (await count("cases"), await count("alert"), await count("alert_transition")) == (1, 1, 1)
