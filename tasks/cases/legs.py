"""What the commands to a leg make of it: signing, handing down, working, submitting, requests and recalls; pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tasks.cases import orders as o
from tasks.cases import stages, supervision
from tasks.cases.catalogue import Limits
from tasks.cases.deadlines import due, parse_limit
from tasks.cases.lifecycle import LegStep
from tasks.cases.model import Case, Change, Leg, LegKind, LegState, Pending, State
from tasks.cases.situation import Situation, clocks_of, earliest

CALLED_LIMIT = "30 minute"
"""How soon a force called up is there, where the item sets no limit."""


def text_of(moment: datetime | None) -> str | None:
    """Return an instant as written into the trace."""
    return None if moment is None else moment.isoformat()


def handle_due(s: Situation, leg: Leg, case: Case) -> datetime | None:
    """Return when handling is due: the limit from assignment over all pauses, extended, never past parent or total."""
    own = None
    if leg.handle_limit is not None:
        pauses = (*case.pauses, *leg.pauses)
        own = due(leg.assigned_at, parse_limit(leg.handle_limit), s.calendar, pauses)
        for amount in leg.extensions:
            own = due(own, parse_limit(amount), s.calendar, pauses)  # a pause in the time added stops the clock too
    parent = None if leg.parent is None else s.find(leg.parent)
    return earliest(own, case.total_due, None if parent is None else parent.handle_due)


def reckoned(s: Situation, leg: Leg, case: Case) -> Leg:
    """Return an open leg with its dues reckoned again from its start, by the item, severity and all pauses."""
    paused = replace(s, case=replace(case, pauses=(*case.pauses, *leg.pauses)))
    sign = paused.due_of("sign", leg.assigned_at) if leg.signed_at is None else leg.sign_due
    arrive, reply = leg.arrive_due, leg.reply_due
    if leg.arrived_at is None and leg.attended_at is None:
        arrive = _due_by(paused, leg.arrive_limit or clocks_of(s.item, case).arrive, leg.assigned_at)
    if leg.supervised_at is not None and leg.replied_at is None and leg.reply_limit is not None:
        reply = _due_by(paused, leg.reply_limit, leg.supervised_at)
    moved = replace(leg, sign_due=sign, arrive_due=arrive, handle_due=handle_due(s, leg, case), reply_due=reply)
    return replace(moved, stages=stages.clocks(s, moved, case))


def _due_by(s: Situation, limit: str | None, start: datetime) -> datetime | None:
    return None if limit is None else due(start, parse_limit(limit), s.calendar, s.case.pauses)


def reckon_all(s: Situation, case: Case) -> tuple[Leg, ...]:
    """Return every open leg with its dues reckoned again, from the root down."""
    moved: dict[UUID, Leg] = {}
    for leg in sorted((leg for leg in s.legs if leg.open), key=lambda leg: leg.ordinal):
        known = replace(s, legs=tuple(moved.get(each.id, each) for each in s.legs))
        moved[leg.id] = reckoned(known, leg, case)
    return tuple(moved.values())


def under(legs: tuple[Leg, ...], old: Limits, new: Limits) -> tuple[Leg, ...]:
    """Return legs, the open ones under the limits of another item or severity; a force called up keeps its own."""
    return tuple(
        replace(leg, handle_limit=new.handle, arrive_limit=leg.arrive_limit if called else new.arrive)
        if leg.open
        else leg
        for leg in legs
        for called in (leg.arrive_limit not in (old.arrive, None),)
    )


def open_leg(
    s: Situation,
    case: Case,
    to: UUID,
    kind: LegKind,
    *,
    parent: Leg | None = None,
    assigner: UUID | None = None,
    final: bool = False,
    ahead: int = 0,
) -> Leg:
    """Return a new unsigned leg with its clocks; `ahead` counts the legs opened in the same command before it.

    Without `assigner` it is the desk's (given out by the system).
    """
    limits = clocks_of(s.item, case)
    leg = Leg(
        id=s.fresh(),
        case_id=case.id,
        ordinal=len(s.legs) + 1 + ahead,
        kind=kind,
        parent=None if parent is None else parent.id,
        assigner=assigner,
        organisation=to,
        received_at=case.received_at,
        town=case.town or "",
        assigned_at=s.now,
        sign_due=s.due_of("sign"),
        arrive_due=s.due_of("arrive"),
        arrive_limit=limits.arrive,
        handle_limit=limits.handle,
        final=final,
    )
    return replace(leg, handle_due=handle_due(s, leg, case), stages=stages.clocks(s, leg, case))


def nearest_due(before: tuple[Leg, ...], changed: tuple[Leg, ...]) -> datetime | None:
    """Return the nearest due of the legs still to be handled, once the changed ones stand for the old."""
    now = {leg.id: leg for leg in (*before, *changed)}
    return earliest(*(leg.handle_due for leg in now.values() if leg.state in (LegState.UNSIGNED, LegState.SIGNED)))


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
    above = _leg(s)
    inner = open_leg(s, s.case, order.to, LegKind.INNER, parent=above, assigner=above.organisation)
    return _with(s, step, inner, body={"opened": opened(inner)})


def ask_assist(s: Situation, order: o.AskAssist, step: LegStep) -> Change:
    """协办: an assist leg beside this one."""
    above = _leg(s)
    assist = open_leg(s, s.case, order.to, LegKind.ASSIST, parent=above, assigner=above.organisation)
    return _with(s, step, assist, body={"opened": opened(assist)})


def call_up(s: Situation, order: o.CallUp, step: LegStep) -> Change:
    """呼叫: an assist leg beside the lead's for who is on duty, with a limit to be there; the caller answers for it."""
    leg, called = _leg(s), s.found.called
    if called is None:
        raise LookupError("a call without anybody called")
    above = (s.find(leg.parent) or leg) if leg.kind is LegKind.ASSIST and leg.parent else leg
    assist = open_leg(s, s.case, called.organisation, LegKind.ASSIST, parent=above, assigner=leg.organisation)
    limit = assist.arrive_limit or CALLED_LIMIT
    there = due(s.now, parse_limit(limit), s.calendar)
    assist = replace(assist, arrive_due=there, arrive_limit=limit, handler=called.person)
    said = {"force": order.force.value, "opened": opened(assist), "arrive_due": text_of(there)}
    return _with(s, step, assist, body=said)


