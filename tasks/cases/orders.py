"""The commands people, machines and the system can give to a case; each a Struct, named in the imperative; pure."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.crs import Place
from media.evidence import EvidenceRef
from tasks.cases.model import Severity, Signal

Words = Annotated[str, Meta(min_length=1, max_length=4000)]
Note = Annotated[str, Meta(max_length=4000)]


Evidence = EvidenceRef
Evidences = Annotated[tuple[EvidenceRef, ...], Meta(max_length=30)]


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every command: the version it saw, and an id that makes a second delivery harmless."""

    texts: ClassVar[tuple[str, ...]] = ()
    """Fields of free text: kept apart from the trace, which holds their salted hashes."""
    public: ClassVar[frozenset[str]] = frozenset()
    """Those of them the reporter may read."""
    past: ClassVar[str] = ""
    """The type of the event it leaves."""
    words: ClassVar[tuple[str, str]] = ("", "")

    command_id: UUID | None = None
    version: Annotated[int, Meta(ge=0)] | None = None


class LegOrder(Order, frozen=True, kw_only=True):
    """A command to one leg; `leg` may be left out where only one fits the actor."""

    leg: UUID | None = None


# ---- the case


class Accept(Order, frozen=True, kw_only=True):
    """受理."""

    past, words = "accepted", ("受理", "accept")
    severity: Severity | None = None
    note: Note = ""
    texts = ("note",)


class Reject(Order, frozen=True, kw_only=True):
    """不予受理, with the reason the citizen reads."""

    past, words = "rejected", ("不予受理", "reject")
    reason: Words
    texts, public = ("reason",), frozenset({"reason"})


class Appeal(Order, frozen=True, kw_only=True):
    """The citizen contests a rejection, once."""

    past, words = "appealed", ("申诉", "appeal")
    reason: Words
    texts, public = ("reason",), frozenset({"reason"})


class Assign(Order, frozen=True, kw_only=True):
    """指派 to a lead and assistants."""

    past, words = "assigned", ("指派", "assign")
    to: UUID
    assistants: Annotated[tuple[UUID, ...], Meta(max_length=20)] = ()
    note: Note = ""
    texts = ("note",)


class Precedent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the library of difficult items is to remember of a ruling."""

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    keywords: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=40)], ...], Meta(max_length=20)] = ()


class Rule(Order, frozen=True, kw_only=True):
    """裁定: the centre says who is responsible; no further return. `returned_rightly`: were the returns founded?"""

    past, words = "ruled", ("裁定", "rule")
    to: UUID
    assistants: Annotated[tuple[UUID, ...], Meta(max_length=20)] = ()
    reason: Words
    basis: Note = ""
    returned_rightly: bool = True
    precedent: Precedent | None = None
    texts = ("reason", "basis")


class Verify(Order, frozen=True, kw_only=True):
    """核查 of the result by somebody else than the handler; failed is rework."""

    past, words = "verified", ("核查", "verify")
    passed: bool
    note: Note = ""
    evidence: Evidences = ()
    texts = ("note",)


class Rate(Order, frozen=True, kw_only=True):
    """回访: the citizen's answer, 1–5. `close_reasons`: the centre closes in spite of a bad one."""

    past, words = "rated", ("评价", "rate")
    score: Annotated[int, Meta(ge=1, le=5)]
    opinion: Note = ""
    close_reasons: Note = ""
    texts, public = ("opinion", "close_reasons"), frozenset({"opinion"})

    @property
    def satisfied(self) -> bool:
        """Three and more of five count as satisfied."""
        return self.score >= 3


class CloseUnrated(Order, frozen=True, kw_only=True):
    """No answer to the call-back in time: closed, unrated."""

    past, words = "closed_unrated", ("超时未评办结", "close unrated")


class Close(Order, frozen=True, kw_only=True):
    """The centre closes what needs no handling."""

    past, words = "closed", ("直接办结", "close")
    reason: Words
    texts, public = ("reason",), frozenset({"reason"})


class Withdraw(Order, frozen=True, kw_only=True):
    """撤回; while being handled a citizen's is a request."""

    past, words = "withdrawn", ("撤回", "withdraw")
    reason: Note = ""
    texts, public = ("reason",), frozenset({"reason"})


class Reopen(Order, frozen=True, kw_only=True):
    """The citizen or the centre finds it was not solved."""

    past, words = "reopened", ("重新打开", "reopen")
    reason: Words
    texts, public = ("reason",), frozenset({"reason"})


class Archive(Order, frozen=True, kw_only=True):
    """归档."""

    past, words = "archived", ("归档", "archive")


class Resume(Order, frozen=True, kw_only=True):
    """The clocks of a suspended case run again."""

    past, words = "resumed", ("恢复", "resume")


class Add(Order, frozen=True, kw_only=True):
    """补充: words or evidence added to an open case."""

    past, words = "added_to", ("补充", "add")
    text: Words
    evidence: Evidences = ()
    texts, public = ("text",), frozenset({"text"})


class Tell(Order, frozen=True, kw_only=True):
    """Sensing tells whether the cause still fires; "done" closes only when it is clear."""

    past, words = "signalled", ("信号", "signal")
    signal: Signal


# ---- a leg


class Sign(LegOrder, frozen=True, kw_only=True):
    """签收."""

    past, words = "signed", ("签收", "sign for")


