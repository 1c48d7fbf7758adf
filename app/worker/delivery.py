"""Delivering one event to its subscribers: quick ones in the event's own transaction, slow ones beside it."""

import asyncio
import logging
from datetime import timedelta
from uuid import UUID

from app import logs, tracing, wiring
from app.kernel import db, event, outbox
from app.kernel.clock import Clock
from app.kernel.outbox import Pending
from app.wiring import Slow, Subscriber

logger = logging.getLogger("zjw.worker")

QUICK_SECONDS = 10.0
SLOW_SECONDS = 45.0
"""Longest run of one subscriber; one that hangs counts as failed and holds up nobody else."""
OUTAGE = timedelta(seconds=10)
"""How long an event waits after the database went away; it is not counted as a try."""


class Outcome:
    """Which subscribers have dealt with an event, and what the others said."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.faults: list[str] = []

    async def attempt(
        self, name: str, subscriber: Subscriber, happened: event.Event, clock: Clock, seconds: float
    ) -> bool:
        """Call one subscriber and say whether it did its work; whatever it raises is kept for the dead letter."""
        with tracing.span(f"deliver {name}") as span:
            span.note("zjw.event", str(happened.id))
            span.note("zjw.event_type", type(happened).__name__)
            try:
                async with asyncio.timeout(seconds):
                    await subscriber(happened, clock())
            except Exception as error:
                span.fail(type(error).__name__)
                if db.is_away(error):
                    raise  # no subscriber's fault
                logger.exception("subscriber", extra={"subscriber": name, "event": str(happened.id)})
                self.faults.append(f"{name}: {type(error).__name__}: {logs.words_of(error)}")
                return False
        self.done.append(name)
        return True


async def deliver(district: str, event_id: UUID, clock: Clock) -> None:
    """Bring an event to all who subscribe to it; safe to call any number of times, from any number of workers."""
    try:
        slow = await _deliver_quick(district, event_id, clock)
        if slow is not None:
            await _deliver_slow(district, event_id, *slow, clock)
    except Exception as error:  # an unreadable event, or a commit that was refused
        logger.exception("delivery", extra={"event": str(event_id)})
        if db.is_away(error):  # no try: an outage buries nothing
            async with db.transaction(district):
                await outbox.wait(event_id, clock() + OUTAGE)
            return
        await _count(district, event_id, f"{type(error).__name__}: {logs.words_of(error)}", clock)


async def _deliver_quick(district: str, event_id: UUID, clock: Clock) -> tuple[event.Event, Outcome] | None:
    """Call the quick subscribers; return what the slow ones need, or None when all is settled."""
    async with db.transaction(district):
        pending = await outbox.lock(event_id)
        if pending is None:
            return None
        happened = event.from_body(pending.type, pending.body)
        outcome = Outcome(list(pending.done))
        slow = False
        for name, subscriber in _waiting(happened, pending.done).items():
            if isinstance(subscriber, Slow):
                slow = True
            else:
                await _in_savepoint(district, outcome, name, subscriber, happened, clock)
        if slow:
            await outbox.note_done(event_id, outcome.done)
            return happened, outcome
        await _settle(pending, outcome, clock)
        return None


async def _deliver_slow(district: str, event_id: UUID, happened: event.Event, outcome: Outcome, clock: Clock) -> None:
    for name, subscriber in _waiting(happened, outcome.done).items():
        if isinstance(subscriber, Slow):
            await outcome.attempt(name, subscriber.call, happened, clock, SLOW_SECONDS)
    async with db.transaction(district):
        still = await outbox.lock(event_id)
        if still is not None:
            await _settle(still, outcome, clock)


def _waiting(happened: event.Event, done: list[str]) -> dict[str, Subscriber | Slow]:
    subscribers = wiring.SUBSCRIBERS.get(type(happened), {})
    return {name: found for name, found in subscribers.items() if name not in done}


class _Failed(Exception):
    """Rolls a failed subscriber's savepoint back."""


async def _in_savepoint(
    district: str, outcome: Outcome, name: str, subscriber: Subscriber, happened: event.Event, clock: Clock
) -> None:
    try:
        async with db.transaction(district):
            if not await outcome.attempt(name, subscriber, happened, clock, QUICK_SECONDS):
                raise _Failed
    except _Failed:
        pass


async def _settle(pending: Pending, outcome: Outcome, clock: Clock) -> None:
    if not outcome.faults:
        await outbox.finish(pending.event_id)
    else:
        await _postpone(pending, outcome.done, "\n".join(outcome.faults), clock)


async def _count(district: str, event_id: UUID, fault: str, clock: Clock) -> None:
    async with db.transaction(district):
        pending = await outbox.lock(event_id)
        if pending is not None:
            await _postpone(pending, pending.done, fault, clock)


async def _postpone(pending: Pending, done: list[str], fault: str, clock: Clock) -> None:
    if await outbox.postpone(pending, done, fault, clock()):
        logger.error("dead letter", extra={"event": str(pending.event_id), "type": pending.type})
