"""Commands on a real database: scenarios as a clerk tells them, repeats, versions, supervision."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from app.kernel.ids import new_id
from app.kernel.problem import Invalid, StaleVersion
from tasks.cases import commands, intake, queries, store, sweeping
from tasks.cases import orders as o
from tasks.cases.intake import Reporter, Solved
from tasks.cases.model import Signal
from tasks.cases.problems import CaseNotFound, CommandIdReused, OrganisationUnknown, RoleNotPermitted, TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, facts, opened, play, report

# ---- scenarios


async def test_returned_twice_it_is_disputed_ruled_and_not_returned_again(place: str):
    case = await opened()
    seen = await play(case, (stage.TOWN_CLERK, o.Return(reason="不归镇里")))
    assert seen.state == "accepted"
    seen = await play(
        case,
        (stage.CENTRE_CLERK, o.Assign(to=stage.TRANSPORT)),
        (stage.TRANSPORT_CLERK, o.Return(reason="也不归交通")),
    )
    assert seen.state == "disputed"
    seen = await play(case, (stage.CENTRE_CLERK, o.Rule(to=stage.TOWN_CENTRE, reason="属地负责")))
    assert (seen.state, seen.lead) == ("assigned", stage.TOWN_CENTRE)
    with pytest.raises(TransitionRefused):
        await play(case, (stage.TOWN_CLERK, o.Return(reason="还是不归")))
    founded = {row["department"]: row["attributes"]["founded"] for row in await facts(case.id, "return")}
    assert founded == {None: False, str(stage.TRANSPORT): True}  # the town had to take it after all


async def test_failed_verification_is_rework_for_the_same_lead_with_a_fresh_limit(place: str):
    case = await opened(item="E0504")
    work = ((stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),))))
    seen = await play(case, *work, (stage.CENTRE_CLERK, o.Verify(passed=False, note="没有清理")))
    assert (seen.state, seen.reworks, seen.lead) == ("assigned", 1, stage.TOWN_CENTRE)
    assert [leg.state for leg in seen.legs] == ["recalled", "unsigned"]
    turns = await facts(case.id, "case")
    assert sorted(row["attributes"]["reworks"] for row in turns) == [0, 1]


async def test_an_unsatisfied_citizen_gets_it_redone_and_is_then_satisfied(place: str):
    case = await opened()
    round_ = (
        (stage.TOWN_CLERK, o.Sign()),
        (stage.TOWN_CLERK, o.Submit(result="已处理", evidence=(stage.photo(),))),
        (stage.CENTRE_CLERK, o.Verify(passed=True)),
    )
    seen = await play(case, *round_, (stage.CITIZEN, o.Rate(score=1, opinion="还在放")))
    assert (seen.state, seen.redos) == ("assigned", 1)
    again = (
        (stage.TOWN_CLERK, o.Sign()),
        (stage.TOWN_CLERK, o.Submit(result="再次处理", evidence=(stage.photo(),))),
        (stage.CENTRE_CLERK, o.Verify(passed=True)),
    )
    seen = await play(case, *again, (stage.CITIZEN, o.Rate(score=5)))
    assert (seen.state, seen.satisfied) == ("closed", True)


async def test_joint_handling_waits_for_the_assistant_or_the_waiver(place: str):
    case = await opened()
    town_clerk = stage.TOWN_CLERK
    await play(case, (town_clerk, o.Sign()), (town_clerk, o.AskAssist(to=stage.POLICE)))
    with pytest.raises(TransitionRefused):
        await play(case, (town_clerk, o.Submit(result="好了", evidence=(stage.photo(),))))
    await play(case, (stage.POLICE_OFFICER, o.Attend()))
    seen = await play(case, (town_clerk, o.Waive()), (town_clerk, o.Submit(result="好了", evidence=(stage.photo(),))))
    assert seen.state == "handled"
    assert len(await facts(case.id, "attendance")) == 1


async def test_an_extension_moves_the_due_and_counts_as_deferred(place: str):
    case = await opened()
    seen = await play(case, (stage.TOWN_CLERK, o.Sign()))
    before = seen.legs[0].handle_due
    ask = o.Request(kind="extension", amount="1 work_day", reason="下雨")
    seen = await play(case, (stage.TOWN_CLERK, ask), (stage.CENTRE_CLERK, o.Grant()))
    assert before is not None
    assert seen.legs[0].handle_due is not None
    assert seen.legs[0].handle_due > before
    assert (await facts(case.id, "case"))[0]["attributes"]["deferred"] is True
    with pytest.raises(TransitionRefused):
        await play(case, (stage.TOWN_CLERK, ask))


async def test_a_sensors_case_closes_when_crew_and_signal_agree(place: str):
    sensor = stage.SYSTEM
    alert = report(
        source="alert", external_id="alert:1", item="S001", reporter=Reporter(kind="machine"), signal=Signal.FIRING
    )
    case = await intake.open(replace(alert, lead=stage.TRANSPORT), sensor, NOW)
    clerk = stage.TRANSPORT_CLERK
    seen = await play(case, (clerk, o.Sign()), (clerk, o.Submit(result="已抽水", evidence=(stage.photo(),))))
    with pytest.raises(TransitionRefused, match="signal"):
        await play(case, (stage.CENTRE_CLERK, o.Verify(passed=True)))
    told = await intake.signal("alert", "alert:1", Signal.CLEAR, sensor, NOW)
    assert told is not None
    seen = await play(case, (stage.CENTRE_CLERK, o.Verify(passed=True)))
    assert seen.state == "closed"


async def test_what_was_solved_at_the_door_is_verified_by_the_system_or_by_somebody_else(place: str):
    solved = Solved(organisation=stage.SQUAD, result="当场调解", person=stage.STATION_CLERK.id)
    reporter = Reporter(kind="worker", id=stage.STATION_CLERK.id)
    plain = report(source="visit", item="V002", reporter=reporter, lead=None, solved=solved)
    case = await intake.open(replace(plain, solved=replace(solved, verified_by_system=True)), stage.STATION_CLERK, NOW)
    assert (case.state, case.outcome) == ("closed", "solved")
    sampled = replace(plain, solved=replace(solved, verified_by_system=False))
    case = await intake.open(sampled, stage.STATION_CLERK, NOW)
    assert case.state == "handled"
    seen = await play(case, (stage.CENTRE_CLERK, o.Verify(passed=False)))
    assert seen.state == "accepted"


async def test_a_parent_stays_open_while_a_child_is(place: str):
    parent = await opened(item="E0504", reporter=Reporter(kind="worker", id=stage.OFFICER.id))
    child = await intake.open(report(parent=parent.id), stage.CENTRE_CLERK, NOW)
    steps = ((stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),))))
    await play(parent, *steps)
    with pytest.raises(TransitionRefused, match="child"):
        await play(parent, (stage.CENTRE_CLERK, o.Verify(passed=True)))
    await play(child, (stage.CENTRE_CLERK, o.Withdraw()))
    assert (await play(parent, (stage.CENTRE_CLERK, o.Verify(passed=True)))).state == "closed"
    for wrong in (new_id(), parent.id):
        with pytest.raises(Invalid, match="parent"):
            await intake.open(report(parent=wrong), stage.CENTRE_CLERK, NOW)


# ---- repeats and versions


async def test_the_same_report_again_answers_the_same_case(place: str):
    first = await opened(external_id="mhwh-1", source="mhwh")
    again = await opened(external_id="mhwh-1", source="mhwh", description="别的话")
    assert again == first
    both = [report(source="p", external_id="9"), report(source="p", external_id="9"), report(source="p")]
    cases = await intake.open_many(both, stage.CENTRE_CLERK, NOW)
    assert cases[0].id == cases[1].id != cases[2].id
    assert len({case.number for case in cases}) == 2


async def test_somebody_elses_id_shows_nothing_of_their_case(place: str):
    case = await opened()
    theirs = report(id=case.id, reporter=Reporter(id=stage.STRANGER.id))
    with pytest.raises(Invalid):
        await intake.open(theirs, stage.STRANGER, NOW)
    desk = report(source="desk", reporter=Reporter(kind="resident"))
    case = await intake.open(desk, stage.TOWN_CLERK, NOW)
    with pytest.raises(CaseNotFound):
        await intake.create(replace(desk, id=case.id), stage.OTHER_TOWN_CLERK, NOW)


async def test_every_bad_field_of_every_report_is_named(place: str):
    bad = report(item="nothing", description=" ", occurred_at=NOW + timedelta(hours=1))
    with pytest.raises(Invalid) as caught:
        await intake.open_many([report(), bad], stage.CENTRE_CLERK, NOW)
    fields = {error.field for error in caught.value.errors}
    assert fields == {"records[1].item", "records[1].description", "records[1].occurred_at"}


async def test_a_command_id_twice_has_one_effect_and_the_same_answer(place: str):
    case = await opened()
    order = o.Sign(command_id=new_id(), version=case.version)
    first = await commands.give(case.id, order, stage.TOWN_CLERK, NOW)
    again = await commands.give(case.id, order, stage.TOWN_CLERK, NOW + timedelta(hours=1))
    assert again == first
    assert len(await store.links(case.id)) == 4
    with pytest.raises(CommandIdReused):
        await commands.give(case.id, o.Recall(command_id=order.command_id, reason="错"), stage.CENTRE_CLERK, NOW)


async def test_a_stale_version_is_refused_with_the_present_one(place: str):
    case = await opened()
    await play(case, (stage.TOWN_CLERK, o.Sign()))
    with pytest.raises(StaleVersion) as caught:
        await play(case, (stage.CENTRE_CLERK, o.Recall(reason="错", version=case.version)))
    assert caught.value.facts["version"] == case.version + 1


async def test_work_can_only_go_to_somebody_who_exists(place: str):
    case = await opened(lead=None, place=None)
    await play(case, (stage.CENTRE_CLERK, o.Accept()))
    with pytest.raises(OrganisationUnknown):
        await play(case, (stage.CENTRE_CLERK, o.Assign(to=new_id())))


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (o.Return(reason="不归\x00我们"), "reason"),
        (o.Request(kind="extension", amount="soon", reason="雨"), "amount"),
        (o.Request(kind="extension", reason="雨"), "amount"),
        (o.Request(kind="suspension", until=NOW - timedelta(days=1), reason="雨"), "until"),
        (o.Request(kind="suspension", until=NOW + timedelta(days=9999), reason="雨"), "until"),
        (o.Arrive(at=NOW.replace(tzinfo=None)), "at"),
    ],
)
async def test_a_command_that_cannot_be_meant_is_refused_by_its_field(place: str, order: o.Order, field: str):
    case = await opened()
    with pytest.raises(Invalid) as caught:
        await play(case, (stage.TOWN_CLERK, order))
    assert [error.field for error in caught.value.errors] == [field]


# ---- supervision


async def test_the_sweep_urges_once_a_rung_and_once_after_an_outage(place: str):
    case = await opened(item="E0504")  # to be signed within four working hours, handled within a working day
    assert await sweeping.sweep(place, NOW + timedelta(minutes=5)) == 0
    late = NOW + timedelta(days=3)
    assert await sweeping.sweep(place, late) == 1
    assert await sweeping.sweep(place, late) == 0
    urges = await facts(case.id, "urge")
    assert [row["attributes"]["automatic"] for row in urges] == [True]
    assert await sweeping.sweep(place, late + timedelta(days=1)) == 1


async def test_urged_three_times_it_is_supervised_until_the_centre_releases_it(place: str):
    case = await opened(item="E0504")
    for day in (3, 4, 7):
        await sweeping.sweep(place, NOW + timedelta(days=day))
    watched = (await facts(case.id, "supervision"))[0]
    assert (watched["done_at"], watched["attributes"]["case"]) == (None, str(case.id))
    assert watched["due_at"] > watched["occurred_at"]
    late = NOW + timedelta(days=8)
    await commands.give(case.id, o.Reply(answer="今天办结"), stage.TOWN_CLERK, late)
    assert (await facts(case.id, "supervision"))[0]["done_at"] == late
    with pytest.raises(RoleNotPermitted):
        await commands.give(case.id, o.Release(), stage.TOWN_CLERK, late)
    await commands.give(case.id, o.Release(), stage.CENTRE_CLERK, late)
    with pytest.raises(TransitionRefused):
        await commands.give(case.id, o.Release(), stage.CENTRE_CLERK, late)


async def test_a_call_nobody_answers_closes_unrated(place: str):
    case = await opened()
    await play(
        case,
        (stage.TOWN_CLERK, o.Sign()),
        (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),))),
        (stage.CENTRE_CLERK, o.Verify(passed=True)),
    )
    assert await sweeping.sweep(place, NOW + timedelta(days=30)) == 1
    assert (await queries.case(case.id, stage.CENTRE_CLERK, NOW)).state == "closed"
    assert {row["attributes"]["answered"] for row in await facts(case.id, "survey")} == {False}
