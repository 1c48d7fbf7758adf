"""Test databases: one migrated template per state of the migrations, a clone per process, quick emptying."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from app.embedded.services import Services, locked
from app.kernel import db
from migrations import roles, runner

QUEUE_DATABASES = 64


@contextmanager
def clone(services: Services, districts: Sequence[str], suffix: str = "") -> Generator[str]:
    """A database of this process alone, dropped at the end. Gives its address."""
    name = f"zjw_test_{os.getpid()}{suffix}"
    with locked(services.home / "template.lock"):
        asyncio.run(_clone(services, name, districts))
    try:
        yield services.postgres.url(name)
    finally:
        asyncio.run(_administer(services, f"drop database if exists {name} with (force)"))


def as_application(url: str) -> str:
    """The address for sessions with no more rights than the application's role, which may step out of them."""
    return f"{url}&role={roles.APPLICATION}"


def owning(url: str) -> str:
    """The address of the same database for its owner."""
    return url.removesuffix(f"&role={roles.APPLICATION}")


async def become_owner() -> None:
    """Go on in the current transaction as who owns the database, as somebody who forges records would."""
    await db.execute("set local role none")


async def as_owner(*statements: str) -> None:
    """Run statements in the current transaction as who owns the database: what the application may not do."""
    await become_owner()
    for statement in statements:
        await db.execute(statement)
    await db.execute(f"set local role {roles.APPLICATION}")


@contextmanager
def queue_number(services: Services) -> Generator[int]:
    """The number of a Valkey database that no other process holds."""
    for number in range(1, QUEUE_DATABASES):
        handle = (services.home / f"queue-{number}.lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            continue
        with handle:
            yield number
        return
    raise RuntimeError(f"all {QUEUE_DATABASES} databases of the queue are in use by other test runs")


async def empty(dsn: str) -> None:
    """Empties every filled table of every district; triggers that refuse this are passed over.

    Numbers of cases that were given out stay given out: each process holds some in memory.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set lock_timeout to '5s'")
        await connection.execute("set role none")
        await connection.execute("set session_replication_role to replica")
        tables = await connection.fetch(
            """
            select format('%I.%I', schemaname, tablename) as name from pg_tables
            where schemaname ~ '^d[0-9]{6}$' and tablename not in ('migration', 'case_number')
            """
        )
        if filled := await _filled(connection, [row["name"] for row in tables]):
            await connection.execute("truncate " + ", ".join(filled) + " cascade")
    finally:
        await connection.close()


async def _filled(connection: "asyncpg.Connection[asyncpg.Record]", tables: Sequence[str]) -> list[str]:
    if not tables:
        return []
    parts = [f"(select '{table}' as name where exists (select 1 from {table}))" for table in tables]
    return [row["name"] for row in await connection.fetch(" union all ".join(parts))]


async def _clone(services: Services, name: str, districts: Sequence[str]) -> None:
    template = f"zjw_template_{_state(districts)}"
    connection = await asyncpg.connect(services.postgres.url("postgres"))
    try:
        names = {row["datname"] for row in await connection.fetch("select datname from pg_database")}
        for old in filter(_left_over, names - {template}):
            await connection.execute(f"drop database if exists {old} with (force)")
        if template not in names:
            half = "zjw_template_half"
            await connection.execute(f"drop database if exists {half} with (force)")
            await connection.execute(f"create database {half}")
            for code in districts:
                await runner.add_district(services.postgres.url(half), code, f"District {code}", datetime.now(UTC))
            await connection.execute(f"alter database {half} rename to {template}")
        await connection.execute(f"drop database if exists {name} with (force)")
        await connection.execute(f"create database {name} template {template}")
    finally:
        await connection.close()


def _left_over(name: str) -> bool:
    """Whether nobody needs this database: a template of other migrations, or a clone of a process that is gone."""
    kind, _, rest = name.removeprefix("zjw_").partition("_")
    return kind == "template" or (kind == "test" and not Path(f"/proc/{rest.partition('_')[0]}").exists())


async def _administer(services: Services, statement: str) -> None:
    connection = await asyncpg.connect(services.postgres.url("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _state(districts: Sequence[str]) -> str:
    """A short name for the present migrations: another text, another template."""
    digest = hashlib.sha256(" ".join(districts).encode())
    for path in sorted(Path(runner.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
