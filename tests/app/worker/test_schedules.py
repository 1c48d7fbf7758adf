"""A schedule runs once per period however many workers there are, and again when a worker died with it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app import wiring
from app.kernel import db
from app.worker import schedules
from tests.tools.databases import as_owner

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Runs:
    """Counts runs, and looks whether two ever overlapped."""

    def __init__(self) -> None:
        self.at: list[datetime] = []
        self.inside = 0
        self.overlapped = False

    async def __call__(self, district: str, now: datetime) -> None:
        self.inside += 1
        self.overlapped |= self.inside > 1
        await asyncio.sleep(0.05)
        self.inside -= 1
        self.at.append(now)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    runs = Runs()
    monkeypatch.setattr(wiring, "SCHEDULES", {"count": (HOUR, runs)})
    return runs


async def test_workers_side_by_side_run_a_due_schedule_once(committed: str, runs: Runs) -> None:
    done = await asyncio.gather(*(schedules.run_due(committed, lambda: NOW) for _ in range(6)))
    assert sorted(len(names) for names in done) == [0, 0, 0, 0, 0, 1]
    assert runs.at == [NOW]
    assert not runs.overlapped


async def test_it_is_due_again_after_its_period_and_missed_periods_are_not_made_up_for(
    committed: str, runs: Runs
) -> None:
    for now in (NOW, NOW + HOUR / 2, NOW + HOUR, NOW + 7 * HOUR, NOW + 7 * HOUR):
        await schedules.run_due(committed, lambda now=now: now)
    assert runs.at == [NOW, NOW + HOUR, NOW + 7 * HOUR]


async def test_a_lease_whose_worker_died_is_taken_over_when_it_ends(committed: str, runs: Runs) -> None:
    async with db.transaction(committed):
        await schedules.add_missing(["count"], NOW)
        assert await schedules.claim(["count"], NOW) == "count"  # and its worker is killed
    just_before, after = NOW + schedules.LEASE - timedelta(seconds=1), NOW + schedules.LEASE
    assert await schedules.run_due(committed, lambda: just_before) == []
    assert await schedules.run_due(committed, lambda: after) == ["count"]
    assert runs.at == [after]


async def test_a_worker_that_stops_gives_its_lease_back(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running = asyncio.Event()

    async def endless(district: str, now: datetime) -> None:
        running.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr(wiring, "SCHEDULES", {"endless": (HOUR, endless)})
    task = asyncio.create_task(schedules.run_due(committed, lambda: NOW))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.transaction(committed):
        assert await schedules.claim(["endless"], NOW) == "endless"


async def test_a_job_is_cut_off_before_its_lease_ends(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schedules.MOST < schedules.LEASE
    monkeypatch.setattr(schedules, "MOST", timedelta(seconds=0.05))

    async def endless(district: str, now: datetime) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(wiring, "SCHEDULES", {"endless": (HOUR, endless)})
    assert await schedules.run_due(committed, lambda: NOW) == ["endless"]
    async with db.transaction(committed):
        assert (await db.fetchval("select error from schedule")).startswith("TimeoutError")


async def test_a_job_that_fails_is_noted_runs_again_next_time_and_holds_up_no_other(
    committed: str, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(district: str, now: datetime) -> None:
        raise LookupError("no figures")

    monkeypatch.setattr(wiring, "SCHEDULES", {"broken": (HOUR, broken), "count": (HOUR, runs)})
    assert sorted(await schedules.run_due(committed, lambda: NOW)) == ["broken", "count"]
    async with db.transaction(committed):
        rows = await db.fetch("select name, due_at, error from schedule order by name")
    assert [tuple(row) for row in rows] == [
        ("broken", NOW + HOUR, "LookupError: no figures"),
        ("count", NOW + HOUR, None),
    ]


async def test_each_district_has_its_own_runs(committed: str, runs: Runs) -> None:
    for district in (committed, "330110"):
        assert await schedules.run_due(district, lambda: NOW) == ["count"]
    assert len(runs.at) == 2


async def test_a_run_that_lost_the_database_is_none_and_its_lease_ends_at_once(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = 0

    async def cut_off(district: str, now: datetime) -> None:
        nonlocal runs
        runs += 1
        async with db.transaction(district):
            if runs == 1:
                await as_owner("select pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(wiring, "SCHEDULES", {"cut off": (HOUR, cut_off)})
    await schedules.run_due(committed, lambda: NOW)
    assert runs == 2, "the second time in the same minute, not in an hour"
    async with db.transaction(committed):
        row = await db.fetchrow("select due_at, leased_until, error from schedule")
    assert row is not None
    assert tuple(row) == (NOW + HOUR, None, None)


async def test_a_lease_is_ended_once_the_database_is_back(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = dict(db.DB.config)
    pool = db.DB.pool

    async def lose(district: str, now: datetime) -> None:
        db.DB.pool = None  # from here on there is a database only after a while
        db.DB.config["dsn"] = "postgresql://zjw@/zjw?host=/nowhere"
        asyncio.get_running_loop().call_later(0.1, db.DB.config.update, there)

    monkeypatch.setattr(schedules, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(wiring, "SCHEDULES", {"lose": (HOUR, lose)})
    try:
        assert await schedules.run_due(committed, lambda: NOW) == ["lose"]
    finally:
        db.DB.config.update(there)
        db.DB.pool = pool
    async with db.transaction(committed):
        assert await db.fetchval("select leased_until is null and ran_at is not null from schedule")
