"""Recording a visit: the visit, its evidence, the cases of its demands and the next turn, all in one transaction."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db, fact, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Invalid
from media import commands as media
from media import facts as media_facts
from media.facts import EvidenceView
from media.verdict import Expected
from visits import (
    demands,
    facts,
    questionnaire,
    round_commands,
    rounds,
    rule_commands,
    store,
    turn_commands,
    visit,
)
from visits.commands import ownership, save_household
from visits.events import VisitRecorded
from visits.households import Household
from visits.problems import HouseholdNotFound, VisitIdTaken, VisitNotFound
from visits.turn_commands import Turn
from visits.visit import Moment, Outcome, Visit, VisitReport


class Recorded(Struct, frozen=True, kw_only=True):
    """A recorded visit; `retry` is the next turn of a household that was absent."""

    visit: Visit
    retry: UUID | None = None


class VisitView(Struct, frozen=True, kw_only=True):
    """A visit and what has come of its evidence so far."""

    visit: Visit
    evidence: tuple[EvidenceView, ...]


class EvidenceLink(Struct, frozen=True):
    """An address that works for a few minutes."""

    url: str


async def record_visit(visit_id: UUID, report: VisitReport, when: Moment, actor: Actor, now: datetime) -> Recorded:
    """Record a visit with its evidence and open a case for each demand, in the caller's transaction or its own.

    Doubts are flagged, never refused. Raises Invalid with every bad field, HouseholdNotFound, QuestionnaireNotFound,
    VisitIdTaken. The same visit again changes nothing.
    """
    async with db.transaction(actor.district):
        home = await store.household(report.household, lock=True)
        scope.require(actor, "visit.record", await ownership(home), HouseholdNotFound())
        known = await store.find_visit(visit_id)
        if known is not None:
            if (known.person, known.household_id) != (actor.id, home.id):
                raise VisitIdTaken
            return Recorded(visit=known)
        await _check(report)
        turn = await turn_commands.find(report, when, actor)
        made = _visit(visit_id, report, home, turn, when, actor)
        opened = await demands.open_all(made, report, home, when, actor, now)
        made = replace(made, cases=tuple(opened))
        await store.add_visit(made, sum(opened.values()))
        await _declare(made, report, home, when, actor, now)
        await _update_household(home, made, actor, now)
        retry = await turn_commands.end(turn, made, home, now)
        who = (await round_commands.standings([actor.id], now))[actor.id]
        await fact.append(facts.of_visit(made, who, frozenset(case for case, solved in opened.items() if solved)))
        await outbox.emit(_recorded(made, now))
    return Recorded(visit=made, retry=retry)


async def _check(report: VisitReport) -> None:
    errors = visit.check(report)
    if report.questionnaire is not None and report.questionnaire_version is not None:
        form = await store.questionnaire(report.questionnaire, report.questionnaire_version)
        if report.outcome is Outcome.MET:
            errors += questionnaire.check(report.answers, form)
    if errors:
        raise Invalid(errors)


def _visit(visit_id: UUID, report: VisitReport, home: Household, turn: Turn, when: Moment, actor: Actor) -> Visit:
    start = visit.shift(report.started_at, when)
    half, _ = rounds.half_of(start)
    here = None if report.place is None else report.place.wgs84()
    return Visit(
        id=visit_id,
        household_id=home.id,
        assignment_id=turn.assignment.id if turn.assignment else None,
        round_id=turn.assignment.round_id if turn.assignment else None,
        person=actor.id,
        squad=turn.assignment.squad if turn.assignment else None,
        device=actor.device,
        companions=report.companions,
        outcome=report.outcome,
        half=half,
        started_at=start,
        ended_at=None if report.ended_at is None else visit.shift(report.ended_at, when),
        captured_at=when.captured_at,
        received_at=when.received_at,
        skew_s=when.skew_s,
        area=home.area,
        lon=here[0] if here else None,
        lat=here[1] if here else None,
        received=report.place,
        questionnaire=report.questionnaire,
        questionnaire_version=report.questionnaire_version,
        answers=report.answers,
        note=report.note,
        cases=(),
        flags=(*visit.flags(report, home, turn.assignment, actor.id, when), *turn.flags),
    )


async def _declare(
    made: Visit, report: VisitReport, home: Household, when: Moment, actor: Actor, now: datetime
) -> None:
    """Accept the visit's evidence before its bytes; what a demand names goes with its case."""
    of_cases = {each for demand in report.demands for each in demand.evidence}
    refs = [visit.corrected(each, when) for each in report.evidence if each.id not in of_cases]
    expected = Expected(lon=home.lon, lat=home.lat, limit_m=visit.FAR_M)
    await media.declare(refs, "visit", made.id, expected, actor, now)


async def _update_household(home: Household, made: Visit, actor: Actor, now: datetime) -> None:
    """Note what the visit says of the household, unless a later visit is known already."""
    if home.last_visit_at is not None and home.last_visit_at > made.started_at:
        return
    changed = replace(home, last_visit_at=made.started_at, version=home.version + 1, updated_at=now)
    match made.outcome:
        case Outcome.REFUSED:
            changed = replace(changed, refused_at=made.started_at)
        case Outcome.UNSAFE:
            rules = await rule_commands.rules()
            changed = replace(changed, unsafe_until=made.started_at + timedelta(days=rules.unsafe_days))
        case Outcome.MOVED:
            changed = replace(changed, moved_out_at=made.started_at)
        case Outcome.MET | Outcome.ABSENT:
            pass
    await save_household(changed, actor.id)


def _recorded(made: Visit, now: datetime) -> VisitRecorded:
    return VisitRecorded(
        id=new_id(),
        at=now,
        actor=made.person,
        visit_id=made.id,
        household_id=made.household_id,
        round_id=made.round_id,
        person=made.person,
        outcome=made.outcome.value,
        half=made.half.value,
        cases=made.cases,
    )


async def get_visit(visit_id: UUID, actor: Actor) -> Visit:
    """Return a visit; VisitNotFound when it is not the actor's."""
    async with db.transaction(actor.district):
        found = await store.visit(visit_id)
        persons = frozenset({found.person, *found.companions})
        owner = scope.Ownership(area=found.area, persons=persons)
        scope.require(actor, "visit.read", owner, VisitNotFound())
    return found


async def show_visit(visit_id: UUID, actor: Actor) -> VisitView:
    """Return a visit with its evidence; VisitNotFound when it is not the actor's."""
    found = await get_visit(visit_id, actor)
    async with db.transaction(actor.district):
        evidence = await media_facts.of([visit_id])
    return VisitView(visit=found, evidence=tuple(evidence[visit_id]))


async def evidence_link(visit_id: UUID, evidence_id: UUID, variant: str, actor: Actor, now: datetime) -> EvidenceLink:
    """Return a short-lived link to a piece of the visit's evidence; VisitNotFound when it is not the actor's."""
    shown = await show_visit(visit_id, actor)
    if evidence_id not in {each.id for each in shown.evidence}:
        raise VisitNotFound
    return EvidenceLink(media.signed_url(evidence_id, variant, now, actor.district))


async def list_visits(
    actor: Actor, round_id: UUID | None, household_id: UUID | None, before: UUID | None, limit: int
) -> list[Visit]:
    """Return the actor's visits, newest first."""
    reach = scope.require_any(actor, "visit.read")
    async with db.transaction(actor.district):
        return await store.visits(reach, round_id, household_id, before, limit)