class Return(LegOrder, frozen=True, kw_only=True):
    """退单: not ours, with the reason."""

    past, words = "returned", ("退单", "return")
    reason: Words
    texts = ("reason",)


class Delegate(LegOrder, frozen=True, kw_only=True):
    """The lead hands down to one of its own: an inner leg."""

    past, words = "delegated", ("下派", "delegate")
    to: UUID
    note: Note = ""
    texts = ("note",)


class Record(LegOrder, frozen=True, kw_only=True):
    """Work done so far; `kind`: progress, mediation or feedback to the source."""

    past, words = "recorded", ("记录", "record")
    kind: Annotated[str, Meta(pattern="^(progress|mediation|feedback)$")] = "progress"
    work: Words
    settled: bool | None = None
    evidence: Evidences = ()
    texts = ("work",)


class Arrive(LegOrder, frozen=True, kw_only=True):
    """到场: the worker is on the spot. `at` as captured, if earlier than now."""

    past, words = "arrived", ("到场", "arrive")
    at: datetime | None = None
    place: Place | None = None


class Submit(LegOrder, frozen=True, kw_only=True):
    """办结申请: the work is done, with its result and evidence."""

    past, words = "submitted", ("提交", "submit")
    result: Words
    outcome: Annotated[str, Meta(pattern="^(solved|explained|not_ours|unsolvable)$")] = "solved"
    evidence: Evidences = ()
    texts, public = ("result",), frozenset({"result"})


class Confirm(LegOrder, frozen=True, kw_only=True):
    """The parent's owner takes the result."""

    past, words = "confirmed", ("确认", "confirm")


class SendBack(LegOrder, frozen=True, kw_only=True):
    """The parent's owner wants it done again."""

    past, words = "sent_back", ("退回重办", "send back")
    reason: Words
    texts = ("reason",)


class AskAssist(LegOrder, frozen=True, kw_only=True):
    """The lead asks another organisation to help (协办)."""

    past, words = "assistance_asked", ("请求协办", "ask for assistance")
    to: UUID
    note: Note = ""
    texts = ("note",)


class Attend(LegOrder, frozen=True, kw_only=True):
    """The assistant is present."""

    past, words = "attended", ("协办到场", "attend")
    at: datetime | None = None
    place: Place | None = None


class Waive(LegOrder, frozen=True, kw_only=True):
    """The assigner does without the assistant."""

    past, words = "waived", ("免除协办", "waive")
    reason: Note = ""
    texts = ("reason",)


class Recall(LegOrder, frozen=True, kw_only=True):
    """收回: the assigner takes the leg and all below it back."""

    past, words = "recalled", ("收回", "recall")
    reason: Words
    texts = ("reason",)


class Request(LegOrder, frozen=True, kw_only=True):
    """申请延期或挂起. `amount` is a limit such as `2 work_day`; `until` is for suspensions."""

    past, words = "requested", ("申请", "request")
    kind: Annotated[str, Meta(pattern="^(extension|suspension)$")]
    amount: Annotated[str, Meta(max_length=40)] | None = None
    until: datetime | None = None
    reason: Words
    texts = ("reason",)


class Grant(LegOrder, frozen=True, kw_only=True):
    """The assigner agrees."""

    past, words = "granted", ("同意", "grant")


class Refuse(LegOrder, frozen=True, kw_only=True):
    """The assigner does not agree."""

    past, words = "refused", ("不同意", "refuse")
    reason: Words
    texts = ("reason",)


class SetHandler(LegOrder, frozen=True, kw_only=True):
    """Name the person who works on it."""

    past, words = "handler_set", ("指定经办人", "set the handler")
    person: UUID


class Urge(LegOrder, frozen=True, kw_only=True):
    """催办; `step` names the rung when the system urges."""

    past, words = "urged", ("催办", "urge")
    step: Annotated[str, Meta(max_length=40)] | None = None
    note: Note = ""
    texts = ("note",)


class Supervise(LegOrder, frozen=True, kw_only=True):
    """督办: put under the centre's watch until it releases; a written reply is due."""

    past, words = "supervised", ("督办", "supervise")
    level: Annotated[int, Meta(ge=1, le=3)] = 1
    reason: Words
    reply_within: Annotated[str, Meta(max_length=40)] = "2 work_day"
    texts = ("reason",)


class Release(LegOrder, frozen=True, kw_only=True):
    """解除督办, by the centre only."""

    past, words = "released", ("解除督办", "release")
    note: Note = ""
    texts = ("note",)


class Reply(LegOrder, frozen=True, kw_only=True):
    """The answer to an urging or to supervision."""

    past, words = "replied", ("回复催办督办", "reply")
    answer: Words
    texts = ("answer",)


CASE_ORDERS: tuple[type[Order], ...] = (
    Accept, Reject, Appeal, Assign, Rule, Verify, Rate, CloseUnrated, Close, Withdraw, Reopen, Archive, Resume,
    Add, Tell,
)  # fmt: skip
LEG_ORDERS: tuple[type[LegOrder], ...] = (
    Sign, Return, Delegate, Record, Arrive, Submit, Confirm, SendBack, AskAssist, Attend, Waive, Recall,
    Request, Grant, Refuse, SetHandler, Urge, Supervise, Reply, Release,
)  # fmt: skip


def name_of(order: type[Order]) -> str:
    """Return the command's name in addresses and lists: `ask-assist` for AskAssist."""
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in order.__name__).lstrip("-")
