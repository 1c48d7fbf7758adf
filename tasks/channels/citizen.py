"""A citizen's request (群众诉求): what the mini-program sends as a report, and what the citizen reads of it; pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import asdict

from app.kernel.crs import Place
from app.kernel.problem import Text
from tasks.cases.model import STATE_WORDS, State
from tasks.cases.orders import Evidence
from tasks.cases.report import Report, Reporter
from tasks.cases.views import CaseDetail, CaseView, JoinedCase, StepView

SOURCE = "citizen"
UNSORTED = "G001"
"""其他诉求: what a request is until a clerk has sorted it, when the citizen chose no item."""

STATES: dict[State, Text] = STATE_WORDS | {
    State.RECEIVED: ("已收到，正在受理", "received, a clerk will look at it"),
    State.ACCEPTED: ("已受理，正在安排办理单位", "taken up, an organisation is being found"),
    State.ASSIGNED: ("已交办理单位", "given to the organisation that handles it"),
    State.HANDLING: ("正在办理", "being handled"),
    State.DISPUTED: ("正在确定办理单位", "it is being settled who handles it"),
    State.HANDLED: ("已办理，正在核查", "handled, the result is being checked"),
    State.CALLING_BACK: ("已办理，请您评价", "handled, please rate it"),
    State.MERGED: ("已与相同诉求合并办理", "handled together with the same request of others"),
}
"""What a citizen is told of a state."""

STEPS: dict[str, Text] = {
    "received": ("收到诉求", "request received"),
    "accepted": ("受理", "taken up"),
    "rejected": ("不予受理", "not taken up"),
    "assigned": ("交办", "given to"),
    "ruled": ("确定办理单位", "settled who handles it"),
    "signed": ("办理单位签收", "signed for"),
    "submitted": ("办理完成", "handled"),
    "verified": ("核查", "result checked"),
    "rated": ("评价", "rated"),
    "closed": ("办结", "closed"),
    "closed_unrated": ("办结", "closed"),
    "withdrawn": ("撤回", "withdrawn"),
    "appealed": ("申诉", "appealed"),
    "reopened": ("重新办理", "reopened"),
    "added_to": ("补充", "added to"),
    "merged": ("与相同诉求合并办理", "handled together with the same request"),
    "unmerged": ("单独办理", "handled by itself again"),
    "withdrawal_refused": ("继续办理", "goes on"),
    "suspended": ("暂缓办理", "suspended"),
    "resumed": ("恢复办理", "goes on"),
}
"""The steps a citizen sees; internal ones (returns, delegation, notes) are not among them."""

MAIN_STEPS = frozenset({"assigned", "ruled", "signed", "submitted", "verified", "closed", "closed_unrated", "reopened"})
"""The steps of a case that are told to those whose requests were merged into it: what organisations do, no more."""

ORDERS = ("add", "withdraw", "rate", "reopen", "appeal")
"""The commands a citizen may be able to give."""


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """The one-time code of the mini-program."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]


