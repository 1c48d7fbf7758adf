"""The database: one transaction per command, in one district's schema, on a Piccolo engine whose transactions hold."""

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar, Token
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import asyncpg
import msgspec
import shapely
from piccolo.engine.postgres import PostgresEngine
from shapely.geometry.base import BaseGeometry

logger = logging.getLogger("zjw.db")

os.environ.setdefault("PICCOLO_CONF", "app.kernel.db")  # where Piccolo's tables look for the engine `DB`

FENCE = 0x7A6A77
"""First key of the advisory lock every transaction shares and `district move` takes alone."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_DISTRICT = re.compile(r"[0-9]{6}")


class NoTransaction(RuntimeError):
    """A query was made outside `transaction(district)`, where no district's tables are in reach."""


class ForeignTask(RuntimeError):
    """A transaction was used from another task than its own, as by a `gather` inside it; its connection serves one."""


def schema_of(district: str) -> str:
    """Return the schema of a district's six-digit code (GB/T 2260); ValueError for anything else."""
    if not _DISTRICT.fullmatch(district):
        raise ValueError(f"not a district code: {district!r}")
    return f"d{district}"


def _encode_json(value: Any) -> bytes:
    # Piccolo hands over JSON columns as text already; everything else is a Python object.
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


_JSONB_VERSION = b"\x01"
"""What precedes the text in the binary form of jsonb (jsonb_recv); only the binary form can be copied in."""


def _encode_jsonb(value: Any) -> bytes:
    return _JSONB_VERSION + _encode_json(value)


def _decode_jsonb(value: bytes) -> Any:
    return msgspec.json.decode(memoryview(value)[1:])


def _encode_time(value: datetime) -> tuple[int]:
    if value.tzinfo is None:
        raise ValueError(f"naive datetime refused: {value!r}")
    since = (value - _EPOCH) // _MICROSECOND
    if not _FIRST <= since <= _LAST:  # PostgreSQL would keep it, and its row could never be read again
        raise ValueError(f"a time outside of the years 1 to 9999 refused: {value!r}")
    return (since,)


def _decode_time(value: tuple[int]) -> datetime:
    return _EPOCH + timedelta(microseconds=value[0])


_shapely: Any = shapely  # its array overloads have no types


def _encode_geometry(value: BaseGeometry) -> bytes:
    return shapely.to_wkb(value if _shapely.get_srid(value) else _shapely.set_srid(value, 4326), include_srid=True)


async def prepare(connection: Any) -> None:
    """Set the codecs of a new connection: json and jsonb as objects, aware times only, geometry as shapely."""
    for name, encoder, decoder in (
        ("json", _encode_json, msgspec.json.decode),
        ("jsonb", _encode_jsonb, _decode_jsonb),
    ):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encoder, decoder=decoder, format="binary")
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encode_time, decoder=_decode_time, format="tuple"
    )
    with contextlib.suppress(ValueError):  # a database before its first migration has no PostGIS yet
        await connection.set_type_codec(
            "geometry", schema="public", encoder=_encode_geometry, decoder=shapely.from_wkb, format="binary"
        )


async def _keep_session(connection: Any) -> None:
    """Return a connection as it is: all settings and locks of ours end with their transaction (saves a round trip)."""


