"""From command to change: the one function `decide`, and what the commands to a whole case make of it; pure."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tasks.cases import legs as l
from tasks.cases import orders as o
from tasks.cases import supervision
from tasks.cases.lifecycle import Before, CaseStep, LegStep, aim, choose
from tasks.cases.model import Case, Change, Leg, LegKind, State
from tasks.cases.situation import Situation


def _moved(s: Situation, step: CaseStep, **changed: Any) -> Case:
    target = (s.case.before or s.case.state) if isinstance(step.target, Before) else step.target
    return replace(s.case, state=target, **changed)


def _ended(s: Situation, step: CaseStep) -> tuple[Leg, ...]:
    """Return the open legs as the row ends them."""
    return () if step.legs is None else l.end_all(s, tuple(leg for leg in s.legs if leg.open), step.legs)


def _give(s: Situation, case: Case, to: UUID, assistants: tuple[UUID, ...] = (), final: bool = False) -> Change:
    """Return the case with a new root leg, and an assist leg for each assistant."""
    root = l.open_leg(s, case, to, LegKind.ROOT, final=final)
    here = replace(s, legs=(*s.legs, root))
    assists = [l.open_leg(here, case, each, LegKind.ASSIST, parent=root, ahead=n) for n, each in enumerate(assistants)]
    legs = (root, *assists)
    given = replace(case, assigned_at=s.now, last_lead=to, ruled=final or case.ruled)
    return Change(case=given, legs=legs, body={"to": str(to), "opened": [l.opened(leg) for leg in legs]})


def _again(s: Situation, case: Case, ended: tuple[Leg, ...], body: dict[str, Any]) -> Change:
    """Return the case back with its last lead (返工、重办、重开), or waiting for a desk when nobody does that work."""
    if case.state is not State.ASSIGNED or s.last_lead_now is None:
        return Change(case=case, legs=ended, body=body)
    given = _give(s, case, s.last_lead_now, final=case.ruled)
    return Change(case=given.case, legs=(*ended, *given.legs), body=body | given.body)


def accept(s: Situation, order: o.Accept, step: CaseStep) -> Change:
    """受理: the total limit runs from here."""
    severity = order.severity or s.case.severity
    total = s.due_of("total", severity=severity)
    case = _moved(s, step, severity=severity, accepted_at=s.now, clock_from=s.now, total_due=total)
    return Change(case=case, body={"severity": severity.value, "total_due": l.text_of(total)})


def reject(s: Situation, _: o.Reject, step: CaseStep) -> Change:
    """不予受理."""
    return Change(case=_moved(s, step))


def appeal(s: Situation, _: o.Appeal, step: CaseStep) -> Change:
    """A rejection contested."""
    return Change(case=_moved(s, step, appealed=True))


def assign(s: Situation, order: o.Assign, step: CaseStep) -> Change:
    """指派."""
    return _give(s, _moved(s, step), order.to, order.assistants, final=s.case.ruled)


def rule(s: Situation, order: o.Rule, step: CaseStep) -> Change:
    """裁定: no further return."""
    change = _give(s, _moved(s, step), order.to, order.assistants, final=True)
    return replace(change, body=change.body | {"returned_rightly": order.returned_rightly})


def verify(s: Situation, order: o.Verify, step: CaseStep) -> Change:
    """核查: passed moves on, failed is rework."""
    ended = _ended(s, step)
    said = {"passed": order.passed, "evidence": [str(e.id) for e in order.evidence]}
    if order.passed:
        case = _moved(s, step, verified_at=s.now, verify_due=None)
        if case.state is State.CLOSED:
            case = replace(case, closed_at=s.now)
        else:
            case = replace(case, call_back_due=s.due_of("call_back"))
        return Change(case=case, legs=ended, body=said)
    case = _moved(s, step, reworks=s.case.reworks + 1, handled_at=None, verify_due=None, outcome=None)
    return _again(s, replace(case, solved_at_once=False), ended, said | {"reworks": case.reworks})


def rate(s: Situation, order: o.Rate, step: CaseStep) -> Change:
    """回访: satisfied closes; unsatisfied is redone, or closed with the centre's reasons."""
    ended = _ended(s, step)
    said = {"score": order.score, "satisfied": order.satisfied, "by_reporter": s.actor.id == s.case.reporter}
    case = _moved(s, step, rating=order.score, satisfied=order.satisfied, call_back_due=None)
    if case.state is State.CLOSED:
        return Change(case=replace(case, closed_at=s.now), legs=ended, body=said)
    again = replace(case, redos=case.redos + 1, handled_at=None, verified_at=None, outcome=None, solved_at_once=False)
    return _again(s, again, ended, said | {"redos": again.redos})


