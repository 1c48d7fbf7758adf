"""From command to change: the one function `decide`, and what the commands to a whole case make of it; pure."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tasks.cases import amending, merging, supervision
from tasks.cases import legs as l
from tasks.cases import orders as o
from tasks.cases.lifecycle import CaseStep, LegStep, aim, choose
from tasks.cases.model import Case, Change, Leg, LegKind, State
from tasks.cases.situation import Situation
from tasks.cases.steps import ended_by, moved


def _give(
    s: Situation, case: Case, to: UUID, assigner: UUID | None, assistants: tuple[UUID, ...] = (), final: bool = False
) -> Change:
    """Return the case with a new root leg, and an assist leg for each assistant, all of the same assigner."""
    root = l.open_leg(s, case, to, LegKind.ROOT, assigner=assigner, final=final)
    here = replace(s, legs=(*s.legs, root))
    assists = [
        l.open_leg(here, case, each, LegKind.ASSIST, parent=root, assigner=assigner, ahead=n)
        for n, each in enumerate(assistants)
    ]
    legs = (root, *assists)
    given = replace(case, assigned_at=s.now, last_lead=to, ruled=final or case.ruled)
    return Change(case=given, legs=legs, body={"to": str(to), "opened": [l.opened(leg) for leg in legs]})


def _giver(s: Situation) -> UUID | None:
    """Return in whose name the actor gives work out; the system does so for the desk."""
    return None if s.actor.kind == "system" else s.acting_organisation


def _again(s: Situation, case: Case, ended: tuple[Leg, ...], body: dict[str, Any]) -> Change:
    """Return the case back with its last lead (返工、重办、重开), or waiting for a desk when nobody does that work.

    It is in the name of who gave it out before; a ruled lead still cannot return it.
    """
    last = s.last_root
    if case.state is not State.ASSIGNED or s.last_lead_now is None:
        return Change(case=case, legs=ended, body=body)
    assigner, final = (None, False) if last is None else (last.assigner, last.final)
    given = _give(s, case, s.last_lead_now, assigner, final=final)
    return Change(case=given.case, legs=(*ended, *given.legs), body=body | given.body)


def _was_ruled(s: Situation, to: UUID) -> bool:
    """Whether a ruling gave it to this organisation before."""
    return any(leg.final and leg.organisation == to for leg in s.legs if leg.kind is LegKind.ROOT)


_AFRESH: dict[str, Any] = {
    "handled_at": None, "verified_at": None, "outcome": None, "solved_at_once": False, "verifier": None,
    "verifier_at": None, "withdrawal_asked": False,
}  # fmt: skip
"""What is forgotten of a handling that has to be done again."""


def accept(s: Situation, order: o.Accept, step: CaseStep) -> Change:
    """受理: the total limit runs from here."""
    severity = order.severity or s.case.severity
    total = s.due_of("total", severity=severity)
    case = moved(s, step, severity=severity, accepted_at=s.now, clock_from=s.now, total_due=total)
    return Change(case=case, body={"severity": severity.value, "total_due": l.text_of(total)})


def reject(s: Situation, _: o.Reject, step: CaseStep) -> Change:
    """不予受理."""
    return Change(case=moved(s, step))


def appeal(s: Situation, _: o.Appeal, step: CaseStep) -> Change:
    """A rejection contested."""
    return Change(case=moved(s, step, appealed=True))


def assign(s: Situation, order: o.Assign, step: CaseStep) -> Change:
    """指派."""
    return _give(s, moved(s, step), order.to, _giver(s), order.assistants, final=_was_ruled(s, order.to))


def rule(s: Situation, order: o.Rule, step: CaseStep) -> Change:
    """裁定: no further return."""
    change = _give(s, moved(s, step), order.to, _giver(s), order.assistants, final=True)
    return replace(change, body=change.body | {"returned_rightly": order.returned_rightly})


def verify(s: Situation, order: o.Verify, step: CaseStep) -> Change:
    """核查: passed moves on, failed is rework."""
    ended = ended_by(s, step)
    said = {"passed": order.passed, "evidence": [str(e.id) for e in order.evidence]}
    if order.passed:
        case = moved(s, step, verified_at=s.now, verify_due=None)
        if case.state is State.CLOSED:
            case = replace(case, closed_at=s.now)
        else:
            case = replace(case, call_back_due=s.due_of("call_back"))
        return Change(case=case, legs=ended, body=said)
    case = moved(s, step, reworks=s.case.reworks + 1, verify_due=None, **_AFRESH)
    return _again(s, case, ended, said | {"reworks": case.reworks})


def rate(s: Situation, order: o.Rate, step: CaseStep) -> Change:
    """回访: satisfied closes; unsatisfied is redone, or closed with the centre's reasons."""
    ended = ended_by(s, step)
    said = {"score": order.score, "satisfied": order.satisfied, "by_reporter": s.actor.id == s.case.reporter}
    case = moved(s, step, rating=order.score, satisfied=order.satisfied, call_back_due=None)
    if case.state is State.CLOSED:
        return Change(case=replace(case, closed_at=s.now), legs=ended, body=said)
    again = replace(case, redos=case.redos + 1, **_AFRESH)
    return _again(s, again, ended, said | {"redos": again.redos})


def close_unrated(s: Situation, _: o.CloseUnrated, step: CaseStep) -> Change:
    """Nobody answered in time."""
    case = moved(s, step, closed_at=s.now, call_back_due=None, rating=None, satisfied=None)
    return Change(case=case, legs=ended_by(s, step))


def close(s: Situation, _: o.Close, step: CaseStep) -> Change:
    """Closed without handling."""
    return Change(case=moved(s, step, closed_at=s.now, outcome="closed_by_centre"))


