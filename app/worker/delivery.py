"""Delivering one event to its subscribers: quick ones in the event's own transaction, slow ones beside it."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app import wiring
from app.kernel import db, event, outbox
from app.kernel.clock import Clock
from app.kernel.outbox import Pending
from app.wiring import Slow, Subscriber

logger = logging.getLogger("zjw.worker")


class Outcome:
    """Which subscribers have dealt with an event, and what the others said."""

    def __init__(self, done: list[str]) -> None:
        self.done = done
        self.faults: list[str] = []

    async def attempt(self, name: str, subscriber: Subscriber, happened: event.Event, clock: Clock) -> None:
        """Call one subscriber; whatever it raises is kept for the dead letter."""
        try:
            await subscriber(happened, clock())
        except Exception as error:
            logger.exception("subscriber", extra={"subscriber": name, "event": str(happened.id)})
            self.faults.append(f"{name}: {type(error).__name__}: {error}")
        else:
            self.done.append(name)


async def deliver(district: str, event_id: UUID, clock: Clock) -> None:
    """Bring an event to all who subscribe to it; safe to call any number of times, from any number of workers."""
    async with db.transaction(district):
        pending = await outbox.lock(event_id)
        if pending is None:
            return
        happened = event.from_body(pending.type, pending.body)
        subscribers = _waiting(pending, wiring.SUBSCRIBERS.get(type(happened), {}))
        outcome = Outcome(list(pending.done))
        for name, subscriber in subscribers.items():
            if not isinstance(subscriber, Slow):
                await _in_savepoint(district, outcome, name, subscriber, happened, clock)
        slow = {name: found for name, found in subscribers.items() if isinstance(found, Slow)}
        if not slow:
            await _settle(pending, outcome, clock)
            return
        await outbox.note_done(event_id, outcome.done)
    for name, subscriber in slow.items():
        await outcome.attempt(name, subscriber.call, happened, clock)
    async with db.transaction(district):
        still = await outbox.lock(event_id)
        if still is not None:
            await _settle(still, outcome, clock)


def _waiting(pending: Pending, subscribers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in subscribers.items() if name not in pending.done}


class _Failed(Exception):
    """Rolls a failed subscriber's savepoint back."""


async def _in_savepoint(
    district: str, outcome: Outcome, name: str, subscriber: Subscriber, happened: event.Event, clock: Clock
) -> None:
    try:
        async with db.transaction(district):
            before = len(outcome.faults)
            await outcome.attempt(name, subscriber, happened, clock)
            if len(outcome.faults) > before:
                raise _Failed
    except _Failed:
        pass


async def _settle(pending: Pending, outcome: Outcome, clock: Clock) -> None:
    if not outcome.faults:
        await outbox.finish(pending.event_id)
    elif await outbox.postpone(pending, outcome.done, "\n".join(outcome.faults), clock()):
        logger.error("dead letter", extra={"event": str(pending.event_id), "type": pending.type})
