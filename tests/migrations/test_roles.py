"""The application's role: it reads and writes what it must, adds to records alone, and changes no table."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from app.embedded.services import Services
from app.kernel import db
from migrations import roles, runner
from migrations.runner import Migration

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest_asyncio.fixture
async def fresh(services: Services) -> AsyncIterator[str]:
    """The name of an empty database."""
    name = f"zjw_fresh_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(services.postgres.url("postgres"))
    await admin.execute(f"create database {name}")
    yield name
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def refused(district: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"permission denied|must be owner"):
        async with db.transaction(district):
            await db.execute(statement)


async def test_the_tests_are_the_application(district: str) -> None:
    assert await db.fetchval("select current_user") == roles.APPLICATION
    assert await db.fetchval("select not rolsuper and rolcanlogin from pg_roles where rolname = current_user")


@pytest.mark.parametrize("table", roles.APPEND_ONLY)
async def test_of_records_it_may_change_delete_and_empty_nothing(district: str, table: str) -> None:
    column = await db.fetchval(
        "select column_name from information_schema.columns where table_name = $1 and table_schema = $2 limit 1",
        table,
        f"d{district}",
    )
    await db.execute(f"select * from {table}")
    for statement in (f"update {table} set {column} = {column}", f"delete from {table}", f"truncate {table}"):
        await refused(district, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "alter table case_event disable trigger case_event_fixed",
        "drop table case_event cascade",
        "drop trigger case_event_fixed on case_event",
        "create table mine (id uuid primary key)",
        "create function case_event_refuse() returns trigger language plpgsql as 'begin return new; end'",
        "update access_log set object = ''",
        "truncate case_text",
        "delete from migration",
        "delete from public.district",
    ],
)
async def test_it_changes_no_table_no_trigger_and_no_log(district: str, statement: str) -> None:
    await refused(district, statement)


@pytest.mark.parametrize("statement", ["set session_replication_role to replica", "set role zjw_other"])
async def test_it_passes_over_no_trigger_and_becomes_nobody_else(services: Services, statement: str) -> None:
    url = services.postgres.url("postgres", user=roles.APPLICATION)  # signed in as itself, not stepped down
    connection = await asyncpg.connect(url)
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
        await connection.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("set role zjw")
    await connection.close()


async def test_every_table_is_read_and_written_unless_it_is_a_record(district: str) -> None:
    rows = await db.fetch(
        "select relname, has_table_privilege(oid, 'select') as reads, has_table_privilege(oid, 'insert') as adds,"
        " has_table_privilege(oid, 'update') as changes, has_table_privilege(oid, 'delete') as deletes"
        " from pg_class where relnamespace = to_regnamespace($1) and relkind in ('r', 'p') and not relispartition",
        f"d{district}",
    )
    fixed = {row["relname"] for row in rows if not row["deletes"]}
    assert fixed == {*roles.APPEND_ONLY, *roles.READ_ONLY}
    assert {row["relname"] for row in rows if not row["changes"]} == fixed | set(roles.NO_UPDATE)
    assert {row["relname"] for row in rows if not row["adds"]} == set(roles.READ_ONLY)
    assert all(row["reads"] for row in rows)


async def test_tables_with_triggers_that_refuse_every_change_are_records_of_the_role(district: str) -> None:
    """Whoever adds such a table adds it to the list: a trigger for update and delete without a condition."""
    rows = await db.fetch(
        "select c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid"
        " where c.relnamespace = to_regnamespace($1) and not t.tgisinternal and t.tgqual is null"
        " and t.tgtype & 24 = 24 and t.tgtype & 1 = 1",
        f"d{district}",
    )
    assert {row["relname"] for row in rows} <= set(roles.APPEND_ONLY)


async def test_a_day_of_readings_is_made_and_dropped_for_it(district: str) -> None:
    name = f"d{district}.reading_20310203"
    for function, there in (("reading_day_make", True), ("reading_day_make", True), ("reading_day_drop", False)):
        await db.execute(f"select {function}($1)", date(2031, 2, 3))
        assert (await db.fetchval("select to_regclass($1)", name) is not None) == there


async def test_new_tables_and_new_districts_are_granted_by_the_run_that_makes_them(
    services: Services, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, application = services.postgres.url(fresh), services.postgres.url(fresh, user=roles.APPLICATION)
    steps = [Migration("9001", "a table", ("create table if not exists note (id bigint primary key)",))]
    monkeypatch.setattr(runner, "available", lambda: steps)
    await runner.add_district(owner, "330109", "萧山区", NOW)
    steps.append(Migration("9002", "a record", ("create table if not exists fact (id bigint primary key)",)))
    assert await runner.missing(application) == {"d330109": ["9002"]}
    await runner.migrate(owner, NOW)
    await runner.add_district(owner, "330110", "余杭区", NOW)
    assert await runner.missing(application) == {}
    connection = await asyncpg.connect(application)
    for schema in ("d330109", "d330110"):
        await connection.execute(f"insert into {schema}.note values (1); delete from {schema}.note")
        await connection.execute(f"insert into {schema}.fact values (1)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"delete from {schema}.fact")
    await connection.close()


async def test_without_grants_it_is_told_so(services: Services, fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, application = services.postgres.url(fresh), services.postgres.url(fresh, user=roles.APPLICATION)
    monkeypatch.setattr(runner, "available", list[Migration])
    await runner.add_district(owner, "330109", "萧山区", NOW)
    connection = await asyncpg.connect(owner)
    await connection.execute(f"revoke usage on schema d330109 from {roles.APPLICATION}")
    await connection.close()
    assert await runner.missing(application) == {"d330109": ["grants"]}
    await runner.migrate(owner, NOW)
    assert await runner.missing(application) == {}
