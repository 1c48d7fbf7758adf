"""Which event tells whom what, and through which channels: no word but number, state and organisation; pure."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct, structs

from app.kernel.clock import SHANGHAI
from tasks.cases.events import CaseMoved, CaseOpened, LegEscalated
from tasks.cases.model import STATE_WORDS, Follower, State
from tasks.cases.views import CaseView, LegView
from visits.callbacks import Told


class Channel(StrEnum):
    """A way out of the house."""

    SMS = "sms"
    SUBSCRIBE_MESSAGE = "subscribe_message"
    WEBHOOK = "webhook"


class Kind(StrEnum):
    """What a notice is about."""

    ASSIGNED = "assigned"
    RETURNED = "returned"
    DISPUTED = "disputed"
    URGED = "urged"
    OVERDUE = "overdue"
    SUPERVISED = "supervised"
    RELEASED = "released"
    REPLIED = "replied"
    ESCALATED = "escalated"
    TO_VERIFY = "to_verify"
    REQUESTED = "requested"
    REJECTED = "rejected"
    CALLING_BACK = "calling_back"
    CLOSED = "closed"
    MERGED = "merged"
    HANDLED = "handled"
    VISITED = "visited"


class Wanted(Struct, frozen=True, kw_only=True):
    """A notice to be made; the same (recipient, kind, about, step) again is the same notice."""

    recipient: UUID
    kind: Kind
    about: UUID
    step: str
    number: str
    zh: str
    en: str
    critical: bool


TO_REPORTER: dict[str, tuple[Kind, str, str]] = {
    State.REJECTED: (Kind.REJECTED, "不予受理", "not accepted"),
    State.CALLING_BACK: (Kind.CALLING_BACK, "已办理，请评价", "handled; please rate it"),
    State.CLOSED: (Kind.CLOSED, "已办结", "closed"),
    State.MERGED: (Kind.MERGED, "已与相同诉求合并办理", "handled together with the same request"),
}
"""What the one who reported is told when the case comes into a state."""
TO_OTHERS: dict[str, tuple[Kind, str, str]] = TO_REPORTER | {
    State.CALLING_BACK: (Kind.HANDLED, "已办理，正在回访", "handled; the one who reported it is asked"),
}
"""What everybody else is told who joined, or whose own case was merged into this one: they do not rate it."""
TO_CITIZENS = frozenset(kind for told in (TO_REPORTER, TO_OTHERS) for kind, _, _ in told.values())

_GIVING = frozenset(
    {"assigned", "ruled", "delegated", "assistance_asked", "called_up", "verified", "rated", "reopened"}
)
"""Commands that may open a turn."""
_LEG_WORDS = {
    "assist": ("请{0}协办", "{0} is asked to assist"),
    "inner": ("已下派{0}，请签收", "delegated to {0}; please sign for it"),
    "root": ("已指派{0}，请签收", "assigned to {0}; please sign for it"),
}
_RINGING = frozenset({Kind.URGED, Kind.OVERDUE, Kind.SUPERVISED, Kind.DISPUTED})
"""What is pressing enough for a text message, critical or not."""


def matters(event: CaseOpened | CaseMoved) -> bool:
    """Say whether anybody might be told; saves the look at the case for most steps."""
    if isinstance(event, CaseOpened):
        return event.lead is not None
    return event.command in _GIVING | {"returned", *_TOLD} or arrived(event)


def wanted(
    event: CaseOpened | CaseMoved, case: CaseView, centre: UUID | None, followers: Sequence[Follower] = ()
) -> list[Wanted]:
    """Return the notices of an event, given the case as it stands, the district centre's id and who reported it."""
    found = list(_turns(event, case))
    if isinstance(event, CaseMoved):
        leg = next((each for each in case.legs if each.id == event.leg), None)
        if leg is not None and event.command == "returned":
            found += _returned(event, case, leg, centre)
        elif leg is not None and event.command in _TOLD:
            found += _TOLD[event.command](event, case, leg)
        if arrived(event):
            found += _informed(event, case, followers)
    return found


def _informed(event: CaseMoved, case: CaseView, followers: Sequence[Follower]) -> Iterator[Wanted]:
    """Tell everybody who reported, each under the number they know."""
    for each in followers:
        own = each.case == event.case and each.reporter == event.reporter
        kind, zh, en = (TO_REPORTER if own else TO_OTHERS)[event.state]
        told = _notice(event, case, each.reporter, kind, f"{event.case}:{event.version}", zh, en)
        yield structs.replace(told, about=each.case, number=each.number)


def channels(notice: Wanted, addressed: frozenset[Channel], on: frozenset[Channel]) -> list[Channel]:
    """Return the channels a notice goes out by, given where its recipient has an address and what is switched on.

    Text messages are for what is pressing; the webhook hears what desks and staff are told, never citizens' notices.
    """
    if notice.kind is Kind.VISITED:  # a household has no inbox and no desk; where it is called is asked when it is sent
        return [Channel.SMS] if Channel.SMS in on else []
    found: list[Channel] = []
    if Channel.SMS in addressed and (notice.critical or notice.kind in _RINGING):
        found.append(Channel.SMS)
    if notice.kind not in TO_CITIZENS:
        found.append(Channel.WEBHOOK)
    elif Channel.SUBSCRIBE_MESSAGE in addressed:
        found.append(Channel.SUBSCRIBE_MESSAGE)
    return [channel for channel in found if channel in on]


def arrived(event: CaseMoved) -> bool:
    """Say whether the case came into a state its reporters are told of."""
    return event.state != event.before and event.state in TO_REPORTER


