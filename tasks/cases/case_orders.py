"""The commands to a whole case; each a Struct, named in the imperative; pure."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from app.kernel.crs import Place
from tasks.cases import model
from tasks.cases.model import Severity
from tasks.cases.order import Assistants, Child, Evidences, Note, Order, Words


class DossierPoint(StrEnum):
    """What a reviewer looks at in a dossier."""

    ACCEPTANCE = "acceptance"  # 受理规范
    LIMITS = "limits"  # 时限合规
    PROCEDURE = "procedure"  # 程序完整
    EVIDENCE = "evidence"  # 佐证充分
    RESULT = "result"  # 处置到位
    REPLY = "reply"  # 答复规范


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
    assistants: Assistants = ()
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
    assistants: Assistants = ()
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


class RefuseWithdrawal(Order, frozen=True, kw_only=True):
    """The citizen asked to withdraw what is being handled; whoever assigned it goes on with it."""

    past, words = "withdrawal_refused", ("不同意撤回", "refuse the withdrawal")
    reason: Words
    texts, public = ("reason",), frozenset({"reason"})


class Merge(Order, frozen=True, kw_only=True):
    """并案: it is the same matter as another case, which is handled for both; all who reported stay informed."""

    past, words = "merged", ("并案", "merge")
    into: UUID
    note: Note = ""
    texts = ("note",)


class Unmerge(Order, frozen=True, kw_only=True):
    """撤销并案: it was another matter after all."""

    past, words = "unmerged", ("撤销并案", "unmerge")
    reason: Words
    texts = ("reason",)


class TakeIn(Order, frozen=True, kw_only=True):
    """Another case was merged into this one, or taken out again; written by the system into both traces."""

    past, words = "took_in", ("并入", "take in")
    case: UUID
    merged: bool = True


class Split(Order, frozen=True, kw_only=True):
    """拆分: the parts become cases of their own; this one closes after them."""

    past, words = "split", ("拆分", "split")
    children: Annotated[tuple[Child, ...], Meta(min_length=1, max_length=20)]
    note: Note = ""
    texts = ("note",)


class Amend(Order, frozen=True, kw_only=True):
    """更正: another item, place or severity. Dues are reckoned again from the original start."""

    past, words = "amended", ("更正", "amend")
    item: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    place: Place | None = None
    address: Annotated[str, Meta(max_length=500)] | None = None
    severity: Severity | None = None
    note: Note = ""
    texts = ("note", "address", "point")

    @property
    def point(self) -> str:
        """The place as text, kept with the other texts that can be erased."""
        return "" if self.place is None else f"{self.place.lon:.7f},{self.place.lat:.7f},{self.place.datum}"


class JoinReporter(Order, frozen=True, kw_only=True):
    """Somebody else reports the same: a citizen by themselves, or a resident a clerk speaks for."""

    past, words = "joined", ("联署", "join as reporter")
    name: Annotated[str, Meta(max_length=60)] | None = None
    phone: Annotated[str, Meta(max_length=30)] | None = None
    personal = ("name", "phone")


class SetCaseHandler(Order, frozen=True, kw_only=True):
    """Name the clerk in charge of the case as a whole, whoever has a turn."""

    past, words = "case_handler_set", ("指定负责人", "set the clerk in charge")
    person: UUID


class Suspend(Order, frozen=True, kw_only=True):
    """挂起: every clock stops until the case is resumed, by hand or at `until`."""

    past, words = "suspended", ("挂起", "suspend")
    reason: Words
    until: datetime | None = None
    texts = ("reason",)


class AssignVerifier(Order, frozen=True, kw_only=True):
    """指定核查: an organisation that did not handle it looks at the result, by `due`."""

    past, words = "verifier_assigned", ("指定核查单位", "assign the verifier")
    to: UUID
    due: datetime | None = None
    note: Note = ""
    texts = ("note",)


class ReviewDossier(Order, frozen=True, kw_only=True):
    """案卷评查: are the papers of the case in order, point by point?"""

    past, words = "reviewed", ("案卷评查", "review the dossier")
    checklist: Annotated[dict[DossierPoint, bool], Meta(min_length=1)]
    note: Note = ""
    texts = ("note",)


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


class Recompute(Order, frozen=True, kw_only=True):
    """时限重算: the holidays of another year, or the district's own days, are known now."""

    past, words = "recomputed", ("时限重算", "reckon the dues again")


class Remind(Order, frozen=True, kw_only=True):
    """提醒: the time to verify or to call back is nearly, or over."""

    past, words = "reminded", ("提醒核查或回访", "remind of verifying or calling back")


class Add(Order, frozen=True, kw_only=True):
    """补充: words or evidence added to an open case."""

    past, words = "added_to", ("补充", "add")
    text: Words
    evidence: Evidences = ()
    texts, public = ("text",), frozenset({"text"})


class Signal(Order, frozen=True, kw_only=True):
    """Sensing tells whether the cause still fires; "done" closes only when it is clear."""

    past, words = "signalled", ("信号", "signal")
    signal: model.Signal
