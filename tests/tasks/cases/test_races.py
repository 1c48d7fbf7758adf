"""Two commands at one case at the same time: exactly one wins, whichever; shown by real concurrent transactions."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, Problem, StaleVersion
from tasks.cases import commands, intake, queries, store, sweeping, trail
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tasks.cases.model import Case
from tasks.cases.problems import TransitionRefused
from tests.tasks.cases import stage, town

NOW = stage.NOW


async def opened(**changes: Any) -> Case:
    plain: dict[str, Any] = {"source": "citizen", "item": "E0504", "description": "占道经营", "place": town.INSIDE}
    report = Report(**plain | {"reporter": Reporter(id=stage.CITIZEN.id), "lead": stage.TOWN_CENTRE} | changes)
    async with db.transaction(stage.DISTRICT):
        return await intake.open(report, stage.CITIZEN, NOW)


async def together(case: Case, *given: tuple[Actor, o.Order]) -> tuple[list[Any], list[Problem]]:
    """Give commands to a case at the same time, each on its own connection; return the answers and the refusals."""
    return await at_once(*((case, actor, order) for actor, order in given))


async def at_once(*given: tuple[Case, Actor, o.Order]) -> tuple[list[Any], list[Problem]]:
    """Give commands at the same time, each on its own connection; whatever is not an answer is a refusal."""
    answers = await asyncio.gather(
        *(commands.give(case.id, order, actor, NOW) for case, actor, order in given), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Problem)]
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(refused) + len(done) == len(answers), answers
    return done, refused


async def steps(case: Case) -> list[str]:
    async with db.transaction(stage.DISTRICT):
        return [link.type for link in await store.links(case.id)]


@pytest.mark.parametrize("repeat", range(3))
async def test_sign_against_recall_one_wins_and_the_trace_stays_whole(real_place: str, repeat: int):
    case = await opened()
    seen = case.version
    done, refused = await together(
        case,
        (stage.TOWN_CLERK, o.Sign(version=seen)),
        (stage.CENTRE_CLERK, o.Recall(reason="派错", version=seen)),
    )
    assert (len(done), len(refused)) == (1, 1)
    assert isinstance(refused[0], StaleVersion)
    assert (await trail.verify_all(real_place)).broken is None


async def test_of_two_assignments_one_holds(real_place: str):
    case = await opened(lead=None, place=None)
    async with db.transaction(real_place):
        await commands.carry_out(case.id, o.Accept(), stage.CENTRE_CLERK, NOW)
    done, refused = await together(
        case,
        (stage.CENTRE_CLERK, o.Assign(to=stage.TRANSPORT)),
        (stage.CENTRE_CLERK, o.Assign(to=stage.MARKET)),
        (stage.CENTRE_CLERK, o.Assign(to=stage.TOWN_CENTRE)),
    )
    assert (len(done), len(refused)) == (1, 2)
    view = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    assert [leg.organisation for leg in view.legs] == [done[0].lead]


async def test_submit_against_return_one_wins(real_place: str):
    case = await opened(item="H008")
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    done, refused = await together(
        case,
        (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),))),
        (stage.TOWN_CLERK, o.Return(reason="不归我们")),
    )
    assert (len(done), len(refused)) == (1, 1)


@pytest.mark.parametrize("way", ["merge first", "submit first"])
async def test_merge_against_submit_one_wins(real_place: str, way: str):
    main, case = await opened(), await opened(description="同一处占道")
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    both = [
        (stage.CENTRE_CLERK, o.Merge(into=main.id)),
        (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),))),
    ]
    done, refused = await together(case, *(both if way == "merge first" else reversed(both)))
    assert (len(done), len(refused)) == (1, 1)
    view = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    assert (view.state, (await steps(main)).count("took_in")) in (("merged", 1), ("handled", 0))
    assert (await trail.verify_all(real_place)).broken is None


async def test_what_ends_at_the_same_moment_takes_nothing_in(real_place: str):
    main, case = await opened(), await opened(description="同一处占道")
    await at_once(
        (main, stage.CENTRE_CLERK, o.Withdraw()),
        (case, stage.CENTRE_CLERK, o.Merge(into=main.id)),
    )
    view = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    took_in = (await steps(main))[-2:] == ["took_in", "withdrawn"]
    assert (view.state == "merged") == took_in


async def test_three_mergers_in_a_ring_leave_a_case_and_never_wait_for_each_other(real_place: str):
    cases = [await opened(description=f"第 {n} 处占道") for n in range(3)]
    ring = zip(cases, [*cases[1:], cases[0]], strict=True)
    done, refused = await at_once(*((here, stage.CENTRE_CLERK, o.Merge(into=there.id)) for here, there in ring))
    views = [await queries.case(case.id, stage.CENTRE_CLERK, NOW) for case in cases]
    assert len(refused) >= 1
    assert [view.state for view in views].count("merged") == len(done)


@pytest.mark.parametrize("way", ["split first", "close first"])
async def test_split_against_close_no_case_closes_over_an_open_part(real_place: str, way: str):
    case = await opened(lead=None, place=None)
    both = [
        (stage.CENTRE_CLERK, o.Split(children=(o.Child(item="H008", description="另有噪声"),))),
        (stage.CENTRE_CLERK, o.Close(reason="无须办理")),
    ]
    done, refused = await together(case, *(both if way == "split first" else reversed(both)))
    assert (len(done), len(refused)) == (1, 1)
    view = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    async with db.transaction(real_place):
        parts = await store.open_children(case.id)
    assert (view.state, parts) in (("closed", 0), ("received", 1))


@pytest.mark.parametrize("way", ["report first", "close first"])
async def test_a_child_reported_while_its_parent_closes_is_never_below_a_closed_case(real_place: str, way: str):
    parent = await opened(lead=None, place=None)
    child = Report(source="desk", item="H008", description="另有噪声", place=town.INSIDE, parent=parent.id)
    report = intake.create(child, stage.CENTRE_CLERK, NOW)
    close = commands.give(parent.id, o.Close(reason="无须办理"), stage.CENTRE_CLERK, NOW)
    both = (report, close) if way == "report first" else (close, report)
    answers = await asyncio.gather(*both, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, TransitionRefused | Invalid)]
    assert len(refused) == 1, answers
    view = await queries.case(parent.id, stage.CENTRE_CLERK, NOW)
    async with db.transaction(real_place):
        parts = await store.open_children(parent.id)
    assert (view.state, parts) in (("closed", 0), ("received", 1))


async def test_of_two_extensions_asked_for_and_two_grants_one_holds(real_place: str):
    case = await opened()
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    ask = o.Request(kind="extension", amount="1 work_day", reason="下雨")
    done, refused = await together(case, (stage.TOWN_CLERK, ask), (stage.TOWN_CLERK, ask))
    assert (len(done), len(refused)) == (1, 1)
    done, refused = await together(case, (stage.CENTRE_CLERK, o.Grant()), (stage.CENTRE_CLERK, o.Refuse(reason="不")))
    assert (len(done), len(refused)) == (1, 1)


async def test_one_command_id_five_times_at_once_has_one_effect_and_one_answer(real_place: str):
    case = await opened()
    order = o.Sign(command_id=new_id(), version=case.version)
    done, refused = await together(case, *[(stage.TOWN_CLERK, order)] * 5)
    assert not refused
    assert all(answer == done[0] for answer in done)
    assert (await steps(case)).count("signed") == 1


async def test_a_report_delivered_five_times_at_once_opens_one_case(real_place: str):
    report = Report(source="push", external_id="7", item="H008", description="吵", place=town.INSIDE)
    cases = await asyncio.gather(*(intake.create(report, stage.CENTRE_CLERK, NOW) for _ in range(5)))
    assert len({case.id for case in cases}) == 1


async def test_a_channel_that_delivers_twice_at_once_inside_its_own_transactions_opens_one_case(real_place: str):
    cases = await asyncio.gather(*(opened(source="mhwh", external_id="42") for _ in range(5)))
    assert len({case.id for case in cases}) == 1


async def test_two_workers_sweep_and_each_leg_is_urged_once(real_place: str):
    cases = [await opened() for _ in range(4)]
    late = NOW + timedelta(days=2)
    made = await asyncio.gather(sweeping.sweep(real_place, late), sweeping.sweep(real_place, late))
    assert sum(made) == 4
    for case in cases:
        assert (await steps(case)).count("urged") == 1


async def test_numbers_are_unique_however_many_open_at_once(real_place: str):
    cases = await asyncio.gather(*(opened() for _ in range(30)))
    assert len({case.number for case in cases}) == 30
    assert (await trail.verify_all(real_place)).broken is None


async def test_one_command_id_on_two_cases_at_once_counts_once(real_place: str):
    one, other = await opened(), await opened(description="另一处占道经营")
    order = o.Sign(command_id=new_id())
    answers = await asyncio.gather(
        *(commands.give(case.id, order, stage.TOWN_CLERK, NOW) for case in (one, other)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["CaseView", "CommandIdReused"]
