"""From a report to the first rows of a case: received, and where routing is sure accepted and assigned too; pure."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from app.kernel.actor import Actor, system
from app.kernel.event import Event
from app.kernel.fact import Fact
from grid.cells import Located
from grid.organisations import Directory
from tasks.cases import facts, trace
from tasks.cases import orders as o
from tasks.cases.catalogue import Item
from tasks.cases.deadlines import Calendar
from tasks.cases.effects import decide
from tasks.cases.events import CaseOpened
from tasks.cases.journal import Done, EventRow, Makers, TextRow, closed, event_row, merged, seal
from tasks.cases.model import Case, CheckPoint, Leg, LegKind, LegState, State
from tasks.cases.report import Report, Solved, title_of
from tasks.cases.routing import Decision, RoutingCase, route
from tasks.cases.rules_compiled import RuleSet
from tasks.cases.situation import Situation, desk_of


class World(Struct, frozen=True, kw_only=True):
    """What openings of one transaction share."""

    actor: Actor
    now: datetime
    directory: Directory
    rules: RuleSet
    calendar: Calendar
    makers: Makers


class Opened(Struct, frozen=True, kw_only=True):
    """All rows of one new case."""

    case: Case
    legs: tuple[Leg, ...]
    events: tuple[EventRow, ...]
    texts: tuple[TextRow, ...]
    record: dict[str, Any]
    salt: str
    facts: tuple[Fact, ...]
    messages: tuple[Event, ...]
    decision: Decision


def _named_desk(report: Report, world: World) -> UUID | None:
    """Return the desk that is named: as said, else the clerk's own centre; none that is complained about."""
    own = (m.organisation for m in world.actor.memberships if m.role == "town_centre")
    named = report.desk or next((each for each in own if each is not None), None)
    return None if named in _biased(report, world) else named


def _biased(report: Report, world: World) -> frozenset[UUID]:
    return world.directory.line_of_all(report.complained_about)


def _desk(report: Report, named: UUID | None, town: str | None, world: World) -> UUID | None:
    """Return the desk that owns the case as it comes in: the one named, else the district's; none complained about."""
    centre = world.directory.centre()
    own = named or (None if centre is None else centre.id)
    return desk_of(own, town, _biased(report, world), world.directory)


def received(report: Report, item: Item, number: str, located: Located | None, world: World) -> Case:
    """Return the case as it comes in."""
    point = None if report.place is None else report.place.wgs84()
    cell = None if located is None else located.cell
    return Case(
        id=report.id or world.makers.fresh(),
        number=number,
        title=title_of(report, item.name),
        address=report.address,
        state=State.RECEIVED,
        item=item.code,
        item_version=item.version,
        severity=report.severity or item.severity,
        source=report.source,
        external_id=report.external_id,
        reporter_kind=report.reporter.kind,
        reporter=report.reporter.id,
        sender=report.sender or min(world.actor.organisations, default=None),
        desk=_desk(report, _named_desk(report, world), None if cell is None else cell[:9], world),
        area=cell or world.actor.district,
        town=None if cell is None else cell[:9],
        cell=cell,
        lon=None if point is None else point[0],
        lat=None if point is None else point[1],
        parent=report.parent,
        origin=report.origin,
        complained_about=report.complained_about,
        checklist=tuple(CheckPoint(point=each) for each in report.checklist),
        signal=report.signal,
        received_at=world.now,
    )


def _routing_case(report: Report, case: Case, item: Item, located: Located | None, desk: UUID | None) -> RoutingCase:
    return RoutingCase(
        item=case.item,
        entry=item,
        source=case.source,
        severity=case.severity,
        area=case.area,
        place="none" if located is None else located.reason,
        words=f"{case.title}\n{report.description}",
        attributes=report.attributes,
        sender=case.sender,
        desk=desk,
        complained_about=frozenset(report.complained_about),
        unsorted=report.unsorted,
    )


