"""The stream of case events: what a step writes for others, reading it in the order of commits, following it.

Positions are given after the commit and never change: whoever has read up to one has missed nothing before it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from app.identity import commands as identity
from app.identity import scope
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from tasks.cases import queries
from tasks.channels import stream_events, stream_store, webhook_store
from tasks.channels.stream_events import KINDS, CaseEvent, CloudEvent
from tasks.channels.stream_store import Placed
from tasks.channels.webhook_problems import StreamGap

ACTION = "case.stream"
KEPT = timedelta(days=30)
"""How long events and finished deliveries are kept."""
BATCH = 2_000
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
LIFE_SECONDS = 900.0
"""A stream ends then; the reader opens it again with the id of the last event."""
AT_A_TIME = 200


class EventPage(Struct, frozen=True, kw_only=True):
    """Events past a position; go on from `after`. A page may be empty though there is `more`: not all is for all."""

    events: tuple[CloudEvent, ...]
    after: int
    more: bool


class _Reader(Struct, frozen=True):
    """Who reads, and the source a machine is bound to."""

    actor: Actor
    source: str | None


class _Read(Struct, frozen=True):
    """What was read for a reader, how far, and whether there may be more at once."""

    seen: tuple[Placed, ...]
    reached: int
    more: bool


_open: set[asyncio.Event] = set()
"""What ends each open stream of this process."""


def end_all() -> None:
    """Let every open stream end: the process stops."""
    for each in _open:
        each.set()


async def on_case(event: CaseEvent, now: datetime) -> None:
    """Keep an event of a case for the stream and for the webhooks of its source, in the caller's transaction.

    Workers deliver events in any order. Earlier ones of the case that are still on their way are written with it, so
    that no reader ever finds a later one without them. The same event again changes nothing.
    """
    earlier = await outbox.undone("case", str(event.case), tuple(KINDS))
    entries = {each.id: stream_events.entry(each) for each in earlier if isinstance(each, CaseEvent)}
    mine = entries[event.id] = stream_events.entry(event)
    wanted = [each for each in entries.values() if (each.step, each.event_id) <= (mine.step, mine.event_id)]
    wanted.sort(key=lambda each: (each.step, each.event_id))
    await stream_store.add(wanted)
    hooks = await webhook_store.interested(event.source)
    rows = [(new_id(), hook.id, each) for each in wanted for hook in hooks if each.type in hook.events]
    await webhook_store.enqueue(rows, now)


async def page(actor: Actor, after: int, limit: int, now: datetime) -> EventPage:
    """Return the events past a position that the actor may see; StreamGap when some of them are deleted by now."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        await stream_store.place()
    async with db.transaction(actor.district):
        reader = await _reader(actor)
        await _check_whole(after)
        read = await _read(reader, after, limit, now)
    events = tuple(stream_events.cloud_event(each.entry, actor.district) for each in read.seen)
    return EventPage(events=events, after=read.reached, more=read.more)


async def _reader(actor: Actor) -> _Reader:
    """A machine reads the events of its own source, whoever made it."""
    if actor.kind != "machine":
        return _Reader(actor, None)
    return _Reader(actor, await identity.key_source(actor.id) or "")


async def _read(reader: _Reader, after: int, limit: int, now: datetime) -> _Read:
    """Read on: to the last event found, or to the stream's end where nothing more is for this reader."""
    end = (await stream_store.head()).position  # before the events: none up to there comes later
    found = await stream_store.after(after, reader.source, limit)
    last = found[-1].position if found else after
    more = len(found) == limit
    return _Read(tuple(await _seen(reader, found, now)), last if more else max(last, end), more)


async def _check_whole(after: int) -> None:
    head = await stream_store.head()
    if after < head.kept_from:
        raise StreamGap(kept_from=head.kept_from)


async def _seen(reader: _Reader, found: Sequence[Placed], now: datetime) -> list[Placed]:
    """Return those the reader may see: a machine all of its source, people those of cases within their reach."""
    if reader.source is not None or not found or scope.reach(reader.actor, ACTION).everything:
        return list(found)
    mine = await queries.visible([each.entry.case_id for each in found], ACTION, reader.actor, now)
    return [each for each in found if each.entry.case_id in mine]


async def follow(actor: Actor, after: int | None, now: datetime) -> AsyncGenerator[bytes]:
    """Return the server-sent events past a position, or from now on; StreamGap when some of them are deleted by now."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        while await stream_store.place(BATCH) == BATCH:
            pass
    async with db.transaction(actor.district):
        reader = await _reader(actor)
        if after is None:
            after = (await stream_store.head()).position
        await _check_whole(after)
    return _events(reader, after, now)


async def _events(reader: _Reader, after: int, now: datetime) -> AsyncGenerator[bytes]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    began, beat = loop.time(), loop.time() + HEARTBEAT_SECONDS
    _open.add(stop)
    try:
        yield b"retry: 3000\n\n"
        while loop.time() < began + LIFE_SECONDS and not stop.is_set():
            read = await _next(reader, after, now + timedelta(seconds=loop.time() - began))
            after, text = read.reached, _text(read, reader.actor.district)
            if not text and loop.time() >= beat:
                if not await _still_signed_in(reader.actor):
                    return
                text = b": heartbeat\nid: %d\n\n" % after  # go on from here, though nothing was for this reader
            if text:
                yield text
                beat = loop.time() + HEARTBEAT_SECONDS
            if not read.more:
                await _pause(stop)
    finally:
        _open.discard(stop)


async def _pause(stop: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), POLL_SECONDS)


async def _still_signed_in(actor: Actor) -> bool:
    """Whether the session is still there that the stream was opened with, or the machine's key."""
    if actor.kind == "machine":
        async with db.transaction(actor.district):
            return await identity.key_source(actor.id) is not None
    return actor.session is None or any(each.id == actor.session for each in await identity.sessions(actor))


async def _next(reader: _Reader, after: int, now: datetime) -> _Read:
    district = reader.actor.district
    async with db.transaction(district):
        await stream_store.place()
    async with db.transaction(district):
        return await _read(reader, after, AT_A_TIME, now)


def _text(read: _Read, district: str) -> bytes:
    return b"".join(
        stream_events.server_sent(each.position, stream_events.cloud_event(each.entry, district)) for each in read.seen
    )


async def tidy(district: str, now: datetime) -> None:
    """Delete finished deliveries and events that were kept long enough, in batches of a transaction each."""
    while await _batch(district, now):
        pass


async def _batch(district: str, now: datetime) -> bool:
    async with db.transaction(district):
        done = await webhook_store.forget(now - KEPT, BATCH)
        gone = await stream_store.forget(now - KEPT, BATCH)
    return done == BATCH or gone == BATCH
