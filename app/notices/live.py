"""Server-sent events: one loop a process looks for new notices for all its open pages, woken by NOTIFY or a poll."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextvars import Context
from datetime import datetime
from typing import Any
from uuid import UUID

from app import logs
from app.identity import commands as identity
from app.kernel import db
from app.kernel.actor import Actor
from app.notices import commands, store, streams
from app.notices.store import NoticeView
from app.notices.streams import OpenStream, Told

logger = logging.getLogger("zjw.notices")

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 2.0
LIFE_SECONDS = 900.0
"""A stream ends then; the page opens it again with a token that is still good."""
MISSED = 200

_loop: "asyncio.Task[None] | None" = None


async def open_stream(actor: Actor, last: UUID | None, now: datetime) -> AsyncGenerator[bytes]:
    """Return the events of a page from now on, after those above the notice it saw last; NotPermitted."""
    mine = commands.inbox_of(actor)
    watch = streams.watches.get(actor.district)
    since = now - streams.OVERLAP if watch is None else watch.since
    async with db.transaction(actor.district):
        told = await store.recent(mine, since)
        missed = [] if last is None else await store.after(mine, last, MISSED)
    stream = OpenStream(actor.district, mine, [each.id for each in (*told, *missed)])
    return _events(stream, actor, missed, since)


async def _events(stream: OpenStream, actor: Actor, missed: list[NoticeView], since: datetime) -> AsyncGenerator[bytes]:
    streams.add(stream, since)
    _listen()
    ends = asyncio.get_running_loop().time() + LIFE_SECONDS
    try:
        yield b"retry: 3000\n\n" + b"".join(streams.event_of(each, each.id) for each in missed)
        while asyncio.get_running_loop().time() < ends:
            try:
                event = await asyncio.wait_for(stream.waiting.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                if not await _still_signed_in(actor):
                    return
                event = b": heartbeat\n\n"
            if event is None:
                return
            yield event
    finally:
        streams.remove(stream)
        if stream.dropped:
            logger.info("slow reader dropped")


async def _still_signed_in(actor: Actor) -> bool:
    """Whether the session the page was opened with is still there; machines have none."""
    return actor.session is None or any(each.id == actor.session for each in await identity.sessions(actor))


def _listen() -> None:
    """Have the loop running as long as a page is open."""
    global _loop
    if _loop is None or _loop.done():
        # a context of its own: the request's transaction is none of the loop's
        _loop = asyncio.get_running_loop().create_task(_look_out(), context=Context())


async def _look_out() -> None:
    wake = asyncio.Event()
    listener: Any = None
    try:
        while streams.watches:
            try:
                if listener is None or listener.is_closed():
                    listener = await _hear(wake)
                for district in list(streams.watches):
                    await _look(district)
            except Exception as error:
                extra = {"error": type(error).__name__, "cause": logs.words_of(error)}
                logger.warning("streams", extra=extra)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), POLL_SECONDS)
            wake.clear()
    finally:
        if listener is not None:
            await listener.close()


async def _look(district: str) -> None:
    """Offer the streams of a district all notices of its window; each knows what it has had."""
    watch = streams.watches.get(district)
    if watch is None:
        return
    async with db.transaction(district):
        rows = await store.recent(watch.recipients, watch.since)
    watch.offer(
        [
            Told(id=each.id, recipient=each.recipient, made_at=each.made_at, event=streams.event_of(each, each.id))
            for each in rows
        ]
    )


async def _hear(wake: asyncio.Event) -> Any:
    connection = await db.DB.get_new_connection()

    def rung(*_: object) -> None:
        wake.set()

    await connection.add_listener(store.NOTIFY, rung)
    return connection
