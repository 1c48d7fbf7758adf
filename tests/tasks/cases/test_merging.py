"""Several reports of one matter, one report of several: merging, taking apart, splitting, joining."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.problem import Invalid, Problem
from tasks.cases import commands, intake, privacy_commands, queries, store, trail
from tasks.cases import orders as o
from tasks.cases.intake import Reporter
from tasks.cases.listing import Filter
from tasks.cases.model import Case
from tasks.cases.problems import CaseNotFound, RoleNotPermitted, TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play, report

CENTRE = stage.CENTRE_CLERK


async def of_somebody(number: int, **changes: object) -> Case:
    """A case reported by another citizen."""
    citizen = stage.person(number)
    return await intake.open(report(reporter=Reporter(id=citizen.id), **changes), citizen, NOW)


async def types(case: Case) -> list[str]:
    return [link.type for link in await store.links(case.id)]


async def test_whoever_reported_one_of_merged_cases_is_informed_of_the_one_they_know(place: str):
    main, first, second = [await of_somebody(n) for n in (1, 2, 3)]
    await play(first, (CENTRE, o.Merge(into=main.id)))
    await play(main, (CENTRE, o.Merge(into=second.id)))  # merged on with all that were merged into it
    told = {(each.reporter, each.case, each.number) for each in await queries.followers(second.id)}
    assert told == {(stage.person(n).id, case.id, case.number) for n, case in ((1, main), (2, first), (3, second))}
    assert {each.case for each in await queries.followers(main.id)} == {main.id, first.id}


async def test_merging_ends_the_open_legs_and_is_written_into_both_traces(place: str):
    main, other = await of_somebody(1), await of_somebody(2)
    await play(other, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.AskAssist(to=stage.POLICE)))
    seen = await play(other, (CENTRE, o.Merge(into=main.id, note="同一家店")))
    assert (seen.state, seen.merged_into) == ("merged", main.id)
    assert {leg.state for leg in seen.legs} == {"recalled"}
    assert (await types(other))[-1] == "merged"
    assert (await types(main))[-1] == "took_in"
    assert (await trail.verify_all(place)).broken is None


@pytest.mark.parametrize(("lead", "back"), [(stage.TOWN_CENTRE, "accepted"), (None, "received")])
async def test_taken_apart_a_case_is_accepted_if_it_ever_was_else_received(place: str, lead: object, back: str):
    main = await of_somebody(1)
    other = await of_somebody(2, lead=lead, **({} if lead else {"place": None}))
    await play(other, (CENTRE, o.Merge(into=main.id)))
    seen = await play(other, (CENTRE, o.Unmerge(reason="不是一回事")))
    assert (seen.state, seen.merged_into) == (back, None)
    assert {each.case for each in await queries.followers(main.id)} == {main.id}
    assert (await types(main))[-2:] == ["took_in", "took_in"]


async def test_a_case_is_not_merged_into_itself_an_ended_a_merged_or_a_foreign_one(place: str):
    main, ended, merged = await of_somebody(1), await of_somebody(2), await of_somebody(3)
    await play(ended, (CENTRE, o.Withdraw()))
    await play(merged, (CENTRE, o.Merge(into=main.id)))
    other = await of_somebody(4)
    for into in (other.id, ended.id, merged.id):
        with pytest.raises(TransitionRefused) as refused:
            await play(other, (CENTRE, o.Merge(into=into)))
        assert {"command": "merge"} in refused.value.facts["allowed"]
    with pytest.raises(Invalid, match="into"):
        await play(other, (CENTRE, o.Merge(into=stage.new_id())))
    with pytest.raises(RoleNotPermitted):
        await play(other, (stage.TOWN_CLERK, o.Merge(into=main.id)))


async def test_two_cases_merged_into_each_other_at_once_are_one_case(real_place: str):
    async with db.transaction(real_place):
        cases = [await of_somebody(n) for n in range(16)]
    pairs = list(zip(cases[::2], cases[1::2], strict=True))
    each_way = [(here, there) for one, other in pairs for here, there in ((one, other), (other, one))]
    answers = await asyncio.gather(
        *(commands.give(here.id, o.Merge(into=there.id), CENTRE, NOW) for here, there in each_way),
        return_exceptions=True,
    )
    assert not [each for each in answers if isinstance(each, BaseException) and not isinstance(each, Problem)]
    assert [isinstance(each, Problem) for each in answers].count(True) == len(pairs)
    assert (await trail.verify_all(real_place)).broken is None


async def test_merging_and_taking_apart_at_once_never_wait_for_each_other(real_place: str):
    async with db.transaction(real_place):
        cases = [await of_somebody(n) for n in range(4)]
    for here, there in pairwise(cases):
        await commands.give(here.id, o.Merge(into=there.id), CENTRE, NOW)
    answers = await asyncio.gather(
        *(commands.give(case.id, o.Unmerge(reason="分开"), CENTRE, NOW) for case in cases[:3]),
        *(commands.give(cases[3].id, o.Merge(into=case.id), CENTRE, NOW) for case in cases[:3]),
        return_exceptions=True,
    )
    assert not any(isinstance(answer, BaseException) and not isinstance(answer, Problem) for answer in answers)
    assert (await trail.verify_all(real_place)).broken is None


# ---- joining


async def test_a_citizen_joins_what_a_clerk_has_looked_at_once(place: str):
    case = await of_somebody(1)
    neighbour = stage.person(2)
    with pytest.raises(CaseNotFound):
        await play(case, (neighbour, o.JoinReporter()))
    await play(case, (stage.TOWN_CLERK, o.Sign()), (neighbour, o.JoinReporter()))
    assert {each.reporter for each in await queries.followers(case.id)} == {stage.person(1).id, neighbour.id}
    with pytest.raises(TransitionRefused):
        await play(case, (neighbour, o.JoinReporter()))
    with pytest.raises(CaseNotFound):
        await play(case, (neighbour, o.Add(text="我也来说")))


async def test_whoever_joined_is_kept_informed_but_reads_nothing_of_the_case(place: str):
    case = await of_somebody(1)
    neighbour = stage.person(2)
    await play(case, (stage.TOWN_CLERK, o.Sign()), (neighbour, o.JoinReporter()))
    assert neighbour.id in {each.reporter for each in await queries.followers(case.id)}
    for read in (queries.case, queries.steps, queries.routing):
        with pytest.raises(CaseNotFound):
            await read(case.id, neighbour, NOW)
    assert await queries.cases(Filter(), neighbour, NOW, 10) == []
    with pytest.raises(Problem):
        await queries.contact(case.id, "想联系一下", neighbour, NOW)


async def test_a_resident_a_clerk_speaks_for_joins_with_a_sealed_name(place: str):
    case = await of_somebody(1)
    order = o.JoinReporter(name="李某", phone="13800005678", command_id=stage.new_id())
    await play(case, (CENTRE, order), (CENTRE, replace(order, name="王某")))  # what is kept of a command names nobody
    rows = await db.fetch("select * from case_reporter where case_id = $1", case.id)
    assert len(rows) == 1
    row = rows[0]
    assert (row["kind"], row["reporter"]) == ("resident", None)
    assert row["name"] != "李某"
    assert "李某" not in str(await db.fetch("select body from case_event where case_id = $1", case.id))
    assert "李某" not in str(await db.fetch("select * from case_command where case_id = $1", case.id))


async def test_the_name_of_who_joined_goes_with_the_others_when_its_time_is_over(place: str):
    case = await of_somebody(1)
    await play(case, (CENTRE, o.JoinReporter(name="李某")), (stage.TOWN_CLERK, o.Sign()))
    await play(case, (stage.person(2), o.JoinReporter()))
    await play(case, (CENTRE, o.Withdraw()))
    assert await privacy_commands.erase_old_contacts(place, NOW + timedelta(days=800), 10, NOW) == 2  # and the first
    assert await db.fetchval("select count(*) from case_reporter where name is not null") == 0
    await privacy_commands.erase_reporter(stage.person(2))
    assert await db.fetchval("select count(*) from case_reporter where reporter is not null") == 0


# ---- splitting


async def test_a_case_does_not_end_over_an_open_part_and_says_so_beforehand(place: str):
    main, case = await of_somebody(1), await of_somebody(2, lead=None, place=None)
    assert "close" in {each["command"] for each in (await queries.case(case.id, CENTRE, NOW)).allowed}
    ends = {"close", "reject", "withdraw", "merge"}
    split = await play(case, (CENTRE, o.Split(children=(o.Child(item="H008", description="另有噪声"),))))
    for seen in (split, await queries.case(case.id, CENTRE, NOW)):
        assert ends.isdisjoint(each["command"] for each in seen.allowed)
    for order in (o.Reject(reason="不受理"), o.Withdraw(), o.Merge(into=main.id), o.Close(reason="无须办理")):
        with pytest.raises(TransitionRefused, match="child") as refused:
            await play(case, (CENTRE, order))
        assert ends.isdisjoint(each["command"] for each in refused.value.facts["allowed"])
    part = (await queries.cases(Filter(parent=case.id), CENTRE, NOW, 10))[0]
    await play(await queries.case(part.id, CENTRE, NOW), (CENTRE, o.Withdraw()))
    assert (await play(case, (CENTRE, o.Withdraw()))).state == "withdrawn"


async def test_a_citizen_may_still_ask_to_withdraw_what_is_handled_in_parts(place: str):
    case = await of_somebody(1)
    split = o.Split(children=(o.Child(item="H008", description="另有噪声"),))
    await play(case, (stage.TOWN_CLERK, o.Sign()), (CENTRE, split), (stage.person(1), o.Withdraw()))
    for who in (CENTRE, stage.CENTRE_CLERK):
        with pytest.raises(TransitionRefused):
            await play(case, (who, o.Withdraw()))
    assert (await queries.case(case.id, CENTRE, NOW)).withdrawal_asked


async def test_one_command_to_split_given_five_times_at_once_splits_once(real_place: str):
    async with db.transaction(real_place):
        case = await of_somebody(1)
    order = o.Split(children=(o.Child(item="H008", description="另一处"),), command_id=stage.new_id())
    answers = await asyncio.gather(*(commands.give(case.id, order, CENTRE, NOW) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert len(await queries.cases(Filter(parent=case.id), CENTRE, NOW, 10)) == 1


async def test_the_parts_of_a_case_are_routed_like_new_ones_and_hold_it_open(place: str):
    case = await opened(item="E0504", reporter=Reporter(kind="worker", id=stage.OFFICER.id))
    parts = (o.Child(item="H008", description="另有噪声"), o.Child(item="E0504", description="另一处占道"))
    order = o.Split(children=parts, command_id=stage.new_id())
    await commands.give(case.id, order, CENTRE, NOW)
    await commands.give(case.id, order, CENTRE, NOW + timedelta(minutes=1))  # the same command again
    rows = await queries.cases(Filter(parent=case.id), CENTRE, NOW, 10)
    children = [await queries.case(row.id, CENTRE, NOW) for row in rows]
    assert {(each.item, each.state, each.cell) for each in children} == {
        ("H008", "assigned", stage.CELL),
        ("E0504", "assigned", stage.CELL),
    }
    assert (await store.links(case.id))[-1].body["opens"]
    await play(
        case, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),)))
    )
    with pytest.raises(TransitionRefused, match="child"):
        await play(case, (CENTRE, o.Verify(passed=True)))
    for child in children:
        await play(child, (CENTRE, o.Withdraw()))
    assert (await play(case, (CENTRE, o.Verify(passed=True)))).state == "closed"


async def test_a_case_is_not_split_into_what_cannot_be_opened(place: str):
    case = await opened()
    with pytest.raises(Invalid, match="item"):
        await play(case, (CENTRE, o.Split(children=(o.Child(item="no-such", description="?"),))))
    with pytest.raises(Invalid, match="children"):
        await play(case, (CENTRE, o.Split(children=(o.Child(item="H008", description="\x00"),))))