def record(s: Situation, order: o.Record, step: LegStep) -> Change:
    """Work done: from now on the leg cannot be returned. Feedback to the source is no work."""
    leg = _leg(s)
    worked = leg.worked or order.kind != "feedback"
    evidence = leg.evidence + len(order.evidence)
    said = {"kind": order.kind, "settled": order.settled, "evidence": [str(e.id) for e in order.evidence]}
    changed: dict[str, Any] = {"worked": worked, "evidence": evidence, "handler": leg.handler or s.actor.id}
    if order.stage is None:
        return _with(s, step, body=said, **changed)
    if (fault := stages.fault(leg, order.stage)) is not None:
        raise fault
    done = stages.marked(leg, order.stage, s.now).stages
    return _with(
        s, step, *stages.above(s, leg, order.stage), body=said | {"stage": order.stage}, stages=done, **changed
    )


def check(s: Situation, order: o.Check, step: LegStep) -> Change:
    """A point of the checklist; what is found may open a case of its own, which does not keep this one open."""
    leg = _leg(s)
    opens = () if order.finding is None else (s.fresh(),)
    points = tuple(
        replace(each, passed=order.passed, finding=opens[0] if opens else each.finding)
        if each.point == order.point
        else each
        for each in s.case.checklist
    )
    number = next(n for n, each in enumerate(points, 1) if each.point == order.point)
    said = {"point": number, "passed": order.passed, "opens": [str(each) for each in opens]}
    said |= {"evidence": [str(e.id) for e in order.evidence]}
    changed: dict[str, Any] = {"worked": True, "evidence": leg.evidence + len(order.evidence)}
    change = _with(s, step, case=replace(s.case, checklist=points), body=said, **changed)
    return replace(change, opens=opens)


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
            rating=None,  # an answer to the handling before is none to this one
            satisfied=None,
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
    pending = Pending(order.kind, order.amount, order.until, s.now)
    said = {"kind": order.kind, "amount": order.amount, "until": text_of(order.until)}
    return _with(s, step, pending=pending, body=said)


