"""Sends what is due: a loop for each channel, so that a receiver that hangs holds up nobody else.

No transaction is open while a receiver is spoken to; whoever is killed meanwhile has it sent again after the lease.
"""

import asyncio
import logging
from datetime import datetime, timedelta

import httpx
from msgspec.structs import replace

from app import logs
from app.identity import cipher
from app.kernel import db
from app.kernel.clock import Clock
from app.notices import adapters, quiet, store
from app.notices.adapters import Later, Message, Never
from app.notices.configuration import Outlets, outlets
from app.notices.wording import Channel, Kind
from visits import callback_commands as after_visits

logger = logging.getLogger("zjw.notices")

POLL_SECONDS = 1.0
BATCH = 50
AT_ONCE = 10
LEASE = timedelta(minutes=2)
"""Longer than a batch can take: 50 messages, 10 at a time, two requests of 5 s each."""
TRIES = 8
BACK_OFF = timedelta(seconds=30)
LONGEST = timedelta(hours=1)


def back_off(tries: int) -> timedelta:
    """Return how long to wait after the `tries`-th failure: 30 s, doubling, at most an hour."""
    return min(BACK_OFF * 2 ** (tries - 1), LONGEST)


async def run(clock: Clock) -> None:
    """Deliver until cancelled."""
    async with asyncio.TaskGroup() as group:
        for channel in Channel:
            group.create_task(_run(channel, clock))


async def _run(channel: Channel, clock: Clock) -> None:
    while True:
        try:
            if channel in outlets().on:
                for district in await db.districts():
                    await _deliver_all(district, channel, clock)
        except Exception as error:
            _warn(error, None)
        await asyncio.sleep(POLL_SECONDS)


async def _deliver_all(district: str, channel: Channel, clock: Clock) -> None:
    """Deliver batch after batch while receivers take them; one district's fault stops no other."""
    try:
        while await deliver_due(district, channel, clock()) == BATCH:
            pass
    except Exception as error:
        _warn(error, district)


def _warn(error: Exception, district: str | None) -> None:
    logger.warning(
        "notices", extra={"district": district, "error": type(error).__name__, "cause": logs.words_of(error)}
    )


async def deliver_due(district: str, channel: Channel, now: datetime) -> int:
    """Try one batch of what is due through a channel and return how many were taken by the receiver."""
    on = outlets()
    quiet_now = on.quiet is not None and on.quiet.holds(now)
    async with db.transaction(district):
        messages = await store.claim(channel, now, now + LEASE, quiet_now, BATCH)
    if not messages:
        return 0
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=adapters.TIMEOUT_SECONDS) as client:

        async def one(message: Message) -> bool:
            async with gate:
                return await _try(district, message, on, client, now)

        return sum(await asyncio.gather(*(one(message) for message in messages)))


async def _try(district: str, message: Message, on: Outlets, client: httpx.AsyncClient, now: datetime) -> bool:
    """Send one message and write down what became of it; a fault of our own counts as a failure."""
    state, error = "sent", None
    try:
        async with asyncio.timeout(2 * adapters.TIMEOUT_SECONDS):
            await adapters.send(await _addressed(district, message), on, client, now)
    except Never as refused:
        state, error = "given_up", str(refused)
    except Later as away:
        state, error = "failed", str(away)
    except Exception as fault:
        state, error = "failed", type(fault).__name__
    if state == "failed" and message.tries >= TRIES:
        state = "given_up"
    if error is not None:
        extra = {"delivery": str(message.id), "channel": message.channel, "tries": message.tries, "cause": error}
        logger.warning("given up" if state == "given_up" else "not delivered", extra=extra)
    next_at = quiet.earliest(now + back_off(message.tries), on.quiet, message.critical) if state == "failed" else now
    async with db.transaction(district):
        await store.settle(message.id, state, next_at, now if state == "sent" else None, error)
    return state == "sent"


async def _addressed(district: str, message: Message) -> Message:
    """The message with its address in the clear; a household's is asked for at this moment, as it may say no."""
    if message.kind == Kind.VISITED:
        return replace(message, address=await after_visits.contact_to_tell(district, message.recipient))
    return message if message.address is None else replace(message, address=cipher.open_(message.address))
