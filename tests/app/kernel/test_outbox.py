"""An event is written with its change, taken by one relay, and stays until it is done or dead."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from app.kernel import db, event, outbox
from app.kernel.ids import new_id

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
KNOWN = {"BellRung"}


class BellRung(event.Event):
    """An event of these tests."""

    tower: str
    times: int = 1
    keeper: UUID | None = None


def rung(tower: str = "north") -> BellRung:
    return BellRung(id=new_id(), at=NOW, actor=uuid4(), tower=tower, keeper=uuid4())


async def test_an_event_comes_back_as_it_was_written(district: str) -> None:
    written = rung("北塔")
    await outbox.emit(written)
    pending = await outbox.lock(written.id)
    assert pending is not None
    assert event.from_body(pending.type, pending.body) == written
    assert (pending.tries, pending.done) == (0, [])


async def test_an_event_of_a_rolled_back_change_was_never_there(committed: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(committed):
            await outbox.emit(rung())
            _ = 1 / 0
    async with db.transaction(committed):
        assert await outbox.take(LATER, KNOWN) == []


async def test_the_bell_rings_after_the_commit_with_the_district(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(outbox, "bells", [heard.append])
    async with db.transaction(committed):
        await outbox.emit(rung(), rung())
        assert heard == []
    assert heard == [committed]


async def test_what_was_taken_is_not_taken_again_for_a_minute(district: str) -> None:
    events = [rung() for _ in range(3)]
    await outbox.emit(*events)
    ids = {e.id for e in events}
    assert set(await outbox.take(LATER, KNOWN)) == ids
    assert await outbox.take(LATER + outbox.RING_AGAIN, KNOWN) == []
    assert set(await outbox.take(LATER + outbox.RING_AGAIN + timedelta(seconds=1), KNOWN)) == ids


async def test_an_event_nobody_subscribes_to_is_deleted(district: str) -> None:
    await outbox.emit(rung())
    assert await outbox.take(LATER, {"SomethingElse"}) == []
    assert await db.fetchval("select count(*) from outbox") == 0


async def test_relays_beside_each_other_never_take_the_same_event(committed: str) -> None:
    async with db.transaction(committed):
        await outbox.emit(*(rung() for _ in range(200)))

    async def relay() -> list[UUID]:
        taken: list[UUID] = []
        while True:
            async with db.transaction(committed):
                batch = await outbox.take(LATER, KNOWN, 17)
                await asyncio.sleep(0)
            if not batch:
                return taken
            taken += batch

    shares = await asyncio.gather(*(relay() for _ in range(4)))
    everything = [one for share in shares for one in share]
    assert len(everything) == len(set(everything)) == 200


async def test_one_worker_holds_an_event_and_the_others_pass_by(committed: str) -> None:
    written = rung()
    async with db.transaction(committed):
        await outbox.emit(written)

    async def other() -> outbox.Pending | None:
        async with db.transaction(committed):
            return await outbox.lock(written.id)

    held, let_go = asyncio.Event(), asyncio.Event()

    async def holder() -> None:
        async with db.transaction(committed):
            assert await outbox.lock(written.id) is not None
            held.set()
            await let_go.wait()

    task = asyncio.create_task(holder())
    await held.wait()
    assert await other() is None
    let_go.set()
    await task
    assert await other() is not None


async def test_failures_wait_longer_each_time_and_the_last_one_buries_the_event(district: str) -> None:
    written = rung()
    await outbox.emit(written)
    now, waits = NOW, []
    for n in range(1, outbox.TRIES + 1):
        pending = await outbox.lock(written.id)
        assert pending is not None
        assert await outbox.postpone(pending, ["quick"], f"fault {n}", now) is (n == outbox.TRIES)
        next_at = await db.fetchval("select next_at from outbox")
        waits.append((next_at - now).total_seconds())
        assert await outbox.take(next_at - timedelta(seconds=1), KNOWN) == []
        now = next_at
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280]
    assert await outbox.lock(written.id) is None
    assert await outbox.take(now + timedelta(days=1), KNOWN) == []
    [letter] = await outbox.dead()
    assert (letter.event_id, letter.type, letter.tries, letter.error) == (
        written.id,
        "BellRung",
        outbox.TRIES,
        "fault 8",
    )


async def test_a_replayed_dead_letter_is_taken_again_and_remembers_who_is_done(district: str) -> None:
    written = rung()
    await outbox.emit(written)
    for _ in range(outbox.TRIES):
        pending = await outbox.lock(written.id)
        assert pending is not None
        await outbox.postpone(pending, ["quick"], "fault", NOW)
    assert await outbox.replay(written.id, LATER)
    assert await outbox.take(LATER, KNOWN) == [written.id]
    assert await outbox.dead() == []
    pending = await outbox.lock(written.id)
    assert pending is not None
    assert (pending.tries, pending.done) == (0, ["quick"])
    assert not await outbox.replay(written.id, LATER), "it is no longer dead"
    assert not await outbox.replay(uuid4(), LATER)


def test_an_event_name_belongs_to_one_class() -> None:
    body = {"__module__": "elsewhere", "__qualname__": "BellRung"}
    with pytest.raises(TypeError, match="event BellRung is taken by"):
        type(event.Event)("BellRung", (event.Event,), body, frozen=True, kw_only=True)


def test_an_event_of_an_unknown_class_is_told_apart_from_a_bad_body() -> None:
    with pytest.raises(KeyError):
        event.from_body("NobodyKnows", {})
    with pytest.raises(msgspec.ValidationError):
        event.from_body("BellRung", {"id": "x"})