class Other(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person a citizen submits for; kept sealed, apart from the case."""

    name: Annotated[str, Meta(min_length=1, max_length=50)]
    phone: Annotated[str, Meta(pattern=r"^[0-9+ -]{5,20}$")] | None = None


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a citizen submits. The same `id` again (a second tap) is one request."""

    text: Annotated[str, Meta(min_length=1, max_length=4000)]
    id: UUID | None = None
    item: Annotated[str, Meta(max_length=40)] | None = None
    place: Place | None = None
    address: Annotated[str, Meta(max_length=500)] = ""
    photos: Annotated[tuple[Evidence, ...], Meta(max_length=9)] = ()
    name: Annotated[str, Meta(max_length=50)] | None = None
    phone: Annotated[str, Meta(pattern=r"^[0-9+ -]{5,20}$")] | None = None
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    on_behalf_of: Other | None = None


class PublicStep(Struct, frozen=True, kw_only=True):
    """One step in plain words; `words` are what was said to the citizen, if anything."""

    at: datetime
    text: str
    organisation: str | None
    words: str


class RequestView(Struct, frozen=True, kw_only=True):
    """A request as its citizen sees it: no names of workers, no internal notes; when to expect it in `expected_by`."""

    id: UUID
    number: str
    state: str
    state_text: str
    item_name: str
    text: str
    address: str
    organisation: str | None
    received_at: datetime
    expected_by: datetime | None
    closed_at: datetime | None
    rating: int | None
    steps: tuple[PublicStep, ...]
    possible: tuple[str, ...]


class RequestRow(Struct, frozen=True, kw_only=True):
    """A request in the citizen's list."""

    id: UUID
    number: str
    state: str
    state_text: str
    text: str
    received_at: datetime
    expected_by: datetime | None


class JoinedRow(JoinedCase, frozen=True, kw_only=True):
    """Somebody else's request that the citizen joined, with its state in plain words."""

    state_text: str


class JoinedView(JoinedRow, frozen=True, kw_only=True):
    """How a request goes on that the citizen joined: the steps of organisations and what these say."""

    organisation: str | None
    closed_at: datetime | None
    steps: tuple[PublicStep, ...]


def as_report(request: Request, citizen: UUID) -> Report:
    """Return the report of a request."""
    return Report(
        source=SOURCE,
        item=request.item or UNSORTED,
        id=request.id,
        description=request.text,
        reporter=Reporter(kind="citizen", id=citizen, name=request.name, phone=request.phone),
        place=request.place,
        address=request.address,
        evidence=request.photos,
        occurred_at=request.occurred_at,
        unsorted=request.item is None,
    )


Main = tuple[CaseView, Sequence[StepView]]
"""The case a request was merged into, with its steps."""


def view(case: CaseDetail, steps: Sequence[StepView], language: int, main: Main | None = None) -> RequestView:
    """Return what the citizen sees; `language` is an index into `problem.LANGUAGES`.

    Of a request that was merged they see how the case it was merged into goes on, without who else reported it.
    """
    acting, after = (case, ()) if main is None else main
    merged_at = next((each.at for each in reversed(steps) if each.type == "merged"), case.received_at)
    told = [_step(each, language) for each in steps if each.type in STEPS and _outward(each, case)]
    told += [
        _step(each, language)
        for each in after
        if each.type in MAIN_STEPS and each.at >= merged_at and _outward(each, acting)
    ]
    texts = [STATES[State(each.state)][language] for each in ([case] if main is None else [case, acting])]
    return RequestView(
        id=case.id,
        number=case.number,
        state=case.state,
        state_text=("：", ": ")[language].join(texts),
        item_name=case.item_name,
        text=case.description or case.title,
        address=case.address,
        organisation=acting.lead_name,
        received_at=case.received_at,
        expected_by=acting.total_due or acting.due_at,
        closed_at=acting.closed_at,
        rating=case.rating,
        steps=tuple(told),
        possible=tuple(sorted({each["command"] for each in case.allowed} & set(ORDERS))),
    )


def joined_row(joined: JoinedCase, language: int) -> JoinedRow:
    """Return the line of a request the citizen joined."""
    row: dict[str, Any] = asdict(joined)
    return JoinedRow(**row, state_text=STATES[State(joined.state)][language])


def joined_view(joined: JoinedCase, case: CaseView, steps: Sequence[StepView], language: int) -> JoinedView:
    """Return what somebody who joined sees of a case: what those see whose own request was merged into it."""
    row: dict[str, Any] = asdict(joined_row(joined, language)) | {"expected_by": case.total_due or case.due_at}
    told = [_step(each, language) for each in steps if each.type in MAIN_STEPS and _outward(each, case)]
    return JoinedView(**row, organisation=case.lead_name, closed_at=case.closed_at, steps=tuple(told))


def _outward(step: StepView, case: CaseView) -> bool:
    """Whether a step is of the case or of its leading organisation: what happens below it is its own affair."""
    inner = {str(leg.id) for leg in case.legs if leg.kind != "root"}
    return step.body.get("leg") not in inner


def _step(step: StepView, language: int) -> PublicStep:
    words = "\n".join(text for text in step.texts.values())
    return PublicStep(at=step.at, text=STEPS[step.type][language], organisation=step.organisation_name, words=words)
