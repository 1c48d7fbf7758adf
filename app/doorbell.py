"""NOTIFY from the application, as a hint beside polling: commits that wrote events ring, at most every 20 ms."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

import asyncpg

from app.kernel import db, outbox

CHANNEL = "zjw_outbox"
_PAUSE = 0.02

logger = logging.getLogger("zjw.doorbell")


@contextlib.asynccontextmanager
async def ringing() -> AsyncGenerator[None]:
    """While open, every commit with events notifies the relays; nothing is lost when it does not."""
    districts: set[str] = set()
    wake = asyncio.Event()

    def bell(district: str) -> None:
        districts.add(district)
        wake.set()

    outbox.bells.append(bell)
    task = asyncio.create_task(_notify(districts, wake))
    try:
        yield
    finally:
        outbox.bells.remove(bell)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _notify(districts: set[str], wake: asyncio.Event) -> None:
    while True:
        await wake.wait()
        await asyncio.sleep(_PAUSE)
        wake.clear()
        rung = sorted(districts)
        districts.clear()
        try:
            connection = await db.DB.acquire()
            try:
                for district in rung:
                    await connection.execute("select pg_notify($1, $2)", CHANNEL, district)
            finally:
                await db.DB.release(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning("bell", extra={"error": type(error).__name__})