def withdraw(s: Situation, _: o.Withdraw, step: CaseStep) -> Change:
    """撤回: open legs end; while being handled a citizen only asks for it."""
    if step.target is s.case.state:
        return Change(case=replace(s.case, withdrawal_asked=True), body={"asked": True})
    return Change(case=moved(s, step, closed_at=s.now), legs=ended_by(s, step), body={"asked": False})


def reopen(s: Situation, _: o.Reopen, step: CaseStep) -> Change:
    """A new total limit begins."""
    case = moved(s, step, reopens=s.case.reopens + 1, clock_from=s.now, closed_at=None, **_AFRESH)
    case = replace(case, total_due=s.due_of("total"))
    return _again(s, case, (), {"reopens": case.reopens})


def archive(s: Situation, _: o.Archive, step: CaseStep) -> Change:
    """归档."""
    return Change(case=moved(s, step))


def resume(s: Situation, _: o.Resume, step: CaseStep) -> Change:
    """All clocks run again; every due moves by the pause."""
    pause = (s.case.suspended_at or s.now, s.now)
    case = moved(s, step, before=None, pauses=(*s.case.pauses, pause), suspended_at=None, resume_at=None)
    total = replace(s, case=case).due_of("total", start=case.clock_from)
    case = replace(case, total_due=total)
    legs = l.reckon_all(s, case)
    dues = {str(leg.id): l.text_of(leg.handle_due) for leg in legs}
    return Change(case=case, legs=legs, body={"handle_due": dues, "total_due": l.text_of(total)})


def suspend(s: Situation, order: o.Suspend, step: CaseStep) -> Change:
    """挂起: every clock stops."""
    case = moved(s, step, before=s.case.state, suspended_at=s.now, resume_at=order.until)
    return Change(case=case, body={"until": l.text_of(order.until)})


def refuse_withdrawal(s: Situation, _: o.RefuseWithdrawal, step: CaseStep) -> Change:
    """It goes on; the citizen may ask again."""
    return Change(case=moved(s, step, withdrawal_asked=False))


def assign_verifier(s: Situation, order: o.AssignVerifier, step: CaseStep) -> Change:
    """Somebody named verifies, by their own due."""
    until = order.due or s.due_of("verify") or s.case.verify_due
    case = moved(s, step, verifier=order.to, verifier_at=s.now, verify_due=until)
    return Change(case=case, body={"to": str(order.to), "verify_due": l.text_of(until)})


def review_dossier(s: Situation, order: o.ReviewDossier, step: CaseStep) -> Change:
    """案卷评查."""
    points = {point.value: passed for point, passed in sorted(order.checklist.items())}
    said = {"checklist": points, "passed": all(points.values())}
    return Change(case=moved(s, step, reviewed_at=s.now), body=said)


def join_reporter(s: Situation, _: o.JoinReporter, step: CaseStep) -> Change:
    """Who joined is kept beside the case, not in its trace."""
    kind = "citizen" if s.actor.kind == "citizen" else "resident"
    return Change(case=moved(s, step), body={"reporter_kind": kind})


def set_case_handler(s: Situation, order: o.SetCaseHandler, step: CaseStep) -> Change:
    """Name the clerk in charge."""
    return Change(case=moved(s, step, handler=order.person), body={"person": str(order.person)})


def add(s: Situation, order: o.Add, step: CaseStep) -> Change:
    """补充."""
    return Change(case=moved(s, step), body={"evidence": [str(e.id) for e in order.evidence]})


def signal(s: Situation, order: o.Signal, step: CaseStep) -> Change:
    """The signal of sensing."""
    return Change(case=moved(s, step, signal=order.signal), body={"signal": order.signal.value})


def remind(s: Situation, _: o.Remind, step: CaseStep) -> Change:
    """The time to verify or to call back is three quarters used, or over."""
    due = "verify_due" if s.case.state is State.HANDLED else "call_back_due"
    return Change(case=moved(s, step, reminded_until=s.now), body={due: l.text_of(getattr(s.case, due))})


EFFECTS: dict[type[o.Order], Callable[[Situation, Any, Any], Change]] = {
    o.Accept: accept, o.Reject: reject, o.Appeal: appeal, o.Assign: assign, o.Rule: rule, o.Verify: verify,
    o.Rate: rate, o.CloseUnrated: close_unrated, o.Close: close, o.Withdraw: withdraw, o.Reopen: reopen,
    o.Archive: archive, o.Resume: resume, o.Suspend: suspend, o.RefuseWithdrawal: refuse_withdrawal,
    o.AssignVerifier: assign_verifier, o.ReviewDossier: review_dossier, o.Merge: merging.merge,
    o.Unmerge: merging.unmerge, o.TakeIn: merging.take_in, o.Split: merging.split, o.Amend: amending.amend,
    o.JoinReporter: join_reporter, o.SetCaseHandler: set_case_handler, o.CallUp: l.call_up, o.Check: l.check,
    o.Add: add, o.Signal: signal, o.Recompute: amending.recompute, o.Remind: remind, o.Notify: l.notify,
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
    wake_at = supervision.wake_at(change.case, s.found.item or s.item, s.calendar)
    looked_at = s.case.looked_at or (s.now if s.actor.kind == "staff" else None)
    case = replace(change.case, version=s.case.version + 1, wake_at=wake_at, looked_at=looked_at)
    there = replace(s, case=case, item=s.found.item or s.item)  # an amended item has a ladder of its own
    legs = tuple(replace(leg, next_urge_at=supervision.next_urge(there, leg)) for leg in change.legs)
    stopped = case.state is State.SUSPENDED
    case = replace(case, due_at=None if stopped else l.nearest_due(s.legs, legs))
    said = {"from": s.case.state.value, "state": case.state.value} | change.body
    return aimed, step, replace(change, case=case, legs=legs, body=said)
