"""Looks at everything an installation needs and says of each part how it is and what to do."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import asyncpg
import chinese_calendar
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app import reach
from app.settings import Settings, without_password
from app.trouble import Trouble
from migrations import roles, runner

LEAST_POSTGRES = 150000
LEAST_POSTGIS = (3, 3)
LEAST_DISK_GB = 2
MOST_CLOCK_SKEW = timedelta(seconds=2)
CONNECT_SECONDS = 5


class Finding(Struct, frozen=True):
    """How one part is; `remedy` says what to do when it is not well."""

    part: str
    state: Literal["ok", "warning", "bad"]
    text: str
    remedy: str = ""


_WHO = """
    select r.rolname as name, r.rolsuper as superuser, exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname ~ '^d[0-9]{6}$' and pg_has_role(r.oid, c.relowner, 'member')
    ) as owns from pg_roles r where r.rolname = current_user
"""

Check = Callable[[Settings, datetime], Awaitable[list[Finding]]]


async def examine(given: Settings, now: datetime) -> list[Finding]:
    """Every finding, in a fixed order; never raises for a part that is ill."""
    checks: tuple[Check, ...] = (_database, _migrations, _queue, _storage, _holidays, _keys, _disk)
    findings: list[Finding] = []
    for check in checks:
        findings += await check(given, now)
    return findings


async def _database(given: Settings, now: datetime) -> list[Finding]:
    try:
        with reach.database(given.database_url):
            connection = await asyncpg.connect(given.database_url, timeout=CONNECT_SECONDS)
    except Trouble as trouble:
        return [Finding("database", "bad", "no connection", trouble.message)]
    try:
        version = int(await connection.fetchval("show server_version_num"))
        postgis = await connection.fetchval("select default_version from pg_available_extensions where name='postgis'")
        skew = await connection.fetchval("select clock_timestamp()") - datetime.now(UTC)
        who = await connection.fetchrow(_WHO)
    finally:
        await connection.close()
    return [_version(version), _postgis(postgis), _role(**dict(who or {})), _clock(skew)]


def _role(name: str, superuser: bool, owns: bool) -> Finding:
    if superuser or owns:
        text = f"{name} is a superuser" if superuser else f"{name} owns the tables"
        remedy = (
            f"Records can be changed by it: let DATABASE_URL name {roles.APPLICATION} (`zjw migrate` makes it, give it"
            " a password) and DATABASE_OWNER_URL the owner."
        )
        return Finding("role", "warning", text, remedy)
    return Finding("role", "ok", f"{name} owns nothing")


def _version(number: int) -> Finding:
    text = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number >= LEAST_POSTGRES:
        return Finding("database", "ok", text)
    return Finding("database", "bad", text, "PostgreSQL 15 or newer is needed: upgrade the server.")


def _postgis(version: str | None) -> Finding:
    if version is None:
        remedy = "Run `apt-get install postgresql-15-postgis-3` on the database server."
        return Finding("postgis", "bad", "not installed", remedy)
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST_POSTGIS:
        return Finding("postgis", "bad", version, "PostGIS 3.3 or newer is needed: upgrade it on the database server.")
    return Finding("postgis", "ok", version)


def _clock(skew: timedelta) -> Finding:
    seconds = abs(skew.total_seconds())
    if abs(skew) > MOST_CLOCK_SKEW:
        text = f"{seconds:.0f} s apart from the database's"
        return Finding("clock", "bad", text, "Deadlines depend on it: run an NTP client on both machines.")
    return Finding("clock", "ok", f"{seconds * 1000:.0f} ms apart from the database's")


async def _migrations(given: Settings, now: datetime) -> list[Finding]:
    try:
        with reach.database(given.database_url):
            lacks = await asyncio.wait_for(runner.missing(given.database_url), CONNECT_SECONDS)
    except (Trouble, TimeoutError):
        return [Finding("migrations", "bad", "cannot be looked at without the database", "Mend the database first.")]
    if lacks:
        text = ", ".join(f"{schema} lacks {len(ids)}" for schema, ids in lacks.items())
        return [Finding("migrations", "bad", text, "Run `zjw migrate`.")]
    return [Finding("migrations", "ok", "up to date")]


async def _queue(given: Settings, now: datetime) -> list[Finding]:
    client: Any = Redis.from_url(given.redis_url, socket_timeout=CONNECT_SECONDS)  # pyright: ignore[reportUnknownMemberType]
    try:
        server = await client.info("server")
        memory = await client.config_get("maxmemory-policy")
    except (RedisError, OSError) as error:
        shown = without_password(given.redis_url)
        remedy = "Start it (`make demo` starts the private one), or correct REDIS_URL."
        return [Finding("queue", "bad", f"{shown} does not answer ({type(error).__name__})", remedy)]
    finally:
        await client.aclose()
    text = f"Valkey {server['valkey_version']}" if "valkey_version" in server else f"Redis {server['redis_version']}"
    if memory.get("maxmemory-policy") != "noeviction":
        remedy = "It may throw jobs away when memory is short: set maxmemory-policy to noeviction."
        return [Finding("queue", "warning", text, remedy)]
    return [Finding("queue", "ok", text)]


async def _storage(given: Settings, now: datetime) -> list[Finding]:
    return [await asyncio.to_thread(_folder, Path(unquote(urlsplit(given.media_url).path)))]


def _folder(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror})"
        return Finding("storage", "bad", text, "Give the folder to the user of the server, or correct MEDIA_URL.")
    return Finding("storage", "ok", str(folder))


async def _holidays(given: Settings, now: datetime) -> list[Finding]:
    last = max(chinese_calendar.constants.holidays).year
    if last < now.year:
        remedy = "Working hours of this year are not known: upgrade the package chinesecalendar."
        return [Finding("holidays", "bad", f"known to the end of {last}", remedy)]
    if last == now.year and now.month >= 11:  # deadlines reach into the new year by then
        remedy = "Upgrade the package chinesecalendar, or import the next year with `zjw calendar import`."
        return [Finding("holidays", "warning", f"known to the end of {last}", remedy)]
    return [Finding("holidays", "ok", f"known to the end of {last}")]


async def _keys(given: Settings, now: datetime) -> list[Finding]:
    current, table = given.cipher_key_table()
    file = given.home / "secrets.toml"
    if file.exists() and (file.stat().st_mode & 0o077):
        return [Finding("keys", "bad", f"{file} can be read by others", f"Run `chmod 600 {file}`.")]
    return [Finding("keys", "ok", f"signing key and {len(table)} cipher key(s), {current} seals")]


async def _disk(given: Settings, now: datetime) -> list[Finding]:
    free = shutil.disk_usage(given.home).free / 2**30
    text = f"{free:.0f} GB free"
    if free < LEAST_DISK_GB:
        return [Finding("disk", "bad", text, f"Free at least {LEAST_DISK_GB} GB below {given.home}.")]
    return [Finding("disk", "ok", text)]
