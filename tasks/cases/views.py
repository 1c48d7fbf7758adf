"""What readers see of a case: its state, its legs, its steps and why it was routed so; pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from grid.organisations import Directory
from tasks.cases.catalogue import Item
from tasks.cases.claims import ClaimView
from tasks.cases.deadlines import Calendar
from tasks.cases.model import ENDED, STATE_WORDS, Case, CheckPoint, Leg, Pending, StageClock


class LegView(Struct, frozen=True, kw_only=True):
    """One organisation's turn."""

    id: UUID
    kind: str
    parent: UUID | None
    assigner: UUID | None
    organisation: UUID
    organisation_name: str
    state: str
    open: bool
    assigned_at: datetime
    sign_due: datetime | None
    arrive_due: datetime | None
    handle_due: datetime | None
    signed_at: datetime | None
    arrived_at: datetime | None
    attended_at: datetime | None
    submitted_at: datetime | None
    done_at: datetime | None
    handler: UUID | None
    pending: Pending | None
    reworks: int
    urges: int
    result: str | None
    stages: tuple[StageClock, ...] = ()
    urged_at: datetime | None = None
    answered_at: datetime | None = None
    supervised_at: datetime | None = None
    supervision_level: int | None = None
    reply_due: datetime | None = None
    replied_at: datetime | None = None
    provisional: bool = False
    """One of the dues lies beyond the holidays known today, and is reckoned again when they are."""


class CaseView(Struct, frozen=True, kw_only=True):
    """A case with its legs; `allowed` lists what the reader may do now."""

    id: UUID
    number: str
    version: int
    state: str
    state_text: str
    title: str
    address: str
    item: str
    item_name: str
    severity: str
    source: str
    external_id: str | None
    reporter_kind: str
    area: str
    town: str | None
    cell: str | None
    lon: float | None
    lat: float | None
    desk: UUID | None
    lead: UUID | None
    lead_name: str | None
    parent: UUID | None
    origin: UUID | None
    merged_into: UUID | None
    looked_at: datetime | None
    handler: UUID | None
    verifier: UUID | None
    reviewed_at: datetime | None
    checklist: tuple[CheckPoint, ...]
    signal: str
    returns: int
    reworks: int
    redos: int
    reopens: int
    outcome: str | None
    rating: int | None
    satisfied: bool | None
    withdrawal_asked: bool
    received_at: datetime
    accepted_at: datetime | None
    assigned_at: datetime | None
    handled_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    verify_due: datetime | None
    call_back_due: datetime | None
    total_due: datetime | None
    provisional: bool = False
    """One of the dues lies beyond the holidays known today, and is reckoned again when they are."""
    legs: tuple[LegView, ...]
    allowed: tuple[dict[str, str], ...] = ()


class CaseDetail(CaseView, frozen=True, kw_only=True):
    """A case opened: with its description, attributes and evidence."""

    description: str
    attributes: dict[str, Any]
    evidence: tuple[dict[str, Any], ...] = ()
    claimed_by: ClaimView | None = None


class JoinedCase(Struct, frozen=True, kw_only=True):
    """A case of somebody else that a citizen joined: what it is about, roughly where (WGS 84), and how it stands.

    State and expected end are those of the case it was merged into, if it was.
    """

    id: UUID
    number: str
    item_name: str
    joined_at: datetime
    lon: float | None
    lat: float | None
    state: str
    expected_by: datetime | None


class StepView(Struct, frozen=True, kw_only=True):
    """A step of the trace with the texts that are kept beside it; `texts` lacks what was erased or is not for you."""

    seq: int
    at: datetime
    type: str
    actor: UUID
    organisation: UUID | None
    organisation_name: str | None
    body: dict[str, Any]
    texts: dict[str, str]
    hash: str
    prev_hash: str
    algorithm: str


class RoutingView(Struct, frozen=True, kw_only=True):
    """Why a case went where it went, in the reader's words (zh, en)."""

    rule: str | None
    reason: tuple[str, str]
    place: str
    looked_at: tuple[dict[str, Any], ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    lead: UUID | None = None
    limits: dict[str, str] = {}


class CaseRowView(Struct, frozen=True, kw_only=True):
    """A case in a list."""

    id: UUID
    number: str
    version: int
    state: str
    title: str
    address: str
    item: str
    severity: str
    source: str
    area: str
    town: str | None
    cell: str | None
    lon: float | None
    lat: float | None
    lead: UUID | None
    received_at: datetime
    due_at: datetime | None
    overdue: bool
    closed_at: datetime | None
    claimed_by: ClaimView | None = None


_LEG_FIELDS = tuple(
    name for name in LegView.__struct_fields__ if name not in ("organisation_name", "open", "provisional")
)
_CASE_FIELDS = tuple(name for name in CaseView.__struct_fields__ if name in Case.__struct_fields__ and name != "due_at")


def name_of(organisation: UUID | None, directory: Directory) -> str | None:
    """Return an organisation's name; None if unknown."""
    found = None if organisation is None else directory.get(organisation)
    return None if found is None else found.name


def _provisional(calendar: Calendar, *dues: datetime | None) -> bool:
    return any(calendar.provisional(due) for due in dues if due is not None)


def leg_view(leg: Leg, directory: Directory, calendar: Calendar) -> LegView:
    """Return a leg as shown."""
    values = {name: getattr(leg, name) for name in _LEG_FIELDS}
    dues = (leg.sign_due, leg.arrive_due, leg.handle_due, leg.reply_due, *(each.due for each in leg.stages))
    return LegView(
        **values,
        organisation_name=name_of(leg.organisation, directory) or "",
        open=leg.open,
        provisional=leg.open and _provisional(calendar, *dues),
    )


def case_view(
    case: Case,
    legs: tuple[Leg, ...],
    item: Item,
    directory: Directory,
    calendar: Calendar,
    allowed: tuple[dict[str, str], ...] = (),
) -> CaseView:
    """Return a case as shown."""
    root = next((leg for leg in reversed(legs) if leg.kind == "root"), None)
    lead = case.last_lead if root is None else root.organisation
    values = {name: getattr(case, name) for name in _CASE_FIELDS}
    shown = tuple(leg_view(leg, directory, calendar) for leg in legs)
    own = case.state not in ENDED and _provisional(calendar, case.total_due, case.verify_due, case.call_back_due)
    return CaseView(
        **values,
        provisional=own or any(each.provisional for each in shown),
        state_text=STATE_WORDS[case.state][0],
        item_name=item.name,
        lead=lead,
        lead_name=name_of(lead, directory),
        due_at=root.handle_due if root is not None and root.open else None,
        legs=shown,
        allowed=allowed,
    )


def detail(
    view: CaseView, description: str, attributes: dict[str, Any], evidence: tuple[dict[str, Any], ...]
) -> CaseDetail:
    """Return an opened case."""
    return CaseDetail(**structs.asdict(view), description=description, attributes=attributes, evidence=evidence)
