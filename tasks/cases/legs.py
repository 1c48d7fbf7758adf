"""What the commands to a leg make of it: signing, handing down, working, submitting, requests and recalls; pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tasks.cases import orders as o
from tasks.cases.deadlines import due, parse_limit
from tasks.cases.lifecycle import LegStep
from tasks.cases.model import Case, Change, Leg, LegKind, Pending, State
from tasks.cases.situation import Situation, earliest


def text_of(moment: datetime | None) -> str | None:
    """Return an instant as written into the trace."""
    return None if moment is None else moment.isoformat()


def handle_due(s: Situation, leg: Leg, case: Case) -> datetime | None:
    """Return when handling is due: the limit from assignment over all pauses, extended, never past parent or total."""
    own = leg.handle_due
    if leg.handle_limit is not None:
        own = due(leg.assigned_at, parse_limit(leg.handle_limit), s.calendar, (*case.pauses, *leg.pauses))
        for amount in leg.extensions:
            own = s.later(own, parse_limit(amount))
    parent = None if leg.parent is None else s.find(leg.parent)
    return earliest(own, case.total_due, None if parent is None else parent.handle_due)


def open_leg(
    s: Situation, case: Case, to: UUID, kind: LegKind, *, parent: Leg | None = None, final: bool = False, ahead: int = 0
) -> Leg:
    """Return a new unsigned leg with its clocks; `ahead` counts the legs opened in the same command before it."""
    limits = s.item.clocks(case.severity)
    given_by = None if s.actor.kind == "system" else s.acting_organisation
    leg = Leg(
        id=s.fresh(),
        case_id=case.id,
        ordinal=len(s.legs) + 1 + ahead,
        kind=kind,
        parent=None if parent is None else parent.id,
        assigner=given_by if parent is None else parent.organisation,
        organisation=to,
        assigned_at=s.now,
        sign_due=s.due_of("sign"),
        arrive_due=s.due_of("arrive"),
        handle_limit=limits.handle,
        final=final,
    )
    return replace(leg, handle_due=handle_due(s, leg, case))


def opened(leg: Leg) -> dict[str, Any]:
    """Return what the trace says of a new leg."""
    return {
        "leg": str(leg.id),
        "kind": leg.kind.value,
        "to": str(leg.organisation),
        "sign_due": text_of(leg.sign_due),
        "handle_due": text_of(leg.handle_due),
    }


def end_all(s: Situation, legs: tuple[Leg, ...], state: Any) -> tuple[Leg, ...]:
    """Return the legs ended in the state the table names."""
    return tuple(replace(leg, state=state, done_at=leg.done_at or s.now, pending=None) for leg in legs)


def _leg(s: Situation) -> Leg:
    if s.leg is None:
        raise LookupError("a leg command without its leg")
    return s.leg


def _with(
    s: Situation, step: LegStep, *others: Leg, case: Case | None = None, body: Any = None, **changed: Any
) -> Change:
    """Return the change of one leg (and others), the states taken from the row."""
    leg = replace(_leg(s), state=step.target, **changed)
    moved = replace(case or s.case, state=step.case or s.case.state)
    said: dict[str, Any] = {"leg": str(leg.id), "organisation": str(leg.organisation), **(body or {})}
    return Change(case=moved, legs=(leg, *others), body=said)


def sign(s: Situation, _: o.Sign, step: LegStep) -> Change:
    """签收."""
    return _with(s, step, signed_at=s.now, signer=s.actor.id)


def return_(s: Situation, _: o.Return, step: LegStep) -> Change:
    """退单: counted on the case when it is the root's."""
    counted = _leg(s).kind is LegKind.ROOT
    case = replace(s.case, returns=s.case.returns + counted)
    return _with(s, step, case=case, done_at=s.now, pending=None, body={"returns": case.returns})


def delegate(s: Situation, order: o.Delegate, step: LegStep) -> Change:
    """下派: an inner leg below this one."""
    inner = open_leg(s, s.case, order.to, LegKind.INNER, parent=_leg(s))
    return _with(s, step, inner, body={"opened": opened(inner)})


def ask_assist(s: Situation, order: o.AskAssist, step: LegStep) -> Change:
    """协办: an assist leg beside this one."""
    assist = open_leg(s, s.case, order.to, LegKind.ASSIST, parent=_leg(s))
    return _with(s, step, assist, body={"opened": opened(assist)})


def record(s: Situation, order: o.Record, step: LegStep) -> Change:
    """Work done: from now on the leg cannot be returned. Feedback to the source is no work."""
    leg = _leg(s)
    worked = leg.worked or order.kind != "feedback"
    evidence = leg.evidence + len(order.evidence)
    said = {"kind": order.kind, "settled": order.settled, "evidence": [str(e.id) for e in order.evidence]}
    return _with(s, step, worked=worked, evidence=evidence, handler=leg.handler or s.actor.id, body=said)


def arrive(s: Situation, order: o.Arrive, step: LegStep) -> Change:
    """到场: the first arrival counts; a captured time cannot lie before assignment or in the future."""
    leg = _leg(s)
    at = min(max(order.at or s.now, leg.assigned_at), s.now)
    first = leg.arrived_at or at
    return _with(s, step, arrived_at=first, worked=True, handler=leg.handler or s.actor.id, body={"at": text_of(at)})


