"""What a step leaves behind: sealed events, texts kept apart, messages to others, news for phones; pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel.actor import Actor
from app.kernel.changes import Draft
from app.kernel.event import Event
from grid.organisations import Directory
from tasks.cases import trace
from tasks.cases.events import CaseClosed, CaseMoved
from tasks.cases.model import Case, Change, Leg, State
from tasks.cases.orders import Order
from tasks.cases.situation import NO_ONE, Situation


class Done(Struct, frozen=True, kw_only=True):
    """A command that had its effect: as it was, what was ordered, what became of it."""

    before: Situation
    order: Order
    change: Change


class TextRow(Struct, frozen=True, kw_only=True):
    """A free text of a step, erasable; `salt` makes its hash in the trace unguessable."""

    id: UUID
    case_id: UUID
    event: UUID
    field: str
    public: bool
    salt: str
    text: str


class EventRow(Struct, frozen=True, kw_only=True):
    """A sealed event as stored."""

    id: UUID
    case_id: UUID
    seq: int
    at: datetime
    actor: UUID
    organisation: UUID | None
    type: str
    body: dict[str, Any]
    prev_hash: str
    hash: str
    algorithm: str


class Sealed(Struct, frozen=True):
    """Events and texts of some steps of one case, and the chain's new end."""

    events: tuple[EventRow, ...]
    texts: tuple[TextRow, ...]
    head: trace.Head


class Makers(Struct, frozen=True):
    """Where new ids and salts come from, and the hash that seals."""

    fresh: Callable[[], UUID]
    salt: Callable[[], str]
    algorithm: str = trace.SHA256


def event_row(link: trace.Link, event: UUID) -> EventRow:
    """Return a link as stored."""
    return EventRow(
        id=event,
        case_id=link.case,
        seq=link.seq,
        at=link.at,
        actor=link.actor,
        organisation=link.organisation,
        type=link.type,
        body=link.body,
        prev_hash=link.prev_hash,
        hash=link.hash,
        algorithm=link.algorithm,
    )


def _texts(done: Done, event: UUID, makers: Makers) -> list[TextRow]:
    return [
        TextRow(
            id=makers.fresh(),
            case_id=done.change.case.id,
            event=event,
            field=field,
            public=field in done.order.public,
            salt=makers.salt(),
            text=text,
        )
        for field in done.order.texts
        if (text := getattr(done.order, field))
    ]


def seal(head: trace.Head, steps: Sequence[Done], makers: Makers) -> Sealed:
    """Seal the steps of one case in order."""
    events: list[EventRow] = []
    texts: list[TextRow] = []
    for done in steps:
        event, before = makers.fresh(), done.before
        said = _texts(done, event, makers)
        body = done.change.body | {row.field: trace.sealed_text(row.text, row.salt, makers.algorithm) for row in said}
        link = trace.seal(head, entry(before, done.order.past, body), makers.algorithm)
        head = trace.Head(link.seq, link.hash)
        texts += said
        events.append(event_row(link, event))
    return Sealed(tuple(events), tuple(texts), head)


def entry(s: Situation, type_: str, body: dict[str, Any]) -> trace.Entry:
    """Return an event to be sealed; citizens and the system act for no organisation."""
    return trace.Entry(
        case=s.case.id, at=s.now, actor=s.actor.id, organisation=s.acting_organisation, type=type_, body=body
    )


def messages(done: Done, fresh: Callable[[], UUID]) -> list[Event]:
    """Return the events others may subscribe to."""
    case, before, leg = done.change.case, done.before, done.before.leg
    root = next((each for each in done.change.legs if each.kind == "root"), before.root)
    moved = CaseMoved(
        id=fresh(),
        at=before.now,
        actor=before.actor.id,
        case=case.id,
        number=case.number,
        command=done.order.past,
        before=before.case.state.value,
        state=case.state.value,
        version=case.version,
        item=case.item,
        source=case.source,
        external_id=case.external_id,
        reporter=case.reporter,
        leg=None if leg is None else leg.id,
        organisation=None if leg is None else leg.organisation,
        parent=case.parent,
        due_at=None if root is None else root.handle_due,
    )
    if case.state is not State.CLOSED or before.case.state is State.CLOSED:
        return [moved]
    return [moved, closed(case, before.now, before.actor, fresh())]


def closed(case: Case, at: datetime, actor: Actor, event: UUID) -> CaseClosed:
    """Return the event of a closing."""
    return CaseClosed(
        id=event,
        at=at,
        actor=actor.id,
        case=case.id,
        number=case.number,
        item=case.item,
        source=case.source,
        external_id=case.external_id,
        outcome=case.outcome,
        rating=case.rating,
        version=case.version,
    )


def merged(legs: Sequence[Leg], changed: Sequence[Leg]) -> tuple[Leg, ...]:
    """Return all legs with the changed ones in place, in order."""
    by_id = {leg.id: leg for leg in (*legs, *changed)}
    return tuple(sorted(by_id.values(), key=lambda leg: leg.ordinal))


def news(case: Case, before: Sequence[Leg], after: Sequence[Leg], directory: Directory = NO_ONE) -> list[Draft]:
    """Return what phones of the organisations concerned are told: their open turn, or that it is over.

    By a `directory`, the turn of an organisation that ended is told its successor as well.
    """
    holders = directory.line_of_all(leg.organisation for leg in after if leg.open)
    left = directory.line_of_all(leg.organisation for leg in before if leg.open) - holders
    drafts: list[Draft] = [(f"squad:{each}", "case", case.id, case.version, None) for each in sorted(left)]
    for organisation in sorted(holders):
        own = directory.line(organisation)
        turn = [leg for leg in after if leg.open and leg.organisation in own][-1]
        drafts.append((f"squad:{organisation}", "case", case.id, case.version, _card(case, turn)))
    return drafts


def _card(case: Case, leg: Leg) -> dict[str, Any]:
    """Return a case as a phone keeps it: no contact, no description."""
    return {
        "id": str(case.id),
        "number": case.number,
        "title": case.title,
        "item": case.item,
        "severity": case.severity.value,
        "state": case.state.value,
        "version": case.version,
        "address": case.address,
        "lon": case.lon,
        "lat": case.lat,
        "cell": case.cell,
        "leg": str(leg.id),
        "leg_kind": leg.kind.value,
        "leg_state": leg.state.value,
        "handle_due": None if leg.handle_due is None else leg.handle_due.isoformat(),
        "handler": None if leg.handler is None else str(leg.handler),
    }
