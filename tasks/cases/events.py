"""What the router tells others: one event a step; closing and opening have their own."""

from datetime import datetime
from uuid import UUID

from app.kernel.event import Event


class CaseOpened(Event, frozen=True, kw_only=True):
    """A case came in; `state` is where routing left it."""

    case: UUID
    number: str
    item: str
    severity: str
    source: str
    external_id: str | None
    state: str
    lead: UUID | None
    area: str
    lon: float | None
    lat: float | None
    version: int


class CaseMoved(Event, frozen=True, kw_only=True):
    """A command had its effect; `command` is the past tense of it (`signed`, `returned`, …)."""

    case: UUID
    number: str
    command: str
    before: str
    state: str
    version: int
    item: str
    source: str
    external_id: str | None
    reporter: UUID | None
    leg: UUID | None
    organisation: UUID | None
    parent: UUID | None
    due_at: datetime | None


class CaseClosed(Event, frozen=True, kw_only=True):
    """A case is closed; `outcome` as submitted, `rating` if the reporter gave one."""

    case: UUID
    number: str
    item: str
    source: str
    external_id: str | None
    outcome: str | None
    rating: int | None
    version: int


class LegEscalated(Event, frozen=True, kw_only=True):
    """The sweep climbed a rung of an item's ladder, or reminded whoever verifies; `recipients`: desks and persons

    who are told besides whose turn it is. `what`: `urge`, `notify`, `supervise:1`, …
    """

    case: UUID
    number: str
    leg: UUID | None
    step: str
    what: str
    recipients: tuple[UUID, ...]
    version: int