def attend(s: Situation, order: o.Attend, step: LegStep) -> Change:
    """The assistant was there."""
    leg = _leg(s)
    at = min(max(order.at or s.now, leg.assigned_at), s.now)
    return _with(s, step, attended_at=leg.attended_at or at, worked=True, body={"at": text_of(at)})


def submit(s: Situation, order: o.Submit, step: LegStep) -> Change:
    """The result; of the root it moves the case on."""
    leg = _leg(s)
    case = replace(s.case, outcome=order.outcome)
    if step.case is not None:
        case = replace(
            case,
            handled_at=s.now,
            verify_due=s.due_of("verify") if step.case is State.HANDLED else None,
            call_back_due=s.due_of("call_back") if step.case is State.CALLING_BACK else None,
            closed_at=s.now if step.case is State.CLOSED else None,
        )
    said = {"outcome": order.outcome, "evidence": [str(e.id) for e in order.evidence]}
    changed: dict[str, Any] = {
        "submitted_at": s.now,
        "submitter": s.actor.id,
        "done_at": s.now,
        "result": order.outcome,
        "evidence": leg.evidence + len(order.evidence),
        "handler": leg.handler or s.actor.id,
        "pending": None,
        "worked": True,
    }
    return _with(s, step, case=case, body=said, **changed)


def confirm(s: Situation, _: o.Confirm, step: LegStep) -> Change:
    """The result of an inner or assist leg is taken."""
    return _with(s, step)


def send_back(s: Situation, _: o.SendBack, step: LegStep) -> Change:
    """To be done again: rework is counted on the leg."""
    reworks = _leg(s).reworks + 1
    return _with(s, step, submitted_at=None, done_at=None, result=None, reworks=reworks, body={"reworks": reworks})


def waive(s: Situation, _: o.Waive, step: LegStep) -> Change:
    """免除协办."""
    return _with(s, step, done_at=s.now)


def recall(s: Situation, _: o.Recall, step: LegStep) -> Change:
    """收回: the leg and every open one below end."""
    below = end_all(s, s.below(_leg(s)), step.below)
    return _with(s, step, *below, done_at=s.now, pending=None, body={"ended": [str(leg.id) for leg in below]})


def request(s: Situation, order: o.Request, step: LegStep) -> Change:
    """An application waits for the assigner."""
    pending = Pending(order.kind, order.amount, order.until)
    said = {"kind": order.kind, "amount": order.amount, "until": text_of(order.until)}
    return _with(s, step, pending=pending, body=said)


def grant(s: Situation, _: o.Grant, step: LegStep) -> Change:
    """延期 moves the due; 挂起 of the root stops all clocks, of an inner leg its own until the time granted."""
    leg = _leg(s)
    pending = leg.pending
    if pending is None:
        raise LookupError("a grant without request")
    said = {"kind": pending.kind, "amount": pending.amount, "until": text_of(pending.until)}
    if step.case is State.SUSPENDED:
        case = replace(s.case, before=s.case.state, suspended_at=s.now, resume_at=pending.until)
        return _with(s, step, case=case, pending=None, body=said)
    if pending.kind == "extension" and pending.amount is not None:
        leg = replace(leg, extensions=(*leg.extensions, pending.amount))
    elif pending.until is not None and pending.until > s.now:
        leg = replace(leg, pauses=(*leg.pauses, (s.now, pending.until)))
    moved = handle_due(s, leg, s.case)
    said["handle_due"] = text_of(moved)
    changed: dict[str, Any] = {"extensions": leg.extensions, "pauses": leg.pauses, "handle_due": moved}
    return _with(s, step, pending=None, body=said, **changed)


def refuse(s: Situation, _: o.Refuse, step: LegStep) -> Change:
    """The application is turned down."""
    return _with(s, step, pending=None)


def set_handler(s: Situation, order: o.SetHandler, step: LegStep) -> Change:
    """Name the person who works on it."""
    return _with(s, step, handler=order.person, body={"person": str(order.person)})


def urge(s: Situation, order: o.Urge, step: LegStep) -> Change:
    """催办, by a person or by the sweep (which names its rung)."""
    leg = _leg(s)
    said = {"step": order.step or "manual", "urges": leg.urges + 1}
    until = leg.urged_until if order.step is None else s.now
    return _with(s, step, urges=leg.urges + 1, urged_until=until, body=said)


def supervise(s: Situation, order: o.Supervise, step: LegStep) -> Change:
    """督办: a written reply is due."""
    until = due(s.now, parse_limit(order.reply_within), s.calendar)
    said = {"level": order.level, "reply_due": text_of(until)}
    return _with(s, step, supervised_at=s.now, reply_due=until, replied_at=None, body=said)


def release(s: Situation, _: o.Release, step: LegStep) -> Change:
    """解除督办."""
    return _with(s, step, supervised_at=None, reply_due=None, replied_at=None)


def reply(s: Situation, _: o.Reply, step: LegStep) -> Change:
    """The answer to an urging or to supervision (the first one counts); the case stays where it is."""
    leg = _leg(s)
    return _with(s, step, replied_at=leg.replied_at or (s.now if leg.supervised_at else None))
