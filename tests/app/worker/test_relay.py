"""From the outbox to the queue: an emptied, absent or doubting queue loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as QueueAway

from app import doorbell, wiring
from app.kernel import changes, db
from app.worker import delivery, jobs, relay
from tests.tools import bells
from tests.tools.bells import TowerBellRung
from tests.tools.databases import as_owner

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=5)


@pytest_asyncio.fixture
async def tower(committed: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(wiring, "SUBSCRIBERS", {TowerBellRung: {"a": bells.note}})
    async with db.transaction(committed):
        await as_owner(bells.EFFECTS)
    yield committed
    async with db.transaction(committed):
        await as_owner("drop table bell_effect")


class Hat:
    """A queue that keeps what it is given, or refuses after some."""

    def __init__(self, room: int = 10_000) -> None:
        self.room = room
        self.held: list[UUID] = []
        self.changed = asyncio.Event()

    async def put(self, district: str, event_id: UUID) -> None:
        if len(self.held) >= self.room:
            raise QueueAway
        self.held.append(event_id)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait until it holds so many."""
        async with asyncio.timeout(5):
            while len(self.held) < count:
                await self.changed.wait()
                self.changed.clear()


async def test_all_that_waits_is_handed_over_in_batches(tower: str) -> None:
    event_ids = await bells.emit(tower, relay.BATCH + 3, NOW)
    hat = Hat()
    assert await relay.relay_once(tower, hat.put, lambda: SOON) == relay.BATCH + 3
    assert set(hat.held) == set(event_ids)
    assert await relay.relay_once(tower, hat.put, lambda: SOON) == 0


async def test_an_emptied_queue_is_filled_again_after_a_minute(tower: str, redis: Redis, redis_url: str) -> None:
    event_ids = await bells.emit(tower, 5, NOW)
    queue = jobs.Queue(redis_url)
    assert await relay.relay_once(tower, queue.put, lambda: SOON) == 5
    assert await redis.zcard(jobs.QUEUE) == 5
    await redis.flushdb()
    assert await relay.relay_once(tower, queue.put, lambda: SOON) == 0
    assert await relay.relay_once(tower, queue.put, lambda: SOON + timedelta(seconds=61)) == 5
    assert {UUID(name.decode()) for name in await redis.zrange(jobs.QUEUE, 0, -1)} == set(event_ids)
    await queue.close()


async def test_an_event_that_waits_in_the_queue_is_not_put_there_twice(
    tower: str, redis: Redis, redis_url: str
) -> None:
    [event_id] = await bells.emit(tower, 1, NOW)
    queue = jobs.Queue(redis_url)
    for _ in range(3):
        await queue.put(tower, event_id)
    assert await redis.zcard(jobs.QUEUE) == 1
    await queue.close()


async def test_what_an_absent_queue_did_not_take_is_offered_again_at_once(tower: str) -> None:
    event_ids = await bells.emit(tower, 10, NOW)
    hat = Hat(room=4)
    with pytest.raises(QueueAway):
        await relay.relay_once(tower, hat.put, lambda: SOON)
    hat.room = 100
    assert await relay.relay_once(tower, hat.put, lambda: SOON) == 6
    assert sorted(hat.held) == sorted(event_ids)


async def test_the_relay_outlives_a_queue_and_a_listener_that_go_away_and_is_woken_by_the_bell(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.05)
    hat = Hat(room=0)
    task = asyncio.create_task(relay.run(hat.put, lambda: datetime.now(UTC)))
    first = await bells.emit(tower, 3)
    await asyncio.sleep(0.2)
    async with db.transaction(tower):
        await as_owner(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and query like 'LISTEN%'"
        )
    hat.room = 100
    second = await bells.emit(tower, 3)
    await hat.until(6)
    monkeypatch.setattr(relay, "POLL_SECONDS", 3600)
    await asyncio.sleep(0.2)  # the last short poll is over: only the bell wakes the relay now
    async with doorbell.ringing():
        third = await bells.emit(tower, 3)
        await hat.until(9)
    assert sorted(hat.held) == sorted(first + second + third)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_district_in_trouble_holds_up_no_other(tower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "POLL_SECONDS", 0.05)
    await bells.emit("330110", 2)
    hat = Hat()
    async with db.transaction(tower):
        await as_owner("alter table outbox rename to outbox_away")
    try:
        task = asyncio.create_task(relay.run(hat.put, lambda: datetime.now(UTC)))
        await hat.until(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        async with db.transaction(tower):
            await as_owner("alter table outbox_away rename to outbox")


async def test_the_relay_gives_positions_to_the_change_feed(tower: str) -> None:
    async with db.transaction(tower):
        await changes.append("cell:1", "household", "a", 1, {"n": 1})
        assert await changes.read("cell:1", 0, 10) == []
    await relay.relay_once(tower, Hat().put, lambda: SOON)
    async with db.transaction(tower):
        assert [change.entity for change in await changes.read("cell:1", 0, 10)] == ["a"]


async def test_events_of_two_districts_are_delivered_each_in_its_own(tower: str) -> None:
    async with db.transaction("330110"):
        await as_owner(bells.EFFECTS)
    here, there = await bells.emit(tower, 2, NOW), await bells.emit("330110", 3, NOW)
    for district, event_ids in ((tower, here), ("330110", there)):
        for event_id in event_ids:
            await delivery.deliver(district, event_id, lambda: SOON)
            await delivery.deliver("330110" if district == tower else tower, event_id, lambda: SOON)
    assert set((await bells.effects(tower, "quick", here)).values()) == {1}
    assert set((await bells.effects("330110", "quick", there)).values()) == {1}
    assert set((await bells.effects(tower, "quick", there)).values()) == {0}
    async with db.transaction("330110"):
        await as_owner("drop table bell_effect")
