"""Brings every district schema to the newest state: idempotent, resumable, one starter at a time (docs/adr/0002)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import asyncpg
from msgspec import Struct

from app.kernel.db import schema_of
from migrations import roles

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LOCK = 0x7A6A77
"""Advisory lock of the runner ("zjw"): a second starter waits until the first is done."""

SHARED: tuple[str, ...] = (
    """
    create table if not exists public.district (
        code text primary key check (code ~ '^[1-9][0-9]{5}$'),
        name text not null,
        added_at timestamptz not null,
        placement text
    )
    """,
)
"""The one table outside of the districts: which districts this database holds; `placement` null means here."""

HISTORY = """
    create table if not exists migration (
        id text primary key,
        description text not null,
        applied_at timestamptz not null
    )
"""

LOCK_TRIES = 20
"""A statement that waits for a lock longer than `lock_timeout` gives way and is tried again: requests go on."""


class Migration(Struct, frozen=True):
    """One step of the schema, written so that running it again changes nothing."""

    id: str
    description: str
    statements: tuple[str, ...]


class MigrationFailed(Exception):
    """A statement was refused. Carries which one; everything before it is in place and the next run goes on there."""

    def __init__(self, schema: str, migration: Migration, statement: str, cause: Exception) -> None:
        first_line = next((line.strip() for line in statement.splitlines() if line.strip()), "")
        super().__init__(f"migration {migration.id} ({migration.description}) in {schema} at “{first_line}”: {cause}")


def available(folder: Path = Path(__file__).parent) -> list[Migration]:
    """Every `mNNNN_name.py` of the package in the order of its number."""
    found: list[Migration] = []
    for path in sorted(folder.glob("m[0-9]*.py")):
        module = import_module(f"migrations.{path.stem}")
        found.append(Migration(module.ID, module.DESCRIPTION, tuple(module.STATEMENTS)))
    ids = [migration.id for migration in found]
    if len(set(ids)) != len(ids):
        raise ValueError(f"two migrations share an id: {ids}")
    return found


async def prepare(dsn: str) -> None:
    """The shared part: PostGIS in `public` and the table of districts. Idempotent."""
    await _alone(dsn, _prepare)


async def add_district(dsn: str, code: str, name: str, now: datetime) -> None:
    """Adds a district and brings its schema to the newest state; adding it again only finishes what is missing.

    Raises ValueError for a malformed code, MigrationFailed.
    """
    schema = schema_of(code)

    async def work(connection: Connection) -> None:
        await _prepare(connection)
        await connection.execute(
            "insert into public.district (code, name, added_at) values ($1, $2, $3) on conflict (code) do nothing",
            code,
            name,
            now,
        )
        await _bring_up(connection, schema, available(), now, _silent)

    await _alone(dsn, work)


async def migrate(dsn: str, now: datetime, progress: Callable[[str, int, int], None] | None = None) -> list[str]:
    """Runs what is missing in every district of this database and returns the district codes.

    `progress(schema, done, of)` is called after each migration. Raises MigrationFailed.
    """
    codes: list[str] = []

    async def work(connection: Connection) -> None:
        await _prepare(connection)
        rows = await connection.fetch("select code from public.district where placement is null order by code")
        codes.extend(row["code"] for row in rows)
        for code in codes:
            await _bring_up(connection, schema_of(code), available(), now, progress or _silent)

    await _alone(dsn, work)
    return codes


async def missing(dsn: str) -> dict[str, list[str]]:
    """Schema → ids of migrations it lacks; empty when every district is up to date. Changes nothing."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("select to_regclass('public.district')") is None:
            return {"public": ["district"]}
        rows = await connection.fetch("select code from public.district where placement is null order by code")
        wanted = [migration.id for migration in available()]
        lacks: dict[str, list[str]] = {}
        for schema in (schema_of(row["code"]) for row in rows):
            if not await connection.fetchval("select has_schema_privilege($1, 'usage')", schema):
                lacks[schema] = ["grants"]  # to the application's role, which asks
                continue
            done = await _done(connection, schema)
            if absent := [one for one in wanted if one not in done]:
                lacks[schema] = absent
        return lacks
    finally:
        await connection.close()


async def _alone(dsn: str, work: Callable[[Connection], Awaitable[None]]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("select pg_advisory_lock($1)", LOCK)
        await work(connection)
    finally:
        # Closing the session gives the advisory lock back, whatever happened.
        await connection.close()


async def _prepare(connection: Connection) -> None:
    if not await connection.fetchval("select exists(select 1 from pg_extension where extname = 'postgis')"):
        await connection.execute("create extension postgis schema public")
    for statement in SHARED:
        await connection.execute(statement)
    await roles.make(connection)


async def _bring_up(
    connection: Connection,
    schema: str,
    wanted: Sequence[Migration],
    now: datetime,
    progress: Callable[[str, int, int], None],
) -> None:
    await connection.execute(f"create schema if not exists {schema}")
    await connection.execute(f"set search_path to {schema}, public")
    await connection.execute("set lock_timeout to '3s'")
    await connection.execute(HISTORY)
    done = await _done(connection, schema)
    for number, migration in enumerate(wanted, start=1):
        if migration.id not in done:
            await _apply(connection, schema, migration, now)
        progress(schema, number, len(wanted))
    await roles.grant(connection, schema)


async def _apply(connection: Connection, schema: str, migration: Migration, now: datetime) -> None:
    for statement in migration.statements:
        try:
            await _execute(connection, statement)
        except asyncpg.PostgresError as cause:
            raise MigrationFailed(schema, migration, statement, cause) from cause
    await connection.execute(
        "insert into migration (id, description, applied_at) values ($1, $2, $3)",
        migration.id,
        migration.description,
        now,
    )


async def _execute(connection: Connection, statement: str) -> None:
    for attempt in range(LOCK_TRIES):
        try:
            await connection.execute(statement)
            return
        except asyncpg.LockNotAvailableError:
            if attempt == LOCK_TRIES - 1:
                raise
            await asyncio.sleep(0.5)


async def _done(connection: Connection, schema: str) -> set[str]:
    if await connection.fetchval("select to_regclass($1)", f"{schema}.migration") is None:
        return set()
    return {row["id"] for row in await connection.fetch(f"select id from {schema}.migration")}


def _silent(schema: str, done: int, of: int) -> None:
    """Says nothing."""