def grant(s: Situation, _: o.Grant, step: LegStep) -> Change:
    """延期 moves the due; 挂起 of the root stops all clocks, of an inner leg its own until the time granted."""
    leg = _leg(s)
    pending = leg.pending
    if pending is None:
        raise LookupError("a grant without request")
    until = pending.until
    if until is None and pending.kind == "suspension" and pending.amount is not None:
        until = s.later(s.now, parse_limit(pending.amount))
    said = {"kind": pending.kind, "amount": pending.amount, "until": text_of(until)}
    if step.case is State.SUSPENDED:
        case = replace(s.case, before=s.case.state, suspended_at=s.now, resume_at=until)
        return _with(s, step, case=case, pending=None, body=said)
    if pending.kind == "extension" and pending.amount is not None:
        leg = replace(leg, extensions=(*leg.extensions, pending.amount))
    elif until is not None and until > s.now:
        leg = replace(leg, pauses=(*leg.pauses, (s.now, until)))
    moved = reckoned(s, leg, s.case)
    said["handle_due"] = text_of(moved.handle_due)
    names = ("extensions", "pauses", "handle_due", "arrive_due", "reply_due", "stages")
    return _with(s, step, pending=None, body=said, **{name: getattr(moved, name) for name in names})


def refuse(s: Situation, _: o.Refuse, step: LegStep) -> Change:
    """The application is turned down."""
    return _with(s, step, pending=None)


def set_handler(s: Situation, order: o.SetHandler, step: LegStep) -> Change:
    """Name the person who works on it."""
    return _with(s, step, handler=order.person, body={"person": str(order.person)})


def urge(s: Situation, order: o.Urge, step: LegStep) -> Change:
    """催办, by a person or by the sweep, for every rung that is reached: an answer is expected."""
    leg = _leg(s)
    swept = s.actor.kind == "system"
    said = {"step": (order.step if swept else None) or "manual", "urges": leg.urges + 1}
    changed: dict[str, Any] = {"urges": leg.urges + 1, "urged_at": s.now}
    if swept:
        changed |= {"urged_until": s.now, "rungs": supervision.climbed(s, leg, "urge")}
    return _with(s, step, body=said, **changed)


def notify(s: Situation, order: o.Notify, step: LegStep) -> Change:
    """通报: a rung of the ladder that tells somebody and asks nothing of the leg."""
    leg = _leg(s)
    rungs = supervision.climbed(s, leg, "notify")
    return _with(s, step, urged_until=s.now, rungs=rungs, body={"step": order.step, "whom": list(order.whom)})


def supervise(s: Situation, order: o.Supervise, step: LegStep) -> Change:
    """督办: a written reply is due."""
    until = due(s.now, parse_limit(order.reply_within), s.calendar)
    leg = _leg(s)
    said = {"level": order.level, "reply_due": text_of(until), "automatic": s.actor.kind == "system"}
    began: dict[str, Any] = {"supervised_at": s.now, "reply_due": until, "replied_at": None}
    began["reply_limit"] = order.reply_within
    rungs = supervision.climbed(s, leg, "supervise")
    return _with(s, step, supervision_level=order.level, rungs=rungs, body=said, **began)


def release(s: Situation, _: o.Release, step: LegStep) -> Change:
    """解除督办."""
    ended: dict[str, Any] = dict.fromkeys(
        ("supervised_at", "reply_due", "reply_limit", "replied_at", "supervision_level")
    )
    return _with(s, step, rungs=supervision.released(s, _leg(s)), **ended)


def reply(s: Situation, _: o.Reply, step: LegStep) -> Change:
    """The answer to an urging or to supervision (the first one counts); the case stays where it is."""
    leg = _leg(s)
    replied = leg.replied_at or (s.now if leg.supervised_at else None)
    return _with(s, step, replied_at=replied, answered_at=s.now if leg.urges else leg.answered_at)
