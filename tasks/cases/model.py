"""A case (事件/工单) and its legs (环节) as the rules see them: states, roles, counts and clocks; pure."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from tasks.cases.deadlines import Span


class State(StrEnum):
    """Where a case stands."""

    RECEIVED = "received"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    HANDLING = "handling"
    DISPUTED = "disputed"
    SUSPENDED = "suspended"
    HANDLED = "handled"
    CALLING_BACK = "calling_back"
    CLOSED = "closed"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"
    ARCHIVED = "archived"


STATE_WORDS: dict[State, tuple[str, str]] = {
    State.RECEIVED: ("待受理", "received"),
    State.REJECTED: ("不予受理", "rejected"),
    State.ACCEPTED: ("待指派", "accepted"),
    State.ASSIGNED: ("待签收", "assigned"),
    State.HANDLING: ("处置中", "being handled"),
    State.DISPUTED: ("待裁定", "disputed"),
    State.SUSPENDED: ("挂起", "suspended"),
    State.HANDLED: ("待核查", "handled, to be verified"),
    State.CALLING_BACK: ("待回访", "calling back"),
    State.CLOSED: ("办结", "closed"),
    State.MERGED: ("并案", "merged"),
    State.WITHDRAWN: ("撤回", "withdrawn"),
    State.ARCHIVED: ("归档", "archived"),
}
ENDED = frozenset({State.REJECTED, State.CLOSED, State.MERGED, State.WITHDRAWN, State.ARCHIVED})
"""States in which nobody has anything left to do."""


class LegState(StrEnum):
    """Where one organisation's turn stands."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    RECALLED = "recalled"
    WAIVED = "waived"


OPEN_LEG = frozenset({LegState.UNSIGNED, LegState.SIGNED, LegState.SUBMITTED})


class LegKind(StrEnum):
    """The three places a leg can have: it decides which rows of the table count."""

    ROOT = "root"
    INNER = "inner"
    ASSIST = "assist"


class Severity(StrEnum):
    """How pressing a case is; urgent and critical limits run day and night."""

    ROUTINE = "routine"
    URGENT = "urgent"
    CRITICAL = "critical"


class Part(StrEnum):
    """What an actor is to one case or leg."""

    ASSIGNER = "assigner"  # 交办方: gave out the leg; of the case as a whole, its open root leg
    PARENT = "parent"  # whose leg is directly above
    LEAD = "lead"  # 主办
    ASSISTANT = "assistant"  # 协办
    DESK = "desk"  # the desk that owns the case
    CLERK = "clerk"  # 转办: the district centre over a complaint about itself and no other desk: passes on, decides not
    CENTRE = "centre"  # the district centre
    VERIFIER = "verifier"
    REVIEWER = "reviewer"
    REPORTER = "reporter"
    NEIGHBOUR = "neighbour"  # a citizen who did not report it
    SYSTEM = "system"


class Signal(StrEnum):
    """What sensing last said about the cause of a case."""

    NONE = "none"
    FIRING = "firing"
    CLEAR = "clear"


class Follower(Struct, frozen=True, kw_only=True):
    """Somebody who is kept informed, under the case they know: their own, also when it was merged."""

    reporter: UUID
    case: UUID
    number: str


class CheckPoint(Struct, frozen=True, kw_only=True):
    """A point of an inspection's checklist (联合检查): not looked at yet, in order, or not; with the case it opened."""

    point: str
    passed: bool | None = None
    finding: UUID | None = None


class StageClock(Struct, frozen=True, kw_only=True):
    """A named part of handling (停工、处罚、拆除): its limit from assignment, its due, and when it was reached."""

    name: str
    limit: str
    due: datetime
    done_at: datetime | None = None


class Pending(Struct, frozen=True):
    """An application waiting for the leg's assigner: more time, or a stopped clock."""

    kind: str  # extension | suspension
    amount: str | None
    until: datetime | None
    since: datetime | None = None


