"""Recording visits: what each outcome does to the household and its next turn."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.ids import new_id
from app.kernel.problem import Invalid
from tests.visits import stage
from tests.visits.stage import EVENING, MORNING, Stage
from visits import commands, round_commands, store, visit_commands
from visits.problems import HouseholdNotFound, QuestionnaireNotFound, VisitIdTaken, VisitNotFound
from visits.proposal import MemberChoice, PlanRequest
from visits.rounds import Assignment, AssignmentState, Half, Round, Target
from visits.visit import Demand, Outcome, VisitReport, moment
from visits.visit_commands import Recorded


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def record(on: Stage, report: VisitReport, **changes: object) -> Recorded:
    visit_id = changes.pop("id", None) or new_id()
    actor = changes.pop("actor", on.worker.actor)
    when = moment(report.started_at, timedelta(), EVENING + timedelta(minutes=30))
    return await visit_commands.record_visit(visit_id, report, when, actor, when.received_at)  # type: ignore[arg-type]


def report(on: Stage, **changes: object) -> VisitReport:
    plain = VisitReport(household=on.homes[0], outcome=Outcome.MET, started_at=EVENING)
    return replace(plain, **changes)


async def test_each_outcome_leaves_its_mark_on_the_household(on: Stage) -> None:
    for home, outcome in zip(on.homes, [Outcome.REFUSED, Outcome.UNSAFE, Outcome.MOVED, Outcome.MET], strict=True):
        await record(on, report(on, household=home, outcome=outcome))
    refused, unsafe, moved, met = [await store.household(home) for home in on.homes]
    assert refused.refused_at == EVENING
    assert unsafe.unsafe_until == EVENING + timedelta(days=30)
    assert moved.moved_out_at == EVENING
    assert (met.last_visit_at, met.version) == (EVENING, 2)


async def test_a_visit_that_arrives_late_does_not_overrule_a_newer_one(on: Stage) -> None:
    await record(on, report(on))
    await record(on, report(on, outcome=Outcome.MOVED, started_at=EVENING - timedelta(days=3)))
    home = await store.household(on.homes[0])
    assert (home.moved_out_at, home.last_visit_at) == (None, EVENING)
    assert await db.fetchval("select count(*) from visit") == 2


async def test_an_absent_household_is_tried_again_on_the_other_half_of_the_day_once(on: Stage) -> None:
    round_ = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    mine = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    await round_commands.assign(round_.id, mine, on.leader.actor, MORNING)
    first = await record(on, report(on, outcome=Outcome.ABSENT))
    turns = {each.id: each for each in await round_commands.list_assignments(round_.id, None, on.leader.actor)}
    assert first.retry is not None
    retry = turns[first.retry]
    assert (retry.half, retry.state, retry.person) == (Half.DAY, AssignmentState.PLANNED, on.worker.actor.id)
    assert retry.retry_of == first.visit.assignment_id
    second = await record(on, report(on, outcome=Outcome.ABSENT, started_at=EVENING + timedelta(hours=15)))
    assert (second.visit.assignment_id, second.visit.half, second.retry) == (retry.id, Half.DAY, None)
    due = await db.fetch("select version, done_at from fact where fact_id = $1", f"assignment:{retry.id}")
    assert [(row["version"], row["done_at"]) for row in due] == [(1, None), (2, None)]


async def test_a_household_that_was_met_is_a_due_visit_that_is_done(on: Stage) -> None:
    round_ = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    mine = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    await round_commands.assign(round_.id, mine, on.leader.actor, MORNING)
    made = await record(on, report(on))
    fact = await db.fetchrow(
        "select done_at, due_at, team, force from fact where fact_id = $1 order by version desc limit 1",
        f"assignment:{made.visit.assignment_id}",
    )
    assert fact is not None
    assert tuple(fact) == (EVENING, EVENING + timedelta(days=4, hours=2), str(on.team), "grid")


async def test_the_same_visit_again_changes_nothing_and_its_id_belongs_to_it(on: Stage) -> None:
    visit_id = new_id()
    first = await record(on, report(on), id=visit_id)
    assert (await record(on, report(on), id=visit_id)).visit == first.visit
    with pytest.raises(VisitIdTaken):
        await record(on, report(on, household=on.homes[1]), id=visit_id)
    assert await db.fetchval("select count(*) from visit") == 1


async def test_answers_are_checked_against_the_version_they_were_given_to(on: Stage) -> None:
    with pytest.raises(QuestionnaireNotFound):
        await record(on, report(on, questionnaire="night", questionnaire_version=2, answers={"gas_safe": True}))
    with pytest.raises(Invalid) as refused:
        await record(on, report(on, questionnaire="night", questionnaire_version=1, answers={"other": 1}))
    assert [error.field for error in refused.value.errors] == ["answers.gas_safe", "answers.other"]
    absent = report(on, outcome=Outcome.ABSENT, questionnaire="night", questionnaire_version=1)
    assert (await record(on, absent)).visit.outcome is Outcome.ABSENT


async def test_what_is_refused_leaves_nothing_behind(on: Stage) -> None:
    with pytest.raises(HouseholdNotFound):
        await record(on, report(on), actor=on.outsider.actor)
    assert await db.fetchval("select count(*) from visit") == 0
    assert (await commands.get_household(on.homes[0], on.leader.actor)).version == 1


async def test_a_visit_is_read_by_its_person_and_those_above_only(on: Stage) -> None:
    made = (await record(on, report(on))).visit
    assert (await visit_commands.show_visit(made.id, on.worker.actor)).visit == made
    assert (await visit_commands.show_visit(made.id, on.leader.actor)).visit == made
    assert [each.id for each in await visit_commands.list_visits(on.leader.actor, None, None, None, 10)] == [made.id]
    for stranger in (on.other.actor, on.outsider.actor):
        with pytest.raises(VisitNotFound):
            await visit_commands.show_visit(made.id, stranger)
        assert await visit_commands.list_visits(stranger, None, None, None, 10) == []
    with pytest.raises(VisitNotFound):
        await visit_commands.evidence_link(made.id, new_id(), "320", on.worker.actor, EVENING)


async def test_whether_what_was_solved_at_the_door_is_looked_at_by_others_is_not_for_the_phone_to_choose(
    on: Stage,
) -> None:
    ids = [UUID(int=new_id().int // 10 * 10) for _ in range(20)]  # what a phone could try
    demands = tuple(Demand(id=each, text="演示", solved="当场解决（演示）") for each in ids)
    await record(on, report(on, demands=demands))
    states = Counter(row["state"] for row in await db.fetch("select state from cases"))
    assert states.total() == 20
    assert states["closed"] > 0, "not all twenty are of the sample"


async def turns(on: Stage, *rounds: Round) -> list[Assignment]:
    lists = [await round_commands.list_assignments(each.id, None, on.leader.actor) for each in rounds]
    return [turn for each in lists for turn in each]


async def given_out(on: Stage, **changes: object) -> Round:
    round_ = await round_commands.plan_round(stage.new_round(on, **changes), on.leader.actor, MORNING)
    mine = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    return await round_commands.assign(round_.id, mine, on.leader.actor, MORNING)


async def test_a_retry_passes_over_evenings_that_are_full_and_waits_when_all_are(on: Stage) -> None:
    one = Target(area=stage.VILLAGE, households=on.homes[:1])
    three = Target(area=stage.VILLAGE, households=on.homes[1:])
    tuesday, wednesday = date(2026, 11, 24), date(2026, 11, 25)
    short = await given_out(on, target=one, per_evening=3, ends_on=wednesday)
    await given_out(on, target=three, per_evening=3, starts_on=tuesday, ends_on=tuesday)  # Tuesday is full
    made = await record(on, report(on, outcome=Outcome.ABSENT))
    [retry] = [each for each in await turns(on, short) if each.id == made.retry]
    assert (retry.half, retry.planned_on, retry.person) == (Half.DAY, wednesday, on.worker.actor.id)


async def test_a_retry_after_the_last_evening_waits_for_people_to_plan(on: Stage) -> None:
    round_ = await given_out(on, target=Target(area=stage.VILLAGE, households=on.homes[:1]), ends_on=date(2026, 11, 23))
    made = await record(on, report(on, outcome=Outcome.ABSENT))
    [retry] = [each for each in await turns(on, round_) if each.id == made.retry]
    assert (retry.half, retry.planned_on, retry.state) == (Half.DAY, None, AssignmentState.PLANNED)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.MOVED, Outcome.UNSAFE])
async def test_nobody_comes_again_to_who_refused_moved_or_was_dangerous(on: Stage, outcome: Outcome) -> None:
    rounds = [await given_out(on, per_evening=60), await given_out(on, kind=Half.DAY, per_evening=60)]
    await record(on, report(on, outcome=outcome))
    mine = [each for each in await turns(on, *rounds) if each.household_id == on.homes[0]]
    assert Counter(each.state for each in mine) == {AssignmentState.DONE: 1, AssignmentState.CANCELLED: 1}
    [gone] = [each for each in mine if each.state is AssignmentState.CANCELLED]
    [removed] = await db.fetch("select body from change where entity = $1 and body is null", str(gone.id))
    assert removed["body"] is None
    fact = await db.fetchrow(
        "select attributes from fact where fact_id = $1 order by version desc", f"assignment:{gone.id}"
    )
    assert fact is not None
    assert fact["attributes"]["cancelled"]
    others = [each for each in await turns(on, *rounds) if each.household_id != on.homes[0]]
    assert {each.state for each in others} == {AssignmentState.PLANNED}


async def test_an_old_refusal_that_arrives_late_ends_no_plan(on: Stage) -> None:
    await record(on, report(on))
    round_ = await given_out(on, target=Target(area=stage.VILLAGE, households=on.homes[:1]))
    late = report(on, outcome=Outcome.REFUSED, started_at=EVENING - timedelta(days=3), assignment=new_id())
    await record(on, late)
    assert {each.state for each in await turns(on, round_)} == {AssignmentState.PLANNED}