def decision_of(report: Report, case: Case, item: Item, located: Located | None, world: World) -> Decision:
    """Return where the case goes: a channel's hint first, then the rules."""
    asked = _routing_case(report, case, item, located, _named_desk(report, world))
    decision = route(asked, world.rules, world.directory, world.now, world.calendar)
    hinted = None if report.lead is None else world.directory.current(report.lead)
    if hinted is None:
        return decision
    if hinted.id in (biased := _biased(report, world)):
        zh, en = decision.explanation.reason
        left_out = (
            f"来源指定的{hinted.name}是被投诉单位，回避；",
            f"{hinted.name}, named by the source, is complained about; ",
        )
        said = replace(decision.explanation, reason=(left_out[0] + zh, left_out[1] + en))
        return replace(decision, explanation=said)
    reason = (f"来源指定：{hinted.name}", f"named by the source: {hinted.name}")
    others = tuple(each for each in report.assistants if each not in (hinted.id, *biased))
    explanation = replace(decision.explanation, reason=reason)
    return replace(decision, lead=hinted.id, assistants=others, limits={}, rule="hint", explanation=explanation)


def _received_event(report: Report, case: Case, salt: str, world: World) -> trace.Link:
    said: dict[str, Any] = {
        "item": case.item,
        "item_version": case.item_version,
        "severity": case.severity.value,
        "source": case.source,
        "external_id": case.external_id,
        "cell": case.cell,
        "reporter_kind": case.reporter_kind,
        "evidence": [str(each.id) for each in report.evidence],
    }
    texts = {
        "title": case.title,
        "description": report.description,
        "address": report.address,
        "place": "" if report.place is None else f"{report.place.lon:.7f},{report.place.lat:.7f},{report.place.datum}",
        "contact": f"{report.reporter.name or ''}\n{report.reporter.phone or ''}".strip(),
        "attributes": trace.canonical(report.attributes).decode() if report.attributes else "",
    }
    algorithm = world.makers.algorithm
    said |= {field: trace.sealed_text(text, salt, algorithm) for field, text in texts.items() if text}
    at = world.now
    organisation = case.sender
    return trace.seal(
        trace.Head(),
        trace.Entry(case=case.id, at=at, actor=world.actor.id, organisation=organisation, type="received", body=said),
        algorithm,
    )


def _situation(case: Case, legs: tuple[Leg, ...], item: Item, actor: Actor, world: World) -> Situation:
    return Situation(
        case=case,
        legs=legs,
        item=item,
        actor=actor,
        now=world.now,
        calendar=world.calendar,
        fresh=world.makers.fresh,
        last_lead_now=case.last_lead,
        directory=world.directory,
    )


def _step(
    done: list[Done], order: o.Order, item: Item, actor: Actor, case: Case, legs: tuple[Leg, ...], world: World
) -> Done:
    aimed, _, change = decide(_situation(case, legs, item, actor, world), order)
    step = Done(before=aimed, order=order, change=change)
    done.append(step)
    return step


def _for_system(solved: Solved, item: Item, case: Case) -> bool:
    """Whether the system verifies it: all but the item's sample, which the case's id draws and nobody can choose."""
    if solved.verified_by_system is not None:
        return solved.verified_by_system
    drawn = int.from_bytes(sha256(case.id.bytes).digest()[:4]) / 2**32
    return drawn >= item.solved_sample


def _solved(report: Report, case: Case, item: Item, world: World) -> tuple[Case, tuple[Leg, ...]]:
    """Return an `OpenSolved` case: accepted, handled, with the solver's leg submitted."""
    solved = report.solved
    if solved is None:
        raise LookupError("not a solved report")
    at = world.now
    leg = Leg(
        id=world.makers.fresh(),
        case_id=case.id,
        ordinal=1,
        kind=LegKind.ROOT,
        organisation=solved.organisation,
        received_at=case.received_at,
        town=case.town or "",
        state=LegState.SUBMITTED,
        assigned_at=at,
        signed_at=at,
        signer=solved.person,
        handler=solved.person,
        arrived_at=at,
        worked=True,
        evidence=len(report.evidence),
        submitted_at=at,
        submitter=solved.person,
        done_at=at,
        result="solved",
    )
    stamps = dict.fromkeys(("accepted_at", "assigned_at", "handled_at", "clock_from"), at)
    handled = replace(case, state=State.HANDLED, outcome="solved", solved_at_once=True, **stamps)
    s = _situation(handled, (leg,), item, world.actor, world)
    return replace(handled, verify_due=s.due_of("verify")), (leg,)


