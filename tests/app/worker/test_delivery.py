"""One event, many subscribers: each has its effect once, and one that fails stops no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from app import wiring
from app.kernel import db, outbox
from app.worker import delivery
from tests.tools import bells
from tests.tools.bells import TowerBellRung
from tests.tools.databases import as_owner

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest_asyncio.fixture
async def tower(committed: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A district with a table for effects and no subscribers but the test's."""
    async with db.transaction(committed):
        await as_owner(bells.EFFECTS)
    yield committed
    async with db.transaction(committed):
        await as_owner("drop table bell_effect")


def subscribe(monkeypatch: pytest.MonkeyPatch, **subscribers: Any) -> None:
    monkeypatch.setattr(wiring, "SUBSCRIBERS", {TowerBellRung: subscribers})


async def one(district: str) -> UUID:
    return (await bells.emit(district, 1, NOW))[0]


async def write(event_id: UUID, name: str) -> None:
    await db.execute("insert into bell_effect (id, event_id, name) values ($1, $2, $3)", uuid4(), event_id, name)


async def names(district: str) -> list[str]:
    async with db.transaction(district):
        return [row["name"] for row in await db.fetch("select name from bell_effect order by name")]


async def broken(happened: TowerBellRung, now: datetime) -> None:
    await write(happened.id, "broken")
    raise LookupError("the rope is torn")


async def bad_sql(happened: TowerBellRung, now: datetime) -> None:
    await db.execute("select no_such_column")


async def hanging(happened: TowerBellRung, now: datetime) -> None:
    await write(happened.id, "hanging")
    await asyncio.sleep(3600)


async def test_each_subscriber_has_its_effect_once_and_the_event_is_gone(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, a=bells.note, b=bells.note)
    event_id = await one(tower)
    for _ in range(3):
        await delivery.deliver(tower, event_id, Hands())
    assert await bells.effects(tower, "quick", [event_id]) == {event_id: 2}
    assert await bells.waiting(tower) == 0


