"""The conditions of the transition tables, each with what is said to whoever fails it; pure."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec import Struct

from tasks.cases import orders as o
from tasks.cases import supervision
from tasks.cases.model import ENDED, LegKind
from tasks.cases.situation import Situation

Test = Callable[[Situation, Any], bool]
"""Asked with the command, or with None: "could some command of this kind pass?"."""


class Guard(Struct, frozen=True):
    """A condition of a row, and what is said to whoever fails it (zh, en)."""

    test: Test
    words: tuple[str, str]


def _leg_evidence(s: Situation, order: o.Submit | None) -> bool:
    """What was confirmed of the legs below counts; assistants need none: the lead answers for the result."""
    if s.leg is None or order is None or s.leg.kind is LegKind.ASSIST:
        return True
    had = s.leg.evidence + s.confirmed_evidence(s.leg)
    return had + len(order.evidence) >= s.item.evidence_at_handling


def _nothing_below(s: Situation) -> bool:
    return s.leg is None or not s.children(s.leg)


def _may_submit(s: Situation, order: o.Submit | None) -> bool:
    return _nothing_below(s) and _leg_evidence(s, order)


def _to_verify(s: Situation, order: Any) -> bool:
    """A result is verified where the item says so, and while the sensor still fires."""
    return _may_submit(s, order) and (s.item.verification or s.case.signal == "firing")


def _calls_back(s: Situation) -> bool:
    return s.item.call_back and s.case.reporter_kind in ("citizen", "resident")


def _free_to_close(s: Situation) -> bool:
    return s.open_children == 0 and s.case.signal != "firing"


def _may_return(s: Situation, _: Any) -> bool:
    return s.leg is not None and not s.worked(s.leg) and not s.leg.final and _nothing_below(s)


def _last_return(s: Situation, order: Any) -> bool:
    return _may_return(s, order) and s.case.returns + 1 >= s.item.return_limit


def _may_reopen(s: Situation, _: Any) -> bool:
    """Window and number bind people; a signal that fires again (actor `system`) is never left without a case."""
    until = s.reopen_until()
    if until is None or s.actor.kind == "system":
        return until is not None
    return s.now <= until and s.case.reopens < s.item.reopen_count


def _may_request(s: Situation, order: o.Request | None) -> bool:
    """A leg below the root is suspended until a time or for a length: nobody resumes it by hand."""
    if s.leg is None or s.leg.pending is not None:
        return False
    endless = order is not None and order.kind == "suspension" and order.until is None and order.amount is None
    if endless and s.leg.kind is not LegKind.ROOT:
        return False
    spent = len(s.leg.extensions) >= s.item.extension_limit
    return not spent if order is None or order.kind == "extension" else True


def _redo(s: Situation) -> bool:
    return s.last_lead_now is not None and not s.case.solved_at_once


def _named(order: Any) -> frozenset[UUID]:
    """Return the organisations and persons a command gives a part in the case."""
    one = (getattr(order, "to", None), getattr(order, "person", None))
    return frozenset(each for each in (*one, *getattr(order, "assistants", ())) if each is not None)


def _unbiased(s: Situation, order: Any) -> bool:
    """Who is complained about gets no part in the case."""
    return order is None or _named(order).isdisjoint(s.biased)


def _not_delegated(s: Situation, order: Any) -> bool:
    free = s.leg is not None and all(leg.kind is not LegKind.INNER for leg in s.children(s.leg))
    return free and _unbiased(s, order)


def _fit_to_verify(s: Situation, order: o.AssignVerifier | None) -> bool:
    return order is None or (_unbiased(s, order) and order.to not in s.handlers())


def _fit_to_take_in(s: Situation, order: o.Merge | None) -> bool:
    """A complaint goes only where whoever it is about is kept out as well."""
    other = s.found.target
    if order is None or other is None:
        return s.open_children == 0
    kept_out = s.biased <= s.directory.line_of_all(other.complained_about)
    return s.open_children == 0 and kept_out and other.id != s.case.id and other.state not in ENDED


def _amends(s: Situation, order: o.Amend | None) -> bool:
    said = None if order is None else (order.item, order.place, order.address, order.severity)
    return said is None or any(each is not None for each in said)


def _on_the_spot(s: Situation, order: Any) -> bool:
    there = s.leg is not None and (s.leg.arrived_at is not None or s.leg.attended_at is not None)
    called = s.found.called
    return there and (called is None or s.biased.isdisjoint({called.organisation, called.person}))


def _on_the_list(s: Situation, order: o.Check | None) -> bool:
    points = {each.point for each in s.case.checklist}
    return bool(points) if order is None else order.point in points


def _only(order_is: Callable[[Any], bool], also: Callable[[Situation], bool] = lambda _: True) -> Test:
    return lambda s, order: (order is None or order_is(order)) and also(s)


MAY_RETURN = Guard(
    _may_return,
    (
        "已有处置记录、已经裁定或尚有下级环节未结的，不能退单",
        "no return after work was recorded, a ruling, or with open legs below",
    ),
)
LAST_RETURN = Guard(_last_return, MAY_RETURN.words)
_BIASED = ("被投诉的单位或人员须回避", "who is complained about takes no part in the case")
UNBIASED = Guard(_unbiased, _BIASED)
NOT_DELEGATED = Guard(
    _not_delegated,
    ("下级环节未结，或所选单位被投诉、须回避", "an inner leg is still open, or the one chosen is complained about"),
)
FIT_TO_VERIFY = Guard(
    _fit_to_verify, ("核查单位不能是办理单位或被投诉单位", "neither the handler nor who is complained about verifies")
)
FIT_TO_TAKE_IN = Guard(
    _fit_to_take_in,
    (
        "子事件未结的不能并案；不能并入自身、已结束或已并案的事件；投诉件只能并入同样回避被投诉方的事件",
        "with no child open, into one neither ended nor merged; a complaint only where whom it is about is kept out",
    ),
)
ACCEPTED = Guard(lambda s, _: s.case.accepted_at is not None, ("尚未受理", "never accepted"))
NEVER_ACCEPTED = Guard(lambda s, _: s.case.accepted_at is None, ("已经受理", "accepted before"))
AMENDS = Guard(_amends, ("没有要更正的内容", "nothing is amended"))
NOT_JOINED = Guard(lambda s, _: not s.found.joined, ("已经联署", "joined already"))
ASKED = Guard(lambda s, _: s.case.withdrawal_asked, ("没有撤回申请", "nobody asked to withdraw"))
NOT_ASKED = Guard(
    lambda s, _: not s.case.withdrawal_asked, ("撤回申请由交办方决定", "whoever assigned it decides on the withdrawal")
)
_CHILD_WORDS = ("尚有子事件未结，先结清或撤回子事件", "a child case is open: it ends first")
NO_CHILD = Guard(lambda s, _: s.open_children == 0, _CHILD_WORDS)
"""A parent that ended would leave its parts without anybody who waits for them."""
NOT_ASKED_NO_CHILD = Guard(
    lambda s, _: not s.case.withdrawal_asked and s.open_children == 0,
    (f"{NOT_ASKED.words[0]}；{_CHILD_WORDS[0]}", f"{NOT_ASKED.words[1]}; {_CHILD_WORDS[1]}"),
)
ON_THE_SPOT = Guard(
    _on_the_spot, ("须先到场，且所呼叫的单位未被投诉", "be there first; who is complained about is not called")
)
ON_THE_LIST = Guard(_on_the_list, ("检查清单没有这一项", "the checklist has no such point"))
_SUBMIT_WORDS = (
    "须先结清下级与协办环节，并附上事项要求的佐证",
    "legs below must end first, and the evidence the item asks for must be attached",
)
TO_VERIFY = Guard(_to_verify, _SUBMIT_WORDS)
TO_CALL_BACK = Guard(lambda s, order: _may_submit(s, order) and _calls_back(s), _SUBMIT_WORDS)
TO_CLOSE = Guard(
    lambda s, order: _may_submit(s, order) and not _calls_back(s) and _free_to_close(s),
    ("须先结清下级环节、子事件并附上佐证", "legs below and child cases must end first, with the evidence asked for"),
)
MAY_SUBMIT = Guard(_may_submit, _SUBMIT_WORDS)
MAY_REQUEST = Guard(
    _may_request,
    (
        "已有待批申请、延期次数已用完，或下级环节挂起未写明期限",
        "a request is waiting, no extension is left, or a leg below the root is suspended without an end",
    ),
)
PENDING = Guard(
    lambda s, _: s.leg is not None and s.leg.pending is not None, ("没有待批的申请", "nothing was requested")
)
SUSPENDS = Guard(
    lambda s, _: s.leg is not None and s.leg.pending is not None and s.leg.pending.kind == "suspension", PENDING.words
)
WAS_URGED = Guard(
    lambda s, _: s.leg is not None and (s.leg.urges > 0 or s.leg.supervised_at is not None),
    ("没有收到催办或督办", "nobody urged or supervises"),
)


def _higher(s: Situation, order: o.Supervise | None) -> bool:
    level = 3 if order is None else order.level
    return s.leg is not None and (s.leg.supervised_at is None or level > (s.leg.supervision_level or 1))


NOT_SUPERVISED = Guard(_higher, ("已在同级或更高级别督办", "supervised already, at this level or a higher one"))
SUPERVISED = Guard(lambda s, _: s.leg is not None and s.leg.supervised_at is not None, ("没有督办", "not supervised"))
REMINDS = Guard(
    lambda s, _: (at := supervision.wake_at(s.case, s.item, s.calendar)) is not None and at <= s.now,
    ("还没有到提醒的时间", "it is not time to remind yet"),
)
ONCE = Guard(lambda s, _: not s.case.appealed, ("只能申诉一次", "a rejection can be appealed once"))
_CLOSE_WORDS = ("尚有子事件未结，或感知信号未解除", "a child case is open, or the signal still fires")
FREE = Guard(lambda s, _: _free_to_close(s), _CLOSE_WORDS)
PASSED_CALL = Guard(_only(lambda c: c.passed, lambda s: _calls_back(s) and s.case.signal != "firing"), _CLOSE_WORDS)
PASSED = Guard(_only(lambda c: c.passed, lambda s: not _calls_back(s) and _free_to_close(s)), _CLOSE_WORDS)
FAILED_REDO = Guard(_only(lambda c: not c.passed, _redo), _CLOSE_WORDS)
FAILED = Guard(_only(lambda c: not c.passed, lambda s: not _redo(s)), _CLOSE_WORDS)
SATISFIED = Guard(_only(lambda c: c.satisfied, _free_to_close), _CLOSE_WORDS)
UNSATISFIED_CLOSE = Guard(
    _only(lambda c: not c.satisfied and bool(c.close_reasons), _free_to_close), ("须说明办结理由", "reasons are needed")
)
UNSATISFIED_REDO = Guard(_only(lambda c: not c.satisfied and not c.close_reasons, _redo), _CLOSE_WORDS)
UNSATISFIED = Guard(_only(lambda c: not c.satisfied and not c.close_reasons, lambda s: not _redo(s)), _CLOSE_WORDS)
TIMED_OUT = Guard(
    lambda s, _: s.case.call_back_due is not None and s.now >= s.case.call_back_due and _free_to_close(s),
    ("回访期限未到，或尚有子事件未结", "the time to answer is not over, or a child is open"),
)
REOPEN_REDO = Guard(
    lambda s, c: _may_reopen(s, c) and _redo(s),
    ("已超过可重新打开的期限或次数", "the window or number of reopenings is over"),
)
REOPEN = Guard(lambda s, c: _may_reopen(s, c) and not _redo(s), REOPEN_REDO.words)
