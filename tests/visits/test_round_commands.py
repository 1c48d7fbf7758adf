"""Rounds as a squad leader plans them."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from app.kernel import changes, db
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from tests.visits import stage
from tests.visits.stage import EVENING, MORNING, Stage
from visits import map_commands, round_commands, visit_commands
from visits.coverage import Level
from visits.problems import RoundNotFound, RoundRefuses
from visits.proposal import ByHand, MemberChoice, PlanRequest, Reassign
from visits.rounds import AssignmentState, Half, Round, RoundState, Target
from visits.visit import Outcome, VisitReport, moment


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def planned(on: Stage, **changes_: object) -> Round:
    return await round_commands.plan_round(stage.new_round(on, **changes_), on.leader.actor, MORNING)


async def bucket(name: str) -> list[changes.Change]:
    await changes.assign_positions()
    return await changes.read(name, 0, 1000)


async def test_a_preview_shows_the_lists_and_changes_nothing(on: Stage) -> None:
    round_ = await planned(on)
    preview = await round_commands.preview(round_.id, stage.everything(), on.leader.actor, MORNING)
    assert preview.households == 4
    assert sorted(preview.per_member.values()) == [2, 2]
    assert preview.minutes_per_member[on.worker.actor.id] == 24
    assert await round_commands.list_assignments(round_.id, None, on.leader.actor) == []
    assert (await round_commands.get_round(round_.id, on.leader.actor)).state is RoundState.DRAFT


async def test_assigning_gives_everybody_a_list_on_their_phone_only(on: Stage) -> None:
    round_ = await planned(on)
    published = await round_commands.assign(round_.id, stage.everything(), on.leader.actor, MORNING)
    assert (published.state, published.version) == (RoundState.PUBLISHED, 2)
    lists = await round_commands.list_assignments(round_.id, None, on.leader.actor)
    assert sorted(each.household_id for each in lists) == sorted(on.homes)
    assert [each.id for each in await round_commands.list_rounds(on.worker.actor, None, 10)] == [round_.id]
    assert (await round_commands.get_round(round_.id, on.worker.actor)).id == round_.id
    own = await round_commands.list_assignments(round_.id, on.other.actor.id, on.worker.actor)
    assert {each.person for each in own} == {on.worker.actor.id}
    for who in (on.worker, on.other):
        mine = {str(each.id) for each in lists if each.person == who.actor.id}
        assert {change.entity for change in await bucket(f"person:{who.actor.id}")} == mine
    assert [change.kind for change in await bucket(f"squad:{on.squad}")] == ["round"]
    due = await db.fetch("select * from fact where kind = 'visit_due'")
    assert {(row["force"], row["team"], row["due_at"]) for row in due} == {
        ("grid", str(on.team), EVENING + timedelta(days=4, hours=2))
    }


async def test_care_needs_travel_only_with_todays_assignments(on: Stage) -> None:
    round_ = await planned(on)
    hand = [ByHand(household=home, person=on.worker.actor.id, planned_on=date(2026, 11, 23)) for home in on.homes[:1]]
    await round_commands.assign(round_.id, PlanRequest(by_hand=tuple(hand)), on.leader.actor, MORNING)
    bodies = [change.body or {} for change in await bucket(f"person:{on.worker.actor.id}")]
    assert [body["care_needs"] for body in bodies if body["household"] == str(on.homes[0])] == [["elderly_alone"]]
    assert await round_commands.renew_day(stage.DISTRICT, MORNING + timedelta(days=1)) > 0
    assert await round_commands.renew_day(stage.DISTRICT, EVENING + timedelta(days=1)) == 0
    bodies = [change.body or {} for change in await bucket(f"person:{on.worker.actor.id}")]
    assert all("care_needs" not in body for body in bodies if body["planned_on"] == "2026-11-23")


async def test_replanning_moves_only_what_is_not_done(on: Stage) -> None:
    round_ = await planned(on)
    everything = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))
    await round_commands.assign(round_.id, everything, on.leader.actor, MORNING)
    report = VisitReport(household=on.homes[0], outcome=Outcome.MET, started_at=EVENING)
    when = moment(EVENING, timedelta(), EVENING)
    made = await visit_commands.record_visit(on.homes[1], report, when, on.worker.actor, EVENING)
    only_other = PlanRequest(members=(MemberChoice(person=on.other.actor.id),))
    await round_commands.assign(round_.id, only_other, on.leader.actor, EVENING)
    lists = {
        each.household_id: each for each in await round_commands.list_assignments(round_.id, None, on.leader.actor)
    }
    assert (lists[on.homes[0]].person, lists[on.homes[0]].state) == (on.worker.actor.id, AssignmentState.DONE)
    assert made.visit.assignment_id == lists[on.homes[0]].id
    assert {lists[home].person for home in on.homes[1:]} == {on.other.actor.id}
    left = [change for change in await bucket(f"person:{on.worker.actor.id}") if change.body is not None]
    assert [change.entity for change in left] == [str(lists[on.homes[0]].id)]


async def test_a_leaver_hands_everything_open_to_another_member(on: Stage) -> None:
    round_ = await planned(on)
    await round_commands.assign(round_.id, stage.everything(), on.leader.actor, MORNING)
    move = Reassign(source=on.worker.actor.id, target=on.other.actor.id)
    assert await round_commands.reassign(round_.id, move, on.leader.actor, MORNING) == 2
    lists = await round_commands.list_assignments(round_.id, None, on.leader.actor)
    assert {each.person for each in lists} == {on.other.actor.id}
    assert all(change.body is None for change in await bucket(f"person:{on.worker.actor.id}"))
    with pytest.raises(Invalid):
        stranger = Reassign(source=on.other.actor.id, target=on.outsider.actor.id)
        await round_commands.reassign(round_.id, stranger, on.leader.actor, MORNING)


async def test_a_household_that_refused_is_left_out_and_counted(on: Stage) -> None:
    round_ = await planned(on)
    report = VisitReport(household=on.homes[2], outcome=Outcome.REFUSED, started_at=EVENING - timedelta(days=9))
    when = moment(report.started_at, timedelta(), EVENING)
    await visit_commands.record_visit(on.homes[2], report, when, on.worker.actor, EVENING)
    preview = await round_commands.preview(round_.id, stage.everything(), on.leader.actor, MORNING)
    assert (preview.households, preview.excluded) == (3, {"refused": 1})


async def test_a_quota_takes_those_not_visited_longest(on: Stage) -> None:
    round_ = await planned(on, quota=3)
    report = VisitReport(household=on.homes[0], outcome=Outcome.MET, started_at=EVENING - timedelta(days=9))
    when = moment(report.started_at, timedelta(), EVENING)
    await visit_commands.record_visit(on.homes[0], report, when, on.worker.actor, EVENING)
    preview = await round_commands.preview(round_.id, stage.everything(), on.leader.actor, MORNING)
    homes = {home for evening in preview.evenings for home in evening.households}
    assert (homes, preview.excluded) == (set(on.homes[1:]), {"over_quota": 1})


async def test_a_stale_plan_is_refused(on: Stage) -> None:
    round_ = await planned(on)
    await round_commands.assign(round_.id, PlanRequest(version=1), on.leader.actor, MORNING)
    with pytest.raises(StaleVersion):
        await round_commands.assign(round_.id, PlanRequest(version=1), on.leader.actor, MORNING)


async def test_every_fault_of_a_decision_by_hand_is_named(on: Stage) -> None:
    round_ = await planned(on)
    hand = ByHand(household=on.squad, person=on.outsider.actor.id, planned_on=date(2027, 1, 1))
    with pytest.raises(Invalid) as refused:
        await round_commands.assign(round_.id, PlanRequest(by_hand=(hand,)), on.leader.actor, MORNING)
    fields = [error.field for error in refused.value.errors]
    assert fields == ["by_hand[0].household", "by_hand[0].person", "by_hand[0].planned_on"]


async def test_nobody_plans_for_another_area_or_squad(on: Stage) -> None:
    with pytest.raises(NotPermitted):
        await planned(on, target=Target(area="330109002"))
    with pytest.raises(Invalid) as refused:
        await planned(on, squads=(on.outsider.actor.id,), ends_on=date(2026, 1, 1))
    assert [error.field for error in refused.value.errors] == ["ends_on", "squads[0]"]
    round_ = await planned(on)
    stranger = replace(on.leader.actor, memberships=on.outsider.actor.memberships)
    with pytest.raises(NotPermitted):  # a grid worker plans nothing
        await round_commands.assign(round_.id, stage.everything(), stranger, MORNING)
    with pytest.raises(RoundNotFound):
        await round_commands.get_round(round_.id, on.outsider.actor)


async def test_a_closed_round_leaves_the_phones_and_takes_no_plan(on: Stage) -> None:
    round_ = await planned(on)
    await round_commands.assign(round_.id, stage.everything(), on.leader.actor, MORNING)
    await round_commands.close_round(round_.id, on.leader.actor, MORNING)
    assert all(change.body is None for change in await bucket(f"person:{on.worker.actor.id}"))
    with pytest.raises(RoundRefuses):
        await round_commands.assign(round_.id, stage.everything(), on.leader.actor, MORNING)
    report = VisitReport(household=on.homes[0], outcome=Outcome.MET, started_at=EVENING)
    when = moment(EVENING, timedelta(), EVENING)
    made = await visit_commands.record_visit(on.homes[0], report, when, on.worker.actor, EVENING)
    assert made.visit.round_id is None, "a visit after the end belongs to no round unless it names its turn"


async def test_coverage_counts_each_household_once_under_its_best_outcome(on: Stage) -> None:
    round_ = await planned(on)
    await round_commands.assign(
        round_.id, PlanRequest(members=(MemberChoice(person=on.worker.actor.id),)), on.leader.actor, MORNING
    )
    for n, (home, outcome, start) in enumerate(
        [
            (on.homes[0], Outcome.ABSENT, EVENING),
            (on.homes[0], Outcome.MET, EVENING + timedelta(hours=16)),
            (on.homes[1], Outcome.ABSENT, EVENING),
        ]
    ):
        report = VisitReport(household=home, outcome=outcome, started_at=start)
        when = moment(start, timedelta(), start)
        await visit_commands.record_visit(on.homes[n], report, when, on.worker.actor, start)
    (town,) = await map_commands.coverage(round_.id, Level.TOWN, on.leader.actor)
    assert (town.area, town.due, town.met, town.absent, town.day, town.night) == (stage.TOWN, 4, 1, 1, 1, 2)
    (cell,) = await map_commands.coverage(round_.id, Level.CELL, on.leader.actor)
    assert cell.area == stage.CELL
    turns = [
        (each.half, each.state)
        for each in await round_commands.list_assignments(round_.id, on.worker.actor.id, on.leader.actor)
        if each.household_id == on.homes[1]
    ]
    assert turns == [(Half.NIGHT, AssignmentState.DONE), (Half.DAY, AssignmentState.PLANNED)]
