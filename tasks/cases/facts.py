"""The facts of cases that scoring reads: one for every step that counts, for whoever's turn it was; pure.

A fact about a leg keeps its id; its version is the case's, so that later ones replace it. What was taken back
(returned, recalled, waived) keeps its fact but without due and done: it is in nobody's ratio.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.kernel.fact import Fact
from grid.organisations import Directory, Kind
from tasks.cases import orders as o
from tasks.cases.journal import Done, merged
from tasks.cases.model import Case, Leg, LegKind, LegState, State

TAKEN_BACK = frozenset({LegState.RETURNED, LegState.WAIVED, LegState.RECALLED})


def subject(organisation: UUID | None, person: UUID | None, directory: Directory) -> dict[str, Any]:
    """Return for whom a leg's fact counts: its force, unit, team or department and town, ids as text."""
    found: dict[str, Any] = dict.fromkeys(("force", "force_unit", "team", "department", "town"))
    here = None if organisation is None else directory.get(organisation)
    found["town"] = here.area[:9] if here is not None and len(here.area) >= 9 else None
    seen: set[UUID] = set()
    while here is not None and here.id not in seen:
        seen.add(here.id)
        found["force"] = found["force"] or (None if here.force is None else here.force.value)
        level = {Kind.TEAM: "team", Kind.FORCE_UNIT: "force_unit", Kind.DEPARTMENT: "department"}.get(here.kind)
        if level is not None:
            found[level] = found[level] or str(here.id)
        here = None if here.parent is None else directory.get(here.parent)
    found["person"] = None if person is None else str(person)
    return found


def _about(case: Case) -> dict[str, Any]:
    return {"case": str(case.id), "number": case.number, "source": case.source}


def _leg_fact(
    kind: str,
    leg: Leg,
    case: Case,
    now: datetime,
    directory: Directory,
    *,
    due_at: datetime | None = None,
    done_at: datetime | None = None,
    occurred_at: datetime | None = None,
    name: str | None = None,
    **attributes: Any,
) -> Fact:
    return Fact(
        fact_id=name or f"{kind}:{leg.id}",
        version=case.version,
        kind=kind,
        item=case.item,
        occurred_at=occurred_at or leg.assigned_at,
        due_at=due_at,
        done_at=done_at,
        attributes=_about(case) | {"leg": leg.kind.value, **attributes},
        recorded_at=now,
        **subject(leg.organisation, leg.handler or leg.signer, directory),
    )


def turn(leg: Leg, case: Case, now: datetime, directory: Directory) -> Fact:
    """Return the fact of a turn (kind `case`, or `assistance`): in time or not, reworked or not, deferred or not."""
    void = leg.state in TAKEN_BACK and not (leg.state is LegState.RECALLED and leg.submitted_at)
    reworks = leg.reworks + (1 if leg.state is LegState.RECALLED and leg.submitted_at else 0)
    kind = "assistance" if leg.kind is LegKind.ASSIST else "case"
    more: dict[str, Any] = {"reworks": reworks, "deferred": bool(leg.extensions or leg.pauses or case.pauses)}
    if case.rating is not None and leg.submitted_at is not None:
        more |= {"answered": True, "satisfied": bool(case.satisfied)}
    return _leg_fact(
        kind,
        leg,
        case,
        now,
        directory,
        due_at=None if void else leg.handle_due,
        done_at=None if void else leg.done_at,
        ended=leg.state.value if void else None,
        outcome=leg.result,
        **more,
    )


def clocks(leg: Leg, case: Case, now: datetime, directory: Directory) -> list[Fact]:
    """Return the facts of signing and of being there, from the moment they are due: who never comes counts too."""
    void = leg.state in TAKEN_BACK
    there = ("attendance", leg.attended_at) if leg.kind is LegKind.ASSIST else ("arrival", leg.arrived_at)
    found: list[Fact] = []
    for (kind, done_at), due_at in ((("signing", leg.signed_at), leg.sign_due), (there, leg.arrive_due)):
        if due_at is not None or done_at is not None:
            due = None if void and done_at is None else due_at
            found.append(_leg_fact(kind, leg, case, now, directory, due_at=due, done_at=done_at))
    return found


