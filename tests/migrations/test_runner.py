"""Migrations: every district, once, again without effect, and on from where they broke off."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from app.embedded.services import Services
from migrations import runner
from migrations.runner import Migration, MigrationFailed

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TABLE = Migration("9001", "a table", ("create table if not exists note (id bigint primary key)",))
COLUMN = Migration("9002", "a column", ("alter table note add column if not exists text text",))


@pytest_asyncio.fixture
async def fresh(services: Services) -> AsyncIterator[str]:
    """Address of an empty database without anything in it."""
    name = f"zjw_fresh_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(services.postgres.url("postgres"))
    await admin.execute(f"create database {name}")
    yield services.postgres.url(name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def _values(dsn: str, sql: str) -> list[object]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Migration]:
    """The migrations the runner sees, instead of the project's."""
    wanted = [TABLE, COLUMN]
    monkeypatch.setattr(runner, "available", lambda: wanted)
    return wanted


async def test_a_district_gets_its_own_tables_and_a_record_of_every_step(fresh: str, steps: list[Migration]) -> None:
    await runner.add_district(fresh, "330109", "萧山区", NOW)
    assert await _values(fresh, "select id from d330109.migration order by id") == ["9001", "9002"]
    assert await _values(fresh, "select count(*) from d330109.note") == [0]
    assert await _values(fresh, "select name from public.district") == ["萧山区"]


async def test_two_districts_have_two_sets_of_tables(fresh: str, steps: list[Migration]) -> None:
    for code in ("330109", "330110"):
        await runner.add_district(fresh, code, code, NOW)
    await _values(fresh, "insert into d330109.note values (1) returning id")
    assert await _values(fresh, "select id from d330110.note") == []


async def test_migrating_again_changes_nothing(fresh: str, steps: list[Migration]) -> None:
    await runner.add_district(fresh, "330109", "萧山区", NOW)
    later = NOW.replace(year=2027)
    assert await runner.migrate(fresh, later) == ["330109"]
    assert await _values(fresh, "select distinct applied_at from d330109.migration") == [NOW]


async def test_a_broken_step_names_itself_and_the_next_run_goes_on_there(fresh: str, steps: list[Migration]) -> None:
    await runner.prepare(fresh)
    steps[1] = Migration("9002", "a slip", ("create table if not exists half (id bigint primary key)", "alter tabel x"))
    with pytest.raises(MigrationFailed, match=r"9002 \(a slip\) in d330109 at “alter tabel x”"):
        await runner.add_district(fresh, "330109", "萧山区", NOW)
    assert await runner.missing(fresh) == {"d330109": ["9002"]}
    steps[1] = Migration("9002", "mended", ("create table if not exists half (id bigint primary key)",))
    await runner.migrate(fresh, NOW)
    assert await runner.missing(fresh) == {}


async def test_five_starters_at_once_do_not_collide(fresh: str, steps: list[Migration]) -> None:
    await asyncio.gather(*(runner.add_district(fresh, "330109", "萧山区", NOW) for _ in range(5)))
    assert await _values(fresh, "select id from d330109.migration order by id") == ["9001", "9002"]


async def test_a_step_waits_for_a_reader_without_blocking_the_readers_behind_it(
    fresh: str, steps: list[Migration], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = steps.pop()
    await runner.add_district(fresh, "330109", "萧山区", NOW)
    steps.append(last)
    reader = await asyncpg.connect(fresh)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch("select * from d330109.note")
    migrating = asyncio.create_task(runner.migrate(fresh, NOW))
    # The migration gives way every 3 s (lock_timeout), so another reader gets through although the first still reads.
    assert await asyncio.wait_for(_values(fresh, "select count(*) from d330109.note"), timeout=10) == [0]
    await transaction.rollback()
    await reader.close()
    await migrating
    assert await runner.missing(fresh) == {}


@pytest.mark.parametrize("code", ["33010", "3301091", "33010a", "330109; drop table x", ""])
async def test_a_malformed_district_code_is_refused(fresh: str, code: str) -> None:
    with pytest.raises(ValueError, match="not a district code"):
        await runner.add_district(fresh, code, "x", NOW)


def test_every_migration_of_the_project_has_its_number_in_its_name() -> None:
    folder = Path(runner.__file__).parent
    for path, migration in zip(sorted(folder.glob("m[0-9]*.py")), runner.available(), strict=True):
        assert path.stem[1:5] == migration.id
        assert migration.description
        assert all(statement.strip() for statement in migration.statements)


async def test_running_every_statement_of_the_project_twice_changes_nothing(fresh: str) -> None:
    await runner.add_district(fresh, "330109", "萧山区", NOW)
    catalogue = """
        select table_name || '.' || column_name || ' ' || data_type from information_schema.columns
        where table_schema = 'd330109' order by 1
    """
    before = await _values(fresh, catalogue)
    await _values(fresh, "delete from d330109.migration returning id")
    await runner.migrate(fresh, NOW)
    assert await _values(fresh, catalogue) == before
