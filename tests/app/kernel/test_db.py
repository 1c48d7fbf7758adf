"""Transactions hold: each bug of the stock engine has its test here, and districts stay apart."""

import asyncio
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from app.kernel import db
from tests.app.kernel.probe import HERE, NEXT, ProbeRow, add, assert_nothing_leaked, ids

# --- COMMIT ----------------------------------------------------------------------------------------------------------


async def test_a_failing_commit_leaks_neither_connection_nor_context(probe: str) -> None:
    for n in range(20):  # more often than the pool has connections
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            async with db.transaction(probe):
                await add(n, parent=999)
    assert_nothing_leaked()
    assert await ids() == []


async def test_an_exception_rolls_back_and_goes_on_to_the_caller(probe: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(probe):
            await add(1)
            _ = 1 / 0
    assert_nothing_leaked()
    assert await ids() == []


async def test_a_server_that_ends_the_session_leaks_nothing(probe: str) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        async with db.transaction(probe):
            own = await db.fetchval("select pg_backend_pid()")
            async with asyncio.TaskGroup() as group:
                group.create_task(end_session(own))
            await add(1)
    assert_nothing_leaked()
    assert await ids() == []


async def end_session(pid: int) -> None:
    connection = await db.DB.get_new_connection()
    await connection.execute("set role none")
    await connection.execute("select pg_terminate_backend($1::int)", pid)
    await connection.close()


# --- savepoints ------------------------------------------------------------------------------------------------------


async def test_a_nested_transaction_is_a_savepoint_that_rolls_back_alone(probe: str) -> None:
    async with db.transaction(probe):
        await add(1)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction(probe):
                await add(2)
                await add(1)
        async with db.transaction(probe):
            await add(3)
            with pytest.raises(ZeroDivisionError):
                async with db.transaction(probe):
                    await add(4)
                    _ = 1 / 0
            await add(5)
    assert await ids() == [1, 3, 5]


async def test_an_outer_rollback_takes_finished_savepoints_with_it(probe: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(probe):
            async with db.transaction(probe):
                await add(1)
            _ = 1 / 0
    assert await ids() == []


async def test_piccolo_opens_savepoints_too(probe: str) -> None:
    async with db.transaction(probe):
        await ProbeRow.insert(ProbeRow(id=1))
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.DB.transaction():
                await ProbeRow.insert(ProbeRow(id=1))
        await ProbeRow.insert(ProbeRow(id=2))
    assert await ids() == [1, 2]


async def test_a_transaction_holds_one_district_only(probe: str) -> None:
    async with db.transaction(HERE):
        with pytest.raises(RuntimeError, match="cannot hold one of 330110"):
            async with db.transaction(NEXT):
                pass
        await add(1)
    assert await ids() == [1]


# --- tasks -----------------------------------------------------------------------------------------------------------


async def test_gather_inside_a_transaction_is_refused_and_leaks_nothing(probe: str) -> None:
    async def piccolo() -> Any:
        return await ProbeRow.select(ProbeRow.id)

    async def nested() -> None:
        async with db.transaction(probe):
            await add(7)

    for work in (lambda: db.fetchval("select 1"), piccolo, nested):
        async with db.transaction(probe):
            await add(1)
            results = await asyncio.gather(work(), work(), return_exceptions=True)
            assert [type(r) for r in results] == [db.ForeignTask, db.ForeignTask]
            await db.execute("delete from probe")
    assert_nothing_leaked()


async def test_transactions_beside_each_other_have_a_connection_each(probe: str) -> None:
    async def work(n: int) -> int:
        async with db.transaction(probe):
            await add(n)
            await asyncio.sleep(0.01)
            return await db.fetchval("select pg_backend_pid()")

    pids = await asyncio.gather(*(work(n) for n in range(5)))
    assert len(set(pids)) == 5
    assert await ids() == list(range(5))
    assert_nothing_leaked()


async def test_a_task_that_outlives_the_transaction_it_was_started_in_opens_its_own(probe: str) -> None:
    over = asyncio.Event()

    async def later() -> None:
        await over.wait()
        with pytest.raises(db.NoTransaction):
            await db.fetchval("select 1")
        with pytest.raises(db.NoTransaction):
            await ProbeRow.select(ProbeRow.id)
        async with db.transaction(probe):
            await add(2)

    async with db.transaction(probe):
        await add(1)
        task = asyncio.create_task(later())
    over.set()
    await task
    assert await ids() == [1, 2]
    assert_nothing_leaked()


async def test_cancelling_a_query_rolls_back_and_the_connection_serves_the_next(probe: str) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with db.transaction(probe):
            await add(1)
            started.set()
            await db.execute("select pg_sleep(60)")

    for _ in range(3):
        started.clear()
        task = asyncio.create_task(work())
        await started.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert_nothing_leaked()
    assert await ids() == []


async def test_cancelling_the_opening_leaves_no_open_transaction_behind(probe: str) -> None:
    mover = await db.DB.get_new_connection()
    await mover.execute("select pg_advisory_lock($1, $2)", db.FENCE, int(probe))  # the fence of a move: BEGIN waits
    task = asyncio.create_task(ids())
    waiting = "select count(*) from pg_locks where not granted and locktype = 'advisory' and objid = $1::int::oid"
    async with asyncio.timeout(10):
        while not await mover.fetchval(waiting, int(probe)):
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    open_ones = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
    assert await mover.fetchval(open_ones) == 0
    await mover.close()
    assert_nothing_leaked()
    assert await ids() == []


async def test_without_a_transaction_there_is_no_query(probe: str) -> None:
    for query in (db.fetch, db.fetchrow, db.fetchval, db.execute):
        with pytest.raises(db.NoTransaction):
            await query("select 1")
    with pytest.raises(db.NoTransaction):
        await ProbeRow.select(ProbeRow.id)
    with pytest.raises(db.NoTransaction):
        db.after_commit(lambda: None)


# --- after commit ----------------------------------------------------------------------------------------------------


async def test_what_waits_for_the_commit_is_called_after_it_and_only_then(probe: str) -> None:
    called: list[str] = []
    async with db.transaction(probe):
        async with db.transaction(probe):
            db.after_commit(lambda: called.append("inner"))
        db.after_commit(lambda: called.append("outer"))
        with pytest.raises(ZeroDivisionError):
            async with db.transaction(probe):
                db.after_commit(lambda: called.append("undone savepoint"))
                _ = 1 / 0
        assert called == []
    assert called == ["inner", "outer"]


async def test_a_rolled_back_transaction_calls_nobody(probe: str) -> None:
    called: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(probe):
            db.after_commit(lambda: called.append("rolled back"))
            _ = 1 / 0
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with db.transaction(probe):
            db.after_commit(lambda: called.append("commit failed"))
            await add(1, parent=999)
    assert called == []


async def test_a_callback_that_fails_neither_stops_the_others_nor_looks_like_a_failed_commit(probe: str) -> None:
    called: list[str] = []
    async with db.transaction(probe):
        await add(1)
        db.after_commit(lambda: called.append(str(1 / 0)))
        db.after_commit(lambda: called.append("second"))
    assert called == ["second"]
    assert await ids() == [1]


# --- districts -------------------------------------------------------------------------------------------------------


async def test_two_districts_side_by_side_see_nothing_of_each_other(probe: str) -> None:
    async def fill(district: str, first: int) -> None:
        for n in range(first, first + 20):
            async with db.transaction(district):
                await add(n)
                await ProbeRow.insert(ProbeRow(id=n + 1000, word=district))

    await asyncio.gather(fill(HERE, 0), fill(NEXT, 100))
    assert await ids(HERE) == [*range(20), *range(1000, 1020)]
    assert await ids(NEXT) == [*range(100, 120), *range(1100, 1120)]


async def test_a_prepared_statement_used_again_in_another_district_finds_its_own_rows(probe: str) -> None:
    pids: dict[str, set[int]] = {HERE: set(), NEXT: set()}
    for n in range(8):  # often enough that PostgreSQL would settle on one plan for all
        for district in (HERE, NEXT):
            async with db.transaction(district):
                await add(n + int(district))
                pids[district].add(await db.fetchval("select pg_backend_pid()"))
                row = await db.fetchrow("select id, word, body, place from probe where id = $1", n + int(district))
                assert row is not None
                other = NEXT if district == HERE else HERE
                assert await ProbeRow.exists().where(ProbeRow.id == n + int(district))
                assert not await ProbeRow.exists().where(ProbeRow.id == n + int(other) + 100)
    assert pids[HERE] & pids[NEXT], "the same connections served both"


async def test_the_search_path_ends_with_its_transaction(probe: str) -> None:
    async with db.transaction(probe):
        assert await db.fetchval("select current_schemas(false)::text[]") == ["d330109", "public"]
    connection = await db.DB.acquire()
    try:
        assert "d330109" not in await connection.fetchval("show search_path")
    finally:
        await db.DB.release(connection)


@pytest.mark.parametrize("code", ["", "33010", "3301099", "33010a", "330109; drop table x", "３３０１０９"])
async def test_only_six_digits_name_a_district(database: str, code: str) -> None:
    with pytest.raises(ValueError, match="not a district code"):
        db.transaction(code)


async def test_a_move_of_one_district_waits_for_its_transactions_and_for_no_others(probe: str) -> None:
    mover = await db.DB.get_new_connection()
    try:
        async with db.transaction(HERE):
            assert not await mover.fetchval("select pg_try_advisory_lock($1, $2)", db.FENCE, int(HERE))
            assert await mover.fetchval("select pg_try_advisory_lock($1, $2)", db.FENCE, int(NEXT))
        assert await mover.fetchval("select pg_try_advisory_lock($1, $2)", db.FENCE, int(HERE))
    finally:
        await mover.close()


async def test_the_districts_of_the_deployment_are_known(database: str) -> None:
    assert await db.districts() == [HERE, NEXT]


def test_importing_the_engine_connects_to_nothing() -> None:
    code = """
import socket
def refuse(*_): raise SystemExit("connected at import")
socket.socket.connect = refuse
socket.create_connection = refuse
import app.kernel.db, app.identity.tables
assert app.identity.tables.AccountRow._meta.db is app.kernel.db.DB
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
