"""What others read of a case's events: no person, no place, no words, as CloudEvents 1.0; pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from tasks.cases.events import CaseClosed, CaseMoved, CaseOpened

CaseEvent = CaseOpened | CaseMoved | CaseClosed
KINDS: dict[str, str] = {"CaseOpened": "opened", "CaseMoved": "moved", "CaseClosed": "closed"}
"""Class of the event → what it is called outside; in the order they follow each other within one version."""

_RANKS = {kind: rank for rank, kind in enumerate(KINDS.values())}
_COMMON = ("case", "number", "source", "external_id", "item", "version")
_MORE = {
    "opened": ("severity", "state", "lead"),
    "moved": ("command", "before", "state", "organisation", "due_at"),
    "closed": ("outcome", "rating"),
}
CONTENT_TYPE = "application/cloudevents+json"


class Entry(Struct, frozen=True, kw_only=True):
    """An event as kept for others; `step` orders the events of one case."""

    event_id: UUID
    case_id: UUID
    step: int
    at: datetime
    type: str
    source: str
    body: dict[str, Any]


class CloudEvent(Struct, frozen=True, kw_only=True):
    """An event of a case as CloudEvents 1.0 (JSON format).

    `id` is the same however often it is sent; `sequence` (the specification's "Sequence" extension) orders the events
    of one `subject`, the case, as text.
    """

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: str
    datacontenttype: str
    data: dict[str, Any]


def kind_of(event: CaseEvent) -> str:
    """Return opened, moved or closed."""
    return KINDS[type(event).__name__]


def step_of(event: CaseEvent) -> int:
    """Return where an event stands among those of its case: by version, a closing after the move that closed it."""
    return event.version * len(_RANKS) + _RANKS[kind_of(event)]


def entry(event: CaseEvent) -> Entry:
    """Return what is kept of an event: neither who acted, nor who reported, nor where."""
    kind = kind_of(event)
    values = msgspec.to_builtins(event)
    return Entry(
        event_id=event.id,
        case_id=event.case,
        step=step_of(event),
        at=event.at,
        type=kind,
        source=event.source,
        body={name: values[name] for name in (*_COMMON, *_MORE[kind])},
    )


def cloud_event(of: Entry, district: str) -> CloudEvent:
    """Return an entry as it is sent."""
    return CloudEvent(
        specversion="1.0",
        id=of.event_id,
        source=f"/districts/{district}/cases",
        type=f"zjw.case.{of.type}",
        subject=str(of.case_id),
        time=of.at,
        sequence=f"{of.step:012d}",
        datacontenttype="application/json",
        data=of.body,
    )


def server_sent(position: int, event: CloudEvent) -> bytes:
    """Return it as a server-sent event (WHATWG HTML, 9.2)."""
    return b"id: %d\nevent: case\ndata: %b\n\n" % (position, msgspec.json.encode(event))