async def test_many_workers_with_the_same_event_have_one_effect(tower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe(monkeypatch, a=bells.note)
    event_ids = await bells.emit(tower, 5, NOW)
    await asyncio.gather(*(delivery.deliver(tower, e, Hands()) for e in event_ids for _ in range(4)))
    assert set((await bells.effects(tower, "quick", event_ids)).values()) == {1}


@pytest.mark.parametrize("poison", [broken, bad_sql, hanging])
async def test_a_poison_subscriber_leaves_nothing_and_stops_no_other(
    tower: str, monkeypatch: pytest.MonkeyPatch, poison: Callable[..., Awaitable[None]]
) -> None:
    subscribe(monkeypatch, a=bells.note, poison=poison, z=bells.note)
    monkeypatch.setattr(delivery, "QUICK_SECONDS", 0.2)
    event_id = await one(tower)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == ["quick", "quick"]
    async with db.transaction(tower):
        pending = await outbox.lock(event_id)
        error = await db.fetchval("select error from outbox")
    assert pending is not None
    assert (pending.tries, pending.done) == (1, ["a", "z"])
    assert error.startswith("poison: ")


async def test_a_retry_reaches_only_those_who_failed(tower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe(monkeypatch, a=bells.note, poison=broken)
    event_id = await one(tower)
    await delivery.deliver(tower, event_id, Hands())
    subscribe(monkeypatch, a=bells.note, poison=bells.note)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == ["quick", "quick"], "one of `a`, one of the mended `poison`"
    assert await bells.waiting(tower) == 0


async def test_tries_are_spaced_out_and_end_as_a_dead_letter_that_can_be_replayed(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, a=bells.note, poison=broken)
    event_id = await one(tower)
    clock = Hands()
    for n in range(outbox.TRIES):
        async with db.transaction(tower):
            assert await outbox.take(clock.now + timedelta(microseconds=1), {"TowerBellRung"}) == [event_id], n
            clock.now = await db.fetchval("select next_at from outbox")
        await delivery.deliver(tower, event_id, clock)
        async with db.transaction(tower):
            assert await outbox.take(clock.now, {"TowerBellRung"}) == [], "not before its time"
            clock.now = await db.fetchval("select next_at from outbox")
    async with db.transaction(tower):
        [letter] = await outbox.dead()
        assert letter.error == "poison: LookupError: the rope is torn"
        assert await outbox.take(clock.now + timedelta(days=9), {"TowerBellRung"}) == []
    await delivery.deliver(tower, event_id, clock)  # an old job of the queue
    subscribe(monkeypatch, a=bells.note, poison=bells.note)
    async with db.transaction(tower):
        assert await outbox.replay(event_id, clock.now)
        assert await outbox.take(clock.now, {"TowerBellRung"}) == [event_id]
    await delivery.deliver(tower, event_id, clock)
    assert await names(tower) == ["quick", "quick"]
    assert await bells.waiting(tower) == 0


async def test_an_event_nobody_can_read_is_counted_and_buried(tower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe(monkeypatch, a=bells.note)
    event_id = await one(tower)
    async with db.transaction(tower):
        await db.execute("update outbox set type = 'GoneClass', tries = $1", outbox.TRIES - 1)
    await delivery.deliver(tower, event_id, Hands())
    async with db.transaction(tower):
        [letter] = await outbox.dead()
    assert letter.error == "KeyError: 'GoneClass'"


async def test_a_dead_letter_quotes_no_value_of_a_refused_statement(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def personal(happened: TowerBellRung, now: datetime) -> None:
        await db.execute("select $1::text::integer", "王某（演示）")

    subscribe(monkeypatch, a=personal)
    event_id = await one(tower)
    async with db.transaction(tower):
        await db.execute("update outbox set tries = $1", outbox.TRIES - 1)
    await delivery.deliver(tower, event_id, Hands())
    async with db.transaction(tower):
        [letter] = await outbox.dead()
    assert letter.error == "a: InvalidTextRepresentationError: SQLSTATE 22P02"


async def test_a_commit_that_is_refused_is_counted(tower: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with db.transaction(tower):
        await as_owner(
            "alter table bell_effect add constraint later unique (event_id, name) deferrable initially deferred"
        )

    async def twice(happened: TowerBellRung, now: datetime) -> None:
        await write(happened.id, "twice")
        await write(happened.id, "twice")

    subscribe(monkeypatch, a=twice)
    event_id = await one(tower)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == []
    async with db.transaction(tower):
        assert await db.fetchval("select tries from outbox") == 1
        assert "UniqueViolationError" in await db.fetchval("select error from outbox")


async def test_slow_subscribers_run_outside_the_transaction_and_are_tried_again_alone(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []

    async def slow(happened: TowerBellRung, now: datetime) -> None:
        with pytest.raises(db.NoTransaction):
            db.current()
        calls.append(True)
        if len(calls) == 1:
            raise ConnectionError("the other side is away")
        async with db.transaction(tower):
            await write(happened.id, "slow")

    subscribe(monkeypatch, a=bells.note, s=wiring.Slow(slow))
    event_id = await one(tower)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == ["quick"]
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == ["quick", "slow"]
    assert await bells.waiting(tower) == 0


async def cut(happened: TowerBellRung, now: datetime) -> None:
    """Lose the connection to the database in the middle of the work."""
    pid = await db.fetchval("select pg_backend_pid()")
    other = await db.DB.get_new_connection()
    await other.execute("set role none")
    await other.execute("select pg_terminate_backend($1::int)", pid)
    await other.close()
    await db.execute("select 1")


@pytest.mark.parametrize("slow", [False, True])
async def test_however_often_the_database_goes_away_no_try_is_counted_and_nothing_is_buried(
    tower: str, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    async def cut_beside(happened: TowerBellRung, now: datetime) -> None:
        async with db.transaction(tower):
            await cut(happened, now)

    subscribe(monkeypatch, cut=wiring.Slow(cut_beside) if slow else cut)
    event_id, hands = await one(tower), Hands()
    for _ in range(outbox.TRIES + 1):
        await delivery.deliver(tower, event_id, hands)
        hands.now += delivery.OUTAGE
    async with db.transaction(tower):
        assert await outbox.dead() == []
        pending = await outbox.lock(event_id)
        assert pending is not None
        assert pending.tries == 0
        assert await outbox.take(hands.now, ["TowerBellRung"]) == [event_id]  # due again, not a minute later


async def test_a_database_that_goes_away_in_the_middle_undoes_all_and_the_next_delivery_does_all(
    tower: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(monkeypatch, a=bells.note, cut=cut)
    event_id = await one(tower)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == []
    subscribe(monkeypatch, a=bells.note)
    await delivery.deliver(tower, event_id, Hands())
    assert await names(tower) == ["quick"]
