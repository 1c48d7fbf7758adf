"""The open streams of this process and what each has still to send; pure.

A reader that does not keep up is dropped: its page opens again and says what it saw last.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

MOST_WAITING = 200
"""Notices that may wait for one reader."""
OVERLAP = timedelta(seconds=60)
"""How long a transaction may take from the instant of its notice to its commit, clocks' differences included."""


class Told(Struct, frozen=True, kw_only=True):
    """A notice as a stream needs it: whose, when, and the event as it is sent."""

    id: UUID
    recipient: UUID
    made_at: datetime
    event: bytes


class OpenStream:
    """One open page: the inboxes it shows and the events it has still to send; None in the queue ends it."""

    def __init__(self, district: str, recipients: frozenset[UUID], told: Iterable[UUID]) -> None:
        self.district = district
        self.recipients = recipients
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self.dropped = False
        self._told = set(told)

    def offer(self, notices: Sequence[Told]) -> None:
        """Queue those of the notices that are this page's and new to it; all of the window are given each time."""
        mine = [each for each in notices if each.recipient in self.recipients]
        for each in mine:
            if each.id not in self._told:
                self._put(each.event)
        self._told = {each.id for each in mine}

    def end(self) -> None:
        """Let the stream end after what waits; at once when too much waits."""
        if self.waiting.full():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)

    def _put(self, event: bytes) -> None:
        if self.dropped:
            return
        if self.waiting.full():
            self.dropped = True
            self.end()
        else:
            self.waiting.put_nowait(event)


class Watch:
    """The open streams of one district, and from when on notices are looked for."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.streams: set[OpenStream] = set()

    @property
    def recipients(self) -> frozenset[UUID]:
        """All inboxes somebody looks at."""
        return frozenset[UUID]().union(*(stream.recipients for stream in self.streams))

    def offer(self, notices: Sequence[Told]) -> None:
        """Give every stream the notices of the window, and move the window on."""
        for stream in self.streams:
            stream.offer(notices)
        if notices:
            self.since = max(self.since, max(each.made_at for each in notices) - OVERLAP)


watches: dict[str, Watch] = {}
"""District → its open streams in this process."""


def add(stream: OpenStream, since: datetime) -> None:
    """Count a stream among the open ones; `since` is when its district's window begins if it is the first."""
    watches.setdefault(stream.district, Watch(since)).streams.add(stream)


def remove(stream: OpenStream) -> None:
    """Forget a stream."""
    watch = watches.get(stream.district)
    if watch is not None:
        watch.streams.discard(stream)
        if not watch.streams:
            del watches[stream.district]


def end_all() -> None:
    """Let every stream end: the process stops, pages open again elsewhere."""
    for watch in watches.values():
        for stream in watch.streams:
            stream.end()


def event_of(notice: Struct, notice_id: UUID) -> bytes:
    """Return a notice as a server-sent event (WHATWG HTML, 9.2)."""
    return b"id: %b\nevent: notice\ndata: %b\n\n" % (str(notice_id).encode(), msgspec.json.encode(notice))
