"""What the fixtures of every other test promise: nothing a test writes is seen by the next."""

from redis.asyncio import Redis

from app.kernel import db

WRITE = """
    insert into fact (fact_id, version, kind, occurred_at, recorded_at, attributes)
    values ('a', 1, 'x', '2026-11-23T08:00Z', '2026-11-23T08:00Z', '{}')
"""
COUNT = "select count(*) from fact"


async def test_a_first_test_writes_inside_the_transaction(district: str) -> None:
    await db.execute(WRITE)
    assert await db.fetchval(COUNT) == 1


async def test_a_second_test_sees_none_of_it(district: str) -> None:
    assert await db.fetchval(COUNT) == 0


async def test_a_transaction_inside_the_fixture_is_a_savepoint(district: str) -> None:
    async with db.transaction(district):
        await db.execute(WRITE)
    assert await db.fetchval(COUNT) == 1


async def test_a_third_test_commits(committed: str) -> None:
    async with db.transaction(committed):
        await db.execute(WRITE)
    async with db.transaction(committed):
        assert await db.fetchval(COUNT) == 1


async def test_a_fourth_test_sees_none_of_the_commit(committed: str) -> None:
    async with db.transaction(committed):
        assert await db.fetchval(COUNT) == 0


async def test_a_first_test_fills_the_queue(redis: Redis) -> None:
    await redis.set("a", 1)
    assert await redis.dbsize() == 1


async def test_a_second_test_finds_the_queue_empty(redis: Redis) -> None:
    assert await redis.dbsize() == 0