def of_new_leg(leg: Leg, case: Case, now: datetime, directory: Directory) -> list[Fact]:
    """Return the facts of a turn that has just begun."""
    return [turn(leg, case, now, directory), *clocks(leg, case, now, directory)]


def _return(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    case, at = done.change.case, done.before.now
    return [_leg_fact("return", leg, case, at, directory, occurred_at=at, founded=None, returns=case.returns)]


def _record(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    order, case, at = done.order, done.change.case, done.before.now
    if not isinstance(order, o.Record) or order.kind == "progress":
        return []
    name = f"{order.kind}:{leg.id}:{case.version}"
    return [
        _leg_fact(order.kind, leg, case, at, directory, name=name, occurred_at=at, done_at=at, settled=order.settled)
    ]


def _extension(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    case, at = done.change.case, done.before.now
    granted = isinstance(done.order, o.Grant)
    pending = done.before.leg.pending if done.before.leg else None
    kind = "extension" if pending is None else pending.kind
    name = f"{kind}:{leg.id}:{case.version}"
    return [_leg_fact(kind, leg, case, at, directory, name=name, occurred_at=at, granted=granted)]


def _urge(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    case, at = done.change.case, done.before.now
    order = done.order
    step = order.step if isinstance(order, o.Urge) else None
    name = f"urge:{leg.id}:{leg.urges}"
    automatic = done.before.actor.kind == "system"
    return [_leg_fact("urge", leg, case, at, directory, name=name, occurred_at=at, step=step, automatic=automatic)]


def _supervision(leg: Leg, case: Case, at: datetime, directory: Directory, **said: Any) -> Fact:
    """Return the fact of a supervision: a reply due, and when it came."""
    began = leg.supervised_at or at
    name = f"supervision:{leg.id}:{began.isoformat()}"
    when = {"occurred_at": began, "due_at": leg.reply_due, "done_at": leg.replied_at}
    return _leg_fact("supervision", leg, case, at, directory, name=name, **when, **said)


def _supervise(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    level = done.order.level if isinstance(done.order, o.Supervise) else None
    return [_supervision(leg, done.change.case, done.before.now, directory, level=level)]


def _reply(done: Done, leg: Leg, directory: Directory) -> list[Fact]:
    case, at = done.change.case, done.before.now
    found: list[Fact] = []
    if leg.urges:
        name = f"urge:{leg.id}:{leg.urges}"
        when = {"occurred_at": at, "done_at": at}
        found.append(_leg_fact("urge", leg, case, at, directory, name=name, replied=True, **when))
    if leg.supervised_at is not None:
        found.append(_supervision(leg, case, at, directory))
    return found


_OF_LEG: dict[type[o.Order], Callable[[Done, Leg, Directory], list[Fact]]] = {
    o.Return: _return, o.Record: _record, o.Grant: _extension, o.Refuse: _extension, o.Urge: _urge,
    o.Supervise: _supervise, o.Reply: _reply,
}  # fmt: skip


def _chain(done: Done) -> list[Leg]:
    """Return the newest root leg and the inner legs that did its work."""
    legs = merged(done.before.legs, done.change.legs)
    roots = [leg for leg in done.before.legs if leg.kind is LegKind.ROOT]
    if not roots:
        return []
    root = max(roots, key=lambda leg: leg.ordinal)
    return [
        leg for leg in legs if leg.id == root.id or (leg.kind is LegKind.INNER and leg.assigned_at >= root.assigned_at)
    ]


def _of_case(done: Done, directory: Directory) -> list[Fact]:
    """Return the facts of verification, call-back and ruling: for every turn in the chain that did the work."""
    order, case, at = done.order, done.change.case, done.before.now
    if isinstance(order, o.Verify):
        said: dict[str, Any] = {"passed": order.passed, "by_system": done.before.actor.kind == "system"}
        kind, due_at = "verification", done.before.case.verify_due
    elif isinstance(order, o.Rate | o.CloseUnrated):
        score = order.score if isinstance(order, o.Rate) else None
        said = {"answered": score is not None, "satisfied": score is not None and score >= 3, "score": score}
        kind, due_at = "survey", done.before.case.call_back_due
    elif isinstance(order, o.ReviewDossier):
        said = {"passed": all(order.checklist.values()), "points": len(order.checklist)}
        said |= {"faults": [point.value for point, passed in sorted(order.checklist.items()) if not passed]}
        kind, due_at = "review", None
    else:
        return _ruled(done, directory) if isinstance(order, o.Rule) else []
    said |= {"occurred_at": at, "due_at": due_at, "done_at": at}
    return [
        _leg_fact(kind, leg, case, at, directory, name=f"{kind}:{leg.id}:{case.version}", **said)
        for leg in _chain(done)
        if leg.state not in TAKEN_BACK or leg.submitted_at
    ]


def _ruled(done: Done, directory: Directory) -> list[Fact]:
    """Return the returns as the ruling judged them: unfounded where it says so, or where the work came back to them."""
    order, case, at = done.order, done.change.case, done.before.now
    if not isinstance(order, o.Rule):
        return []
    returned = [leg for leg in done.before.legs if leg.kind is LegKind.ROOT and leg.state is LegState.RETURNED]
    founded = {leg.id: order.returned_rightly and leg.organisation != order.to for leg in returned}
    return [
        _leg_fact("return", leg, case, at, directory, occurred_at=leg.done_at, founded=founded[leg.id])
        for leg in returned
    ]


_TURN = ("state", "handle_due", "done_at", "reworks", "extensions", "pauses", "handler")
_CLOCKS = ("state", "signed_at", "arrived_at", "attended_at", "handler")


def _of_legs(done: Done, directory: Directory) -> list[Fact]:
    """Return the facts of every turn the step touched, where it touched what they say."""
    case, at = done.change.case, done.before.now
    found: list[Fact] = []
    for leg in done.change.legs:
        old = done.before.find(leg.id)
        if old is None or any(getattr(old, name) != getattr(leg, name) for name in _TURN):
            found.append(turn(leg, case, at, directory))
        if old is None or any(getattr(old, name) != getattr(leg, name) for name in _CLOCKS):
            found += clocks(leg, case, at, directory)
    return found


def of(done: Done, directory: Directory) -> list[Fact]:
    """Return the facts one step leaves."""
    case, at, leg = done.change.case, done.before.now, done.before.leg
    found = _of_legs(done, directory)
    if isinstance(done.order, o.Reject) and case.reporter_kind == "worker":
        found.append(of_report(case, at, directory))
    maker = _OF_LEG.get(type(done.order))
    if leg is not None and maker is not None:
        now = next((each for each in done.change.legs if each.id == leg.id), leg)
        found += maker(done, now, directory)
    if case.rating is not None and done.before.case.rating is None:
        told = {fact.fact_id for fact in found}
        found += [t for each in _chain(done) if (t := turn(each, case, at, directory)).fact_id not in told]
    return found + _of_case(done, directory)


def of_report(case: Case, now: datetime, directory: Directory) -> Fact:
    """Return the fact of a matter reported by a worker: valid until it is rejected."""
    return Fact(
        fact_id=f"report:{case.id}",
        version=case.version,
        kind="report",
        item=case.item,
        occurred_at=case.received_at,
        attributes=_about(case) | {"valid": case.state is not State.REJECTED},
        recorded_at=now,
        **subject(case.sender, case.reporter, directory),
    )


def latest(facts: Sequence[Fact]) -> list[Fact]:
    """Return one fact per id and version: the last said."""
    return list({(fact.fact_id, fact.version): fact for fact in facts}.values())