class Case(Struct, frozen=True, kw_only=True):
    """What deciding needs of a case, with what every list shows; its description and contact are kept apart."""

    id: UUID
    number: str
    title: str = ""
    address: str = ""
    state: State
    before: State | None = None
    version: int = 1
    item: str
    item_version: int
    severity: Severity
    source: str
    external_id: str | None = None
    reporter_kind: str
    reporter: UUID | None = None
    sender: UUID | None = None
    """The organisation it came from: a worker's, a clerk's, a platform's."""
    desk: UUID | None = None
    area: str
    town: str | None = None
    cell: str | None = None
    lon: float | None = None
    lat: float | None = None
    parent: UUID | None = None
    origin: UUID | None = None
    """The inspection that found it."""
    merged_into: UUID | None = None
    last_lead: UUID | None = None
    ruled: bool = False
    solved_at_once: bool = False
    appealed: bool = False
    withdrawal_asked: bool = False
    signal: Signal = Signal.NONE
    returns: int = 0
    reworks: int = 0
    redos: int = 0
    reopens: int = 0
    received_at: datetime
    accepted_at: datetime | None = None
    assigned_at: datetime | None = None
    handled_at: datetime | None = None
    verified_at: datetime | None = None
    closed_at: datetime | None = None
    clock_from: datetime | None = None
    total_due: datetime | None = None
    verify_due: datetime | None = None
    call_back_due: datetime | None = None
    suspended_at: datetime | None = None
    resume_at: datetime | None = None
    pauses: tuple[Span, ...] = ()
    outcome: str | None = None
    rating: int | None = None
    satisfied: bool | None = None
    looked_at: datetime | None = None
    """When somebody of the staff first gave it a command: until then nothing of its words is public."""
    complained_about: tuple[UUID, ...] = ()
    """Organisations and persons who neither lead, verify nor decide here, and do not see the reporter."""
    handler: UUID | None = None
    """The clerk in charge of the case as a whole."""
    verifier: UUID | None = None
    verifier_at: datetime | None = None
    reviewed_at: datetime | None = None
    checklist: tuple[CheckPoint, ...] = ()
    limits: dict[str, str] = {}
    """Clocks that the routing rule set instead of the item's: clock → limit."""
    reminded_until: datetime | None = None
    """Up to here whoever has to verify or to call back was reminded."""
    due_at: datetime | None = None
    """The nearest due of what is still to be handled: lists are ordered by it."""
    wake_at: datetime | None = None
    """When the sweep has something to do with the case itself: the end of a call-back or of a suspension."""
    trace_seq: int = 0
    trace_hash: str = ""


class Leg(Struct, frozen=True, kw_only=True):
    """One organisation's turn. `assigner` is None when `system` assigned: then the desk stands for it."""

    id: UUID
    case_id: UUID
    ordinal: int
    kind: LegKind
    parent: UUID | None = None
    assigner: UUID | None = None
    organisation: UUID
    received_at: datetime
    """When its case came in: an organisation's list is read in this order."""
    town: str = ""
    """The town of its case, empty without one."""
    state: LegState = LegState.UNSIGNED
    assigned_at: datetime
    sign_due: datetime | None = None
    arrive_due: datetime | None = None
    handle_due: datetime | None = None
    handle_limit: str | None = None
    extensions: tuple[str, ...] = ()
    pending: Pending | None = None
    suspended_at: datetime | None = None
    pauses: tuple[Span, ...] = ()
    final: bool = False  # ruled: no further return
    signed_at: datetime | None = None
    signer: UUID | None = None
    handler: UUID | None = None
    arrived_at: datetime | None = None
    attended_at: datetime | None = None
    worked: bool = False
    evidence: int = 0
    submitted_at: datetime | None = None
    submitter: UUID | None = None
    done_at: datetime | None = None
    reworks: int = 0
    urges: int = 0
    urged_until: datetime | None = None
    """Days up to here have had their urging."""
    next_urge_at: datetime | None = None
    result: str | None = None
    supervised_at: datetime | None = None
    reply_due: datetime | None = None
    replied_at: datetime | None = None
    supervision_level: int | None = None
    stages: tuple[StageClock, ...] = ()
    rungs: tuple[str, ...] = ()
    """Rungs of the ladder that were climbed; each is climbed once."""
    urged_at: datetime | None = None
    answered_at: datetime | None = None
    """The last urging, and the last answer to one."""
    arrive_limit: str | None = None
    reply_limit: str | None = None
    """What `arrive_due` and `reply_due` were reckoned from; a force called up has a limit of its own."""

    @property
    def open(self) -> bool:
        """Whether the turn is not over: an inner or assist leg is open until confirmed."""
        return self.state in OPEN_LEG


class Change(Struct, frozen=True, kw_only=True):
    """What a command makes of a case: the new rows and what the trace says of it (`body`: no free text)."""

    case: Case
    legs: tuple[Leg, ...] = ()
    body: dict[str, Any] = {}
    opens: tuple[UUID, ...] = ()
    """Ids of the cases the command opens: parts of this one, or what an inspection found."""