def _notice(
    event: CaseOpened | CaseMoved, case: CaseView, recipient: UUID, kind: Kind, step: str, zh: str, en: str
) -> Wanted:
    return Wanted(
        recipient=recipient,
        kind=kind,
        about=event.case,
        step=step,
        number=event.number,
        zh=zh,
        en=en,
        critical=case.severity == "critical",
    )


def _turns(event: CaseOpened | CaseMoved, case: CaseView) -> Iterator[Wanted]:
    """Tell the desk of every organisation whose turn began with the event."""
    at: datetime = event.at
    for leg in case.legs:
        if leg.assigned_at == at:
            zh, en = (text.format(leg.organisation_name) for text in _LEG_WORDS[leg.kind])
            yield _notice(event, case, leg.organisation, Kind.ASSIGNED, str(leg.id), zh, en)


def _returned(event: CaseMoved, case: CaseView, leg: LegView, centre: UUID | None) -> Iterator[Wanted]:
    """Tell who had given the turn out; the centre too, when it has to rule."""
    zh, en = STATE_WORDS[State(event.state)]
    back_to = leg.assigner or case.desk
    if back_to is not None:
        words = f"{leg.organisation_name}已退单（{zh}）", f"returned by {leg.organisation_name} ({en})"
        yield _notice(event, case, back_to, Kind.RETURNED, str(leg.id), *words)
    if event.state == State.DISPUTED and centre is not None:
        yield _notice(
            event, case, centre, Kind.DISPUTED, str(leg.id), "多次退单，待裁定", "returned again; to be ruled"
        )


def _urged(event: CaseMoved, case: CaseView, leg: LegView) -> Iterator[Wanted]:
    """Tell the holder of the turn: the desk, and the person who handles it."""
    late = leg.handle_due is not None and leg.handle_due <= event.at
    kind = Kind.OVERDUE if late else Kind.URGED
    zh, en = ("已超期，请尽快办理", "overdue; please act") if late else ("被催办，请尽快办理", "urged; please act")
    state_zh, state_en = STATE_WORDS[State(event.state)]
    for recipient in (leg.organisation, leg.handler):
        if recipient is not None:
            words = f"{zh}（{state_zh}）", f"{en} ({state_en})"
            yield _notice(event, case, recipient, kind, f"{leg.id}:{event.version}", *words)


def _supervised(event: CaseMoved, case: CaseView, leg: LegView) -> Iterator[Wanted]:
    """Tell the holder of the turn that a written reply is due."""
    level = leg.supervision_level or 1
    for recipient in (leg.organisation, leg.handler):
        if recipient is not None:
            words = f"{level} 级督办，请书面回复", f"under supervision, level {level}; a written reply is due"
            yield _notice(event, case, recipient, Kind.SUPERVISED, f"{leg.id}:{event.version}", *words)


def _replied(event: CaseMoved, case: CaseView, leg: LegView) -> Iterator[Wanted]:
    """Tell who gave the turn out that it was answered."""
    above = leg.assigner or case.desk
    if above is not None:
        words = f"{leg.organisation_name}已回复催办督办", f"{leg.organisation_name} has answered"
        yield _notice(event, case, above, Kind.REPLIED, f"{leg.id}:{event.version}", *words)


def _released(event: CaseMoved, case: CaseView, leg: LegView) -> Iterator[Wanted]:
    yield _notice(
        event, case, leg.organisation, Kind.RELEASED, f"{leg.id}:{event.version}", "督办已解除", "supervision has ended"
    )


_TOLD: dict[str, Callable[[CaseMoved, CaseView, LegView], Iterator[Wanted]]] = {
    "urged": _urged,
    "supervised": _supervised,
    "replied": _replied,
    "released": _released,
}
"""Commands of watching a turn, and whom they tell."""

_ESCALATED: dict[str, tuple[Kind, str, str]] = {
    "remind": (Kind.TO_VERIFY, "核查已超期，请尽快核查", "verification is overdue; please verify"),
    "request": (Kind.REQUESTED, "{0}的延期或挂起申请待批", "a request of {0} waits for a decision"),
    "urge": (Kind.ESCALATED, "{0}办理滞后，已催办", "{0} is late and was urged"),
    "supervise": (Kind.ESCALATED, "{0}办理滞后，已督办", "{0} is late and under supervision"),
    "notify": (Kind.ESCALATED, "{0}办理滞后，请关注", "{0} is late; please see to it"),
}


def visited(told: Told) -> Wanted:
    """Return the word a household gets of a visit, with how to comment on it; not who came, nor what was said."""
    day = told.started_at.astimezone(SHANGHAI)
    return Wanted(
        recipient=told.household,
        kind=Kind.VISITED,
        about=told.visit,
        step="visited",
        number=told.code,
        zh=f"网格工作人员于{day.month}月{day.day}日到您家走访，走访编号{told.code}。"
        "对这次走访有意见或建议，请在小程序提交诉求并注明编号；未有人到访也请告知。",
        en=f"Community workers visited you on {day:%d %B} (visit {told.code}). To comment, or if nobody came, send a"
        " request by the mini-program and name that number.",
        critical=False,
    )


def escalated(event: LegEscalated, case: CaseView) -> list[Wanted]:
    """Return the notices for whom an item's ladder names besides whose turn it is."""
    leg = next((each for each in case.legs if each.id == event.leg), None)
    name = "" if leg is None else leg.organisation_name
    what = "request" if event.step.startswith("request") else event.what.split(":")[0]
    kind, zh, en = _ESCALATED[what]
    return [
        Wanted(
            recipient=recipient,
            kind=kind,
            about=event.case,
            step=f"{event.leg or event.case}:{event.step}",
            number=event.number,
            zh=zh.format(name),
            en=en.format(name),
            critical=case.severity == "critical",
        )
        for recipient in event.recipients
    ]