def open_one(report: Report, item: Item, number: str, located: Located | None, world: World) -> Opened:
    """Return the rows of a new case: routed by `system` where the rules decide, else waiting at its desk."""
    salt = world.makers.salt()
    case = received(report, item, number, located, world)
    decision = decision_of(report, case, item, located, world)
    if decision.lead is None:
        case = replace(case, desk=_desk(report, decision.desk, case.town, world))
    case = replace(case, limits=decision.limits)
    first = _received_event(report, case, salt, world)
    router, done = system(world.actor.district, "router"), list[Done]()
    legs: tuple[Leg, ...] = ()
    if report.solved is not None:
        case, legs = _solved(report, case, item, world)
        if _for_system(report.solved, item, case):
            step = _step(done, o.Verify(passed=True), item, router, case, legs, world)
            case, legs = step.change.case, merged(legs, step.change.legs)
    elif decision.lead is not None:
        case = _step(done, o.Accept(), item, router, case, (), world).change.case
        order = o.Assign(to=decision.lead, assistants=decision.assistants)
        step = _step(done, order, item, router, case, (), world)
        said = step.change.body | {"rule": decision.rule}
        done[-1] = replace(step, change=replace(step.change, body=said))
        case, legs = step.change.case, step.change.legs
    sealed = seal(trace.Head(first.seq, first.hash), done, world.makers)
    case = replace(case, trace_seq=sealed.head.seq, trace_hash=sealed.head.hash)
    return Opened(
        case=case,
        legs=legs,
        events=(event_row(first, world.makers.fresh()), *sealed.events),
        texts=_result_text(report, case, sealed.events, world) + sealed.texts,
        record=_record(report, case, located, decision),
        salt=salt,
        facts=tuple(_facts(report, case, legs, done, world)),
        messages=tuple(_messages(case, legs, world)),
        decision=decision,
    )


def _result_text(report: Report, case: Case, events: tuple[EventRow, ...], world: World) -> tuple[TextRow, ...]:
    if report.solved is None or not report.solved.result or not events:
        return ()
    makers = world.makers
    return (
        TextRow(
            id=makers.fresh(),
            case_id=case.id,
            event=events[0].id,
            field="result",
            public=True,
            salt=makers.salt(),
            text=report.solved.result,
        ),
    )


def _record(report: Report, case: Case, located: Located | None, decision: Decision) -> dict[str, Any]:
    place = report.place
    explained = msgspec.to_builtins(decision.explanation) | {
        "rule": decision.rule,
        "lead": None if decision.lead is None else str(decision.lead),
        "limits": decision.limits,
        "place": "none" if located is None else located.reason,
    }
    if report.unsorted:
        explained["unsorted"] = True
    return asdict(case) | {
        "description": report.description,
        "attributes": report.attributes,
        "raw_lon": None if place is None else place.lon,
        "raw_lat": None if place is None else place.lat,
        "datum": None if place is None else place.datum.value,
        "accuracy_m": None if place is None else place.accuracy_m,
        "occurred_at": report.occurred_at,
        "routing": explained,
    }


def _facts(report: Report, case: Case, legs: tuple[Leg, ...], done: list[Done], world: World) -> list[Fact]:
    found = [each for leg in legs for each in facts.of_new_leg(leg, case, world.now, world.directory)]
    if report.solved is not None:
        for step in done:
            found += [fact for fact in facts.of(step, world.directory) if fact.kind != "case"]
    if report.reporter.kind == "worker":
        found.append(facts.of_report(case, world.now, world.directory))
    return facts.latest(found)


def _messages(case: Case, legs: tuple[Leg, ...], world: World) -> list[Event]:
    fresh = world.makers.fresh
    told: list[Event] = [
        CaseOpened(
            id=fresh(),
            at=world.now,
            actor=world.actor.id,
            case=case.id,
            number=case.number,
            item=case.item,
            severity=case.severity.value,
            source=case.source,
            external_id=case.external_id,
            state=case.state.value,
            lead=legs[0].organisation if legs else None,
            area=case.area,
            lon=case.lon,
            lat=case.lat,
            version=case.version,
        )
    ]
    if case.state is State.CLOSED:
        told.append(closed(case, world.now, world.actor, fresh()))
    return told
