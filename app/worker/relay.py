"""The relay: takes events out of every district's outbox and hands their ids to the queue; numbers the change feed.

NOTIFY wakes it at once, a poll every second finds what no bell announced, and what was rung but not done for a minute
is rung again: the queue may be emptied at any time.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from app import logs, wiring
from app.doorbell import CHANNEL
from app.kernel import changes, db, outbox
from app.kernel.clock import Clock

logger = logging.getLogger("zjw.relay")

POLL_SECONDS = 1.0
BATCH = 500

Enqueue = Callable[[str, UUID], Awaitable[None]]
"""Hands (district, event id) to the queue; doing it twice for one id must be harmless."""


async def relay_once(district: str, enqueue: Enqueue, clock: Clock) -> int:
    """Relay what waits in one district and return how many events were handed over.

    What the queue does not take goes back into the outbox at once; its error is raised.
    """
    async with db.transaction(district):
        await changes.assign_positions()
    subscribed = {kind.__name__ for kind in wiring.SUBSCRIBERS}
    total = 0
    while True:
        async with db.transaction(district):
            taken = await outbox.take(clock(), subscribed, BATCH)
        await _hand_over(district, taken, enqueue)
        total += len(taken)
        if len(taken) < BATCH:
            return total


async def _hand_over(district: str, taken: list[UUID], enqueue: Enqueue) -> None:
    for n, event_id in enumerate(taken):
        try:
            await enqueue(district, event_id)
        except Exception:
            async with db.transaction(district):
                await outbox.put_back(taken[n:])
            raise


async def run(enqueue: Enqueue, clock: Clock) -> None:
    """Relay until cancelled; a database or queue that goes away is waited for, one district's fault stops no other."""
    wake = asyncio.Event()
    listener: Any = None
    while True:
        try:
            if listener is None or listener.is_closed():
                listener = await _listen(wake)
            for district in await db.districts():
                await _relay_or_log(district, enqueue, clock)
        except Exception as error:
            _warn(error, None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), POLL_SECONDS)
        wake.clear()


async def _relay_or_log(district: str, enqueue: Enqueue, clock: Clock) -> None:
    try:
        await relay_once(district, enqueue, clock)
    except Exception as error:
        _warn(error, district)


def _warn(error: Exception, district: str | None) -> None:
    logger.warning("relay", extra={"district": district, "error": type(error).__name__, "cause": logs.words_of(error)})


async def _listen(wake: asyncio.Event) -> Any:
    connection = await db.DB.get_new_connection()

    def rung(*_: object) -> None:
        wake.set()

    await connection.add_listener(CHANNEL, rung)
    return connection
