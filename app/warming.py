"""What a process reads once and keeps is read before anybody asks for it: no first request waits for it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import datetime

from app.kernel import db
from app.kernel.clock import Clock

Part = Callable[[str, datetime], Awaitable[object]]
"""Called with a district and the instant; opens its own transaction."""

logger = logging.getLogger("zjw.warming")


@contextlib.asynccontextmanager
async def warming(parts: Mapping[str, Part], now: Clock) -> AsyncGenerator[None]:
    """While open, the parts are read beside the first requests, district by district; what fails is read when asked."""
    task = asyncio.create_task(_warm(parts, now)) if parts else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _warm(parts: Mapping[str, Part], now: Clock) -> None:
    try:
        for district in await db.districts():
            for name, part in parts.items():
                await _read(name, part, district, now())
    except Exception as error:
        logger.warning("nothing is read ahead: %s", type(error).__name__)  # the database is not there yet


async def _read(name: str, part: Part, district: str, now: datetime) -> None:
    try:
        await part(district, now)
    except Exception as error:
        logger.warning("%s of %s is not read ahead: %s", name, district, type(error).__name__)
