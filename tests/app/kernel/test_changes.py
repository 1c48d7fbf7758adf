"""The change feed: nothing is lost behind a slow transaction, positions are dense, only the newest state stays."""

import asyncio
import random
from functools import reduce
from operator import xor
from uuid import UUID

from app.kernel import changes, db


async def place_all(district: str) -> int:
    """Give positions until none is missing, as the relay does."""
    total = 0
    while True:
        async with db.transaction(district):
            placed = await changes.assign_positions(50)
        total += placed
        if placed == 0:
            return total


async def entities(district: str, bucket: str, after: int = 0) -> list[str]:
    async with db.transaction(district):
        return [change.entity for change in await changes.read(bucket, after, 10_000)]


async def test_a_change_has_no_position_until_it_is_given_one(district: str) -> None:
    await changes.append("cell:1", "household", "a", 1, {"n": 1})
    assert await changes.read("cell:1", 0, 10) == []
    assert await changes.assign_positions() == 1
    assert await changes.read("cell:1", 0, 10) == [changes.Change(1, "household", "a", 1, {"n": 1})]
    assert await changes.assign_positions() == 0


async def test_positions_are_dense_over_all_buckets_and_pages_follow_each_other(district: str) -> None:
    await changes.append_many([(f"cell:{n % 2}", "household", f"h{n}", 1, {}) for n in range(10)])
    assert [await changes.assign_positions(4) for _ in range(4)] == [4, 4, 2, 0]
    even, odd = await changes.read("cell:0", 0, 3), await changes.read("cell:1", 0, 100)
    even += await changes.read("cell:0", even[-1].position, 3)
    assert sorted(change.position for change in even + odd) == list(range(1, 11))


async def test_a_removal_is_a_change_without_a_body(district: str) -> None:
    await changes.append("cell:1", "household", "a", 1, {"n": 1})
    await changes.append("cell:1", "household", "a", 2, None)
    await changes.append("cell:2", "household", "a", 2, {"n": 1})
    await changes.assign_positions()
    assert await changes.read("cell:1", 0, 10) == [changes.Change(2, "household", "a", 2, None)]
    assert [c.body for c in await changes.read("cell:2", 0, 10)] == [{"n": 1}]


async def test_only_the_newest_state_of_an_entity_stays_even_when_an_older_one_commits_later(district: str) -> None:
    await changes.append("cell:1", "household", "a", 3, {"n": 3})
    await changes.assign_positions()
    await changes.append("cell:1", "household", "a", 2, {"n": 2})
    await changes.append("cell:1", "household", "b", 1, {"n": 1})
    await changes.assign_positions()
    assert [(c.entity, c.version) for c in await changes.read("cell:1", 0, 10)] == [("a", 3), ("b", 1)]


async def test_the_checksum_is_the_xor_of_the_marks_of_what_is_in_the_bucket(district: str) -> None:
    await changes.append_many([("b", "household", name, 1, {}) for name in "xyz"])
    await changes.append("b", "household", "y", 2, None)
    await changes.append("other", "household", "q", 1, {})
    await changes.assign_positions()
    expected = reduce(xor, (changes.mark("household", name, 1) for name in "xz"))
    assert (await changes.summary(["b", "empty"]))["b"] == (4, expected)
    assert "empty" not in await changes.summary(["b", "empty"])


async def test_a_new_epoch_is_another_and_stays(district: str) -> None:
    first = await changes.epoch()
    assert await changes.epoch() == first
    second = await changes.renew_epoch()
    assert isinstance(second, UUID)
    assert second != first
    assert await changes.epoch() == second


async def test_a_transaction_held_open_while_others_commit_loses_nothing(committed: str) -> None:
    written, may_commit = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction(committed):
            await changes.append("b", "visit", "slow", 1, {})
            written.set()
            await may_commit.wait()

    running = asyncio.create_task(slow())
    await written.wait()
    async with db.transaction(committed):
        await changes.append("b", "visit", "quick", 1, {})
    assert await place_all(committed) == 1
    assert await entities(committed, "b") == ["quick"]
    async with db.transaction(committed):
        cursor = (await changes.read("b", 0, 10))[-1].position
    may_commit.set()
    await running
    assert await place_all(committed) == 1
    assert await entities(committed, "b", cursor) == ["slow"]


async def write(district: str, writer: int, pauses: list[float]) -> None:
    """Make transactions of two changes each, with a pause in between."""
    for n, pause in enumerate(pauses):
        async with db.transaction(district):
            await changes.append("b", "visit", f"{writer}-{n}-first", 1, {})
            await asyncio.sleep(pause)
            await changes.append("b", "visit", f"{writer}-{n}-second", 1, {})


async def catch_up(district: str, cursor: int) -> list[tuple[int, str]]:
    """Read page by page past the cursor until there is no more."""
    seen: list[tuple[int, str]] = []
    while True:
        async with db.transaction(district):
            page = await changes.read("b", seen[-1][0] if seen else cursor, 5)
        if not page:
            return seen
        seen += [(change.position, change.entity) for change in page]


async def follow(district: str, done: asyncio.Event) -> list[tuple[int, str]]:
    """Place and read as phones do while others write, and once more after the last of them."""
    seen: list[tuple[int, str]] = []
    while not done.is_set():
        async with db.transaction(district):
            await changes.assign_positions(7)
        seen += await catch_up(district, seen[-1][0] if seen else 0)
    await place_all(district)
    return seen + await catch_up(district, seen[-1][0] if seen else 0)


async def test_eight_writers_with_slow_transactions_and_three_readers_lose_nothing(committed: str) -> None:
    chance = random.Random(20261123)
    pauses = [[chance.choice((0.0, 0.0, 0.002, 0.02)) for _ in range(20)] for _ in range(8)]
    done = asyncio.Event()
    readers = [asyncio.create_task(follow(committed, done)) for _ in range(3)]
    await asyncio.gather(*(write(committed, writer, pauses[writer]) for writer in range(8)))
    done.set()
    expected = {f"{writer}-{n}-{part}" for writer in range(8) for n in range(20) for part in ("first", "second")}
    for seen in await asyncio.gather(*readers):
        assert {entity for _, entity in seen} == expected
        assert [position for position, _ in seen] == list(range(1, len(expected) + 1))
