"""The commands to one leg of a case; each a Struct, named in the imperative; pure."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from app.kernel.crs import Place
from grid.organisations import Force
from tasks.cases.order import Child, Evidences, LegOrder, Note, Words


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
    """Work done so far; `kind`: progress, mediation or feedback to the source; `stage`: the named stage it reaches."""

    past, words = "recorded", ("记录", "record")
    kind: Annotated[str, Meta(pattern="^(progress|mediation|feedback)$")] = "progress"
    work: Words
    settled: bool | None = None
    stage: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
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


class CallUp(LegOrder, frozen=True, kw_only=True):
    """呼叫: a worker on the spot calls the force on duty in the cell: who sees it can call who may act (综警网)."""

    past, words = "called_up", ("呼叫力量", "call up a force")
    force: Force
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


class Notify(LegOrder, frozen=True, kw_only=True):
    """通报: the sweep tells somebody else of a rung of the ladder; `whom` as the ladder names them."""

    past, words = "notified", ("通报", "notify")
    step: Annotated[str, Meta(max_length=200)]
    whom: tuple[str, ...] = ()


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


class Check(LegOrder, frozen=True, kw_only=True):
    """联合检查: one point of an inspection's checklist; what is found can be opened as a case of its own."""

    past, words = "checked", ("检查", "check")
    point: Annotated[str, Meta(min_length=1, max_length=100)]
    passed: bool
    note: Note = ""
    evidence: Evidences = ()
    finding: Child | None = None
    texts = ("note",)