def close_unrated(s: Situation, _: o.CloseUnrated, step: CaseStep) -> Change:
    """Nobody answered in time."""
    return Change(case=_moved(s, step, closed_at=s.now, call_back_due=None), legs=_ended(s, step))


def close(s: Situation, _: o.Close, step: CaseStep) -> Change:
    """Closed without handling."""
    return Change(case=_moved(s, step, closed_at=s.now, outcome="closed_by_centre"))


def withdraw(s: Situation, _: o.Withdraw, step: CaseStep) -> Change:
    """撤回: open legs end; while being handled a citizen only asks for it."""
    if step.target is s.case.state:
        return Change(case=replace(s.case, withdrawal_asked=True), body={"asked": True})
    return Change(case=_moved(s, step, closed_at=s.now), legs=_ended(s, step), body={"asked": False})


def reopen(s: Situation, _: o.Reopen, step: CaseStep) -> Change:
    """A new total limit begins."""
    fresh = {"closed_at": None, "handled_at": None, "verified_at": None, "outcome": None, "solved_at_once": False}
    case = _moved(s, step, reopens=s.case.reopens + 1, clock_from=s.now, **fresh)
    case = replace(case, total_due=s.due_of("total"))
    return _again(s, case, (), {"reopens": case.reopens})


def archive(s: Situation, _: o.Archive, step: CaseStep) -> Change:
    """归档."""
    return Change(case=_moved(s, step))


def resume(s: Situation, _: o.Resume, step: CaseStep) -> Change:
    """All clocks run again; every due moves by the pause."""
    pause = (s.case.suspended_at or s.now, s.now)
    case = _moved(s, step, before=None, pauses=(*s.case.pauses, pause), suspended_at=None, resume_at=None)
    total = replace(s, case=case).due_of("total", start=case.clock_from)
    case = replace(case, total_due=total)
    moved: list[Leg] = []
    for leg in sorted((leg for leg in s.legs if leg.open), key=lambda leg: leg.ordinal):
        known = replace(s, case=case, legs=(*moved, *(each for each in s.legs if each.id not in {m.id for m in moved})))
        moved.append(replace(leg, handle_due=l.handle_due(known, leg, case)))
    dues = {str(leg.id): l.text_of(leg.handle_due) for leg in moved}
    return Change(case=case, legs=tuple(moved), body={"handle_due": dues, "total_due": l.text_of(total)})


def add(s: Situation, order: o.Add, step: CaseStep) -> Change:
    """补充."""
    return Change(case=_moved(s, step), body={"evidence": [str(e.id) for e in order.evidence]})


def tell(s: Situation, order: o.Tell, step: CaseStep) -> Change:
    """The signal of sensing."""
    return Change(case=_moved(s, step, signal=order.signal), body={"signal": order.signal.value})


EFFECTS: dict[type[o.Order], Callable[[Situation, Any, Any], Change]] = {
    o.Accept: accept, o.Reject: reject, o.Appeal: appeal, o.Assign: assign, o.Rule: rule, o.Verify: verify,
    o.Rate: rate, o.CloseUnrated: close_unrated, o.Close: close, o.Withdraw: withdraw, o.Reopen: reopen,
    o.Archive: archive, o.Resume: resume, o.Add: add, o.Tell: tell,
    o.Sign: l.sign, o.Return: l.return_, o.Delegate: l.delegate, o.AskAssist: l.ask_assist, o.Record: l.record,
    o.Arrive: l.arrive, o.Attend: l.attend, o.Submit: l.submit, o.Confirm: l.confirm, o.SendBack: l.send_back,
    o.Waive: l.waive, o.Recall: l.recall, o.Request: l.request, o.Grant: l.grant, o.Refuse: l.refuse,
    o.SetHandler: l.set_handler, o.Urge: l.urge, o.Supervise: l.supervise, o.Release: l.release,
    o.Reply: l.reply,
}  # fmt: skip


def decide(s: Situation, order: o.Order) -> tuple[Situation, CaseStep | LegStep, Change]:
    """Return the situation aimed at its leg, the row that holds, and the change it makes (version counted up).

    Raises TransitionRefused, RoleNotPermitted, LegNotFound.
    """
    aimed = aim(s, order)
    step = choose(aimed, order)
    change = EFFECTS[type(order)](aimed, order, step)
    wake_at = supervision.wake_at(change.case)
    looked_at = s.case.looked_at or (s.now if s.actor.kind == "staff" else None)
    case = replace(change.case, version=s.case.version + 1, wake_at=wake_at, looked_at=looked_at)
    legs = tuple(replace(leg, next_urge_at=supervision.next_urge(replace(s, case=case), leg)) for leg in change.legs)
    said = {"from": s.case.state.value, "state": case.state.value} | change.body
    return aimed, step, replace(change, case=case, legs=legs, body=said)