class Transaction:
    """One transaction of one district; inside another of the same task it is a savepoint.

    Stock Piccolo 1.38 leaks the connection when COMMIT fails, makes nested transactions no-ops and leaks in `gather`.
    """

    __slots__ = ("_connection", "_depth", "_engine", "_mark", "_root", "_task", "_token", "callbacks", "district")

    def __init__(self, engine: "Engine", district: str | None) -> None:
        self._engine = engine
        self.district = district
        self._root: Transaction | None = None
        self._depth = 0
        self._mark = 0
        self._task: asyncio.Task[Any] | None = None
        self._token: Token[Any] | None = None
        self._connection: Any = None
        self.callbacks: list[Callable[[], None]] = []

    @property
    def connection(self) -> Any:
        """The connection, for the task that opened the transaction; ForeignTask for one that runs beside it."""
        if self._connection is None:
            raise NoTransaction("this transaction has ended")
        if self._task is not asyncio.current_task() and self._task is not None and not self._task.done():
            raise ForeignTask("this transaction belongs to another task: do not gather inside a transaction")
        return self._connection

    @property
    def ended(self) -> bool:
        """True once the connection was given back; a task started inside may still see such a transaction."""
        return self._connection is None

    async def __aenter__(self) -> Self:
        running: Transaction | None = self._engine.running.get()
        if running is not None and not running.ended:
            await self._enter_savepoint(running)
            return self
        opening = "BEGIN"
        if self.district is not None:
            schema = schema_of(self.district)
            opening += f"; SET LOCAL search_path TO {schema}, public"
            opening += f"; SELECT pg_advisory_xact_lock_shared({FENCE}, {int(self.district)})"
        self._connection = await self._engine.acquire()
        try:
            await self._connection.execute(opening)
        except BaseException:
            await self._give_back(clean=False)
            raise
        self._task = asyncio.current_task()
        self._token = self._engine.running.set(self)
        return self

    async def _enter_savepoint(self, root: "Transaction") -> None:
        if self.district is not None and root.district != self.district:
            raise RuntimeError(f"a transaction of district {root.district} cannot hold one of {self.district}")
        connection = root.connection
        self._root = root
        self._mark = len(root.callbacks)
        root._depth += 1
        self._depth = root._depth
        await connection.execute(f"SAVEPOINT s{self._depth}")

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._root is not None:
            await self._leave_savepoint(self._root, failed=exc is not None)
            return False
        clean = False
        try:
            await self._connection.execute("COMMIT" if exc is None else "ROLLBACK")
            clean = True
        finally:
            try:
                if self._token is not None:
                    self._engine.running.reset(self._token)
            finally:
                await self._give_back(clean)
        if exc is None:
            self._call_back()
        return False

    async def _leave_savepoint(self, root: "Transaction", failed: bool) -> None:
        name = f"s{self._depth}"
        root._depth -= 1
        if failed:
            del root.callbacks[self._mark :]
            await root.connection.execute(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
        else:
            await root.connection.execute(f"RELEASE SAVEPOINT {name}")

    async def _give_back(self, clean: bool) -> None:
        """Release the connection; one that cannot be brought out of its transaction is closed, never reused."""
        connection, self._connection = self._connection, None
        try:
            if not clean:  # also after a cancelled BEGIN, whose fate the client does not know
                await connection.execute("ROLLBACK")
                clean = True
        finally:
            if not clean:
                connection.terminate()
            await self._engine.release(connection)

    def _call_back(self) -> None:
        for callback in self.callbacks:
            try:
                callback()
            except Exception:  # the change is committed: its caller must not hear of a failure
                logger.exception("after commit")


class Engine(PostgresEngine):
    """Piccolo's engine with transactions that hold, codecs on every connection and no connection at import."""

    def __init__(self) -> None:
        super().__init__(config={}, extensions=())
        self.running: ContextVar[Any] = self.current_transaction

    async def check_version(self) -> None:
        """Do nothing: the stock engine connects while it is constructed."""

    async def prep_database(self) -> None:
        """Do nothing: extensions are the migrations' business."""

    async def get_new_connection(self) -> Any:
        """Return a connection outside the pool, with the codecs; the caller closes it."""
        connection = await asyncpg.connect(**self.config)
        await prepare(connection)
        return connection

    async def acquire(self) -> Any:
        """Take a connection of the pool (or a new one when no pool runs)."""
        try:
            return await self.pool.acquire() if self.pool is not None else await self.get_new_connection()
        except FileNotFoundError as error:  # no unix socket: a stopped server, as one nobody listens for on a port
            raise ConnectionRefusedError(str(error)) from error

    async def release(self, connection: Any) -> None:
        """Give a connection back to where `acquire` took it."""
        if self.pool is not None:
            await self.pool.release(connection)
        elif not connection.is_closed():
            await connection.close()

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> Any:
        raise NoTransaction("open db.transaction(district) first")

    _run_in_new_connection = _run_in_pool

    def transaction(self, allow_nested: bool = True, district: str | None = None) -> Any:
        """Open a transaction; nested in another one of the same task it is a savepoint."""
        return Transaction(self, district)


DB = Engine()


def configure(dsn: str) -> None:
    """Say which database to use; call before `start`. Every session ends an idle transaction after 30 s."""
    DB.config = {
        "dsn": dsn,
        "server_settings": {"idle_in_transaction_session_timeout": "30s", "jit": "off", "application_name": "zjw"},
    }


async def start(min_size: int = 2, max_size: int = 10) -> None:
    """Start the pool; without it each query opens a connection (9 ms)."""
    engine: Any = DB
    await engine.start_connection_pool(min_size=min_size, max_size=max_size, init=prepare, reset=_keep_session)


async def stop() -> None:
    """Close the pool after its connections came back."""
    if DB.pool is not None:
        await DB.close_connection_pool()


def transaction(district: str) -> Any:
    """Open the transaction of a command: `async with transaction("330109"): …`; inside one, a savepoint.

    Raises ValueError for a malformed district code, ForeignTask when gathered inside another transaction.
    """
    schema_of(district)
    return DB.transaction(district=district)


async def districts() -> list[str]:
    """Return the codes of all districts of this deployment, in no transaction of any."""
    connection = await DB.acquire()
    try:
        return [row["code"] for row in await connection.fetch("select code from public.district order by code")]
    finally:
        await DB.release(connection)


def current() -> Transaction:
    """Return the transaction this task is in; NoTransaction outside one."""
    running: Transaction | None = DB.running.get()
    if running is None or running.ended:
        raise NoTransaction("open db.transaction(district) first")
    return running


def after_commit(callback: Callable[[], None]) -> None:
    """Call `callback` once the outermost transaction is committed (never if it is rolled back)."""
    current().callbacks.append(callback)


async def fetch(sql: str, *args: Any) -> list[asyncpg.Record]:
    """Run a query in the current transaction and return its rows."""
    return await current().connection.fetch(sql, *args)


async def fetchrow(sql: str, *args: Any) -> asyncpg.Record | None:
    """Run a query in the current transaction and return its first row, or None."""
    return await current().connection.fetchrow(sql, *args)


async def fetchval(sql: str, *args: Any) -> Any:
    """Run a query in the current transaction and return the first value of its first row, or None."""
    return await current().connection.fetchval(sql, *args)


async def execute(sql: str, *args: Any) -> int:
    """Run a statement in the current transaction and return how many rows it touched."""
    status: str = await current().connection.execute(sql, *args)
    count = status.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


async def copy(table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]) -> int:
    """Write many rows by COPY (binary) in the current transaction and return how many."""
    status = await current().connection.copy_records_to_table(table, columns=list(columns), records=records)
    return int(status.rpartition(" ")[2])


_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


def is_away(failure: BaseException) -> bool:
    """Tell whether the database went away; of one that refuses connections the system says ConnectionError."""
    # asyncpg says InterfaceError of a connection that is closed; its subclasses are mistakes of the caller's
    return isinstance(failure, _AWAY) or type(failure) is asyncpg.InterfaceError
