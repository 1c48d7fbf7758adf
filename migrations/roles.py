"""The application's own database role: what it may do with which table, given anew after every run of migrations.

It owns nothing: it can neither change the schema nor switch a trigger off. What is on record it reads and adds to.
"""

from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPLICATION = "zjw_app"
"""The role server, worker and command line work as. `zjw migrate` gives it the password of DATABASE_URL."""

APPEND_ONLY = (
    "case_calendar",
    "case_event",
    "case_item",
    "case_root",
    "case_root_head",
    "fact",
    "routing_rules",
    "sensing_rule_version",
    "score_period_event",
    "visit_rules",
)
"""Tables the application reads and adds to, and never changes. A row that goes with time (`access_log`) is not here."""

NO_UPDATE = ("access_log",)
"""Tables whose rows are deleted when their time is over, and never changed."""

READ_ONLY = ("migration",)

_MAKE = f"""
    do $$ begin
        if not exists (select from pg_roles where rolname = '{APPLICATION}') then
            create role {APPLICATION} login;
        end if;
    exception
        when duplicate_object or unique_violation then null;  -- made at this moment for another database
        when insufficient_privilege then null;  -- an owner who may make no roles: `zjw doctor` says what to do
    end $$
"""


async def make(connection: Connection) -> None:
    """Make the role if it is not there and the owner may; let it read which districts there are."""
    await connection.execute(_MAKE)
    if await _exists(connection):
        await connection.execute(f"grant select on public.district to {APPLICATION}")


async def set_password(owner_dsn: str, password: str) -> None:
    """Give the role the password it signs in with. InsufficientPrivilegeError for an owner who may not."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        # quoted by the server: the statement itself takes no parameters
        quote = "select format('alter role %I password %L', $1::text, $2::text)"
        await connection.execute(await connection.fetchval(quote, APPLICATION, password))
    finally:
        await connection.close()


async def grant(connection: Connection, schema: str) -> None:
    """Give the role what it needs in a district and take away what it does not; without the role nothing."""
    if not await _exists(connection):
        return
    there = {
        row["tablename"]
        for row in await connection.fetch("select tablename from pg_tables where schemaname = $1", schema)
    }
    async with connection.transaction():
        for statement in _statements(schema, there):
            await connection.execute(statement)


def _statements(schema: str, there: set[str]) -> list[str]:
    def names(tables: tuple[str, ...]) -> str:
        return ", ".join(f"{schema}.{table}" for table in tables if table in there)

    wanted = [
        f"grant usage on schema {schema} to {APPLICATION}",
        f"grant select, insert, update, delete on all tables in schema {schema} to {APPLICATION}",
        f"grant execute on all functions in schema {schema} to {APPLICATION}",
    ]
    taken = {"update, delete": APPEND_ONLY, "update": NO_UPDATE, "insert, update, delete": READ_ONLY}
    wanted += [
        f"revoke {what} on {names(tables)} from {APPLICATION}" for what, tables in taken.items() if names(tables)
    ]
    return wanted


async def _exists(connection: Connection) -> bool:
    return await connection.fetchval("select exists (select from pg_roles where rolname = $1)", APPLICATION)
