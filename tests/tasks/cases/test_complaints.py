"""Who is complained about neither leads nor verifies nor decides, and does not see who reported it."""

from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.kernel.problem import Invalid
from tasks.cases import intake, queries
from tasks.cases import orders as o
from tasks.cases.effects import decide
from tasks.cases.intake import Reporter, Solved
from tasks.cases.model import LegState, Part, Pending, State
from tasks.cases.problems import CaseNotFound, RoleNotPermitted, TransitionRefused
from tasks.cases.situation import Found
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play, report

CENTRE = stage.CENTRE_CLERK


async def test_routing_leaves_out_whom_the_source_named_and_says_so(place: str):
    case = await opened(complained_about=(stage.TOWN_CENTRE,))
    seen = await queries.case(case.id, CENTRE, NOW)
    assert stage.TOWN_CENTRE not in {leg.organisation for leg in seen.legs}
    assert "回避" in (await queries.routing(case.id, CENTRE, NOW)).reason[0]


async def test_a_desk_complained_about_does_not_keep_the_case(place: str):
    told = report(complained_about=(stage.TOWN_CENTRE,), lead=None, place=None, reporter=Reporter(kind="resident"))
    assert (await intake.open(told, stage.TOWN_CLERK, NOW)).desk == stage.CENTRE


@pytest.mark.parametrize("to", ["organisation", "assistant"])
async def test_it_cannot_be_given_to_whom_it_complains_about(place: str, to: str):
    case = await opened(complained_about=(stage.MARKET,), lead=None, place=None)
    await play(case, (CENTRE, o.Accept()))
    order = (
        o.Assign(to=stage.MARKET) if to == "organisation" else o.Assign(to=stage.TRANSPORT, assistants=(stage.MARKET,))
    )
    with pytest.raises(TransitionRefused, match="complained about"):
        await play(case, (CENTRE, order))
    await play(case, (CENTRE, o.Assign(to=stage.TRANSPORT)), (stage.TRANSPORT_CLERK, o.Sign()))
    for order in (o.AskAssist(to=stage.MARKET), o.Delegate(to=stage.MARKET)):
        with pytest.raises(TransitionRefused, match="complained about"):
            await play(case, (stage.TRANSPORT_CLERK, order))


def test_nor_does_it_verify_review_or_decide():
    case = stage.case(State.HANDLED, desk=stage.TOWN_CENTRE, complained_about=(stage.TOWN_CENTRE,))
    root = stage.leg(case, stage.TRANSPORT, LegState.SUBMITTED)
    s = stage.situation(case, root, actor=stage.TOWN_CLERK)
    assert not s.parts() & {Part.VERIFIER, Part.REVIEWER, Part.ASSIGNER, Part.LEAD}
    with pytest.raises(RoleNotPermitted):
        decide(s, o.Verify(passed=True))
    with pytest.raises(TransitionRefused, match="complained about"):
        decide(replace(s, actor=CENTRE), o.AssignVerifier(to=stage.TOWN_CENTRE))
    waiting = replace(root, state=LegState.SIGNED, pending=Pending("extension", "1 work_day", None))
    handling = replace(s, case=replace(case, state=State.HANDLING), legs=(waiting,))
    with pytest.raises(RoleNotPermitted):
        decide(handling, o.Grant())


def test_a_person_complained_about_has_no_part_at_all():
    case = stage.case(State.HANDLING, complained_about=(CENTRE.id,))
    s = stage.situation(case, stage.leg(case, stage.TRANSPORT, LegState.SIGNED), actor=CENTRE)
    assert s.parts() == frozenset()
    with pytest.raises(TransitionRefused, match="complained about"):
        decide(replace(s, actor=stage.SYSTEM), o.SetCaseHandler(person=CENTRE.id))


@pytest.mark.parametrize(
    ("desk", "town", "complained", "keeper"),
    [
        (stage.TOWN_CENTRE, stage.TOWN, stage.TOWN_CENTRE, stage.CENTRE),
        (stage.STATION, stage.TOWN, stage.STATION, stage.TOWN_CENTRE),
        (stage.TOWN_CENTRE, stage.TOWN, stage.MARKET, stage.TOWN_CENTRE),
        (stage.CENTRE, stage.TOWN, stage.CENTRE, stage.TOWN_CENTRE),
        (stage.CENTRE, None, stage.CENTRE, stage.CENTRE),
    ],
)
def test_the_next_desk_above_the_one_complained_about_keeps_the_case(
    desk: UUID, town: str | None, complained: UUID, keeper: UUID
):
    case = stage.case(State.HANDLING, desk=desk, town=town, complained_about=(complained,))
    s = stage.situation(case, stage.leg(case, stage.TRANSPORT, LegState.SIGNED))
    assert s.desk == keeper
    assert s.assigner_of(s.legs[0]) == keeper  # it was given out by the system: in the name of the desk
    biased = [replace(s, actor=who) for who in stage.EVERYBODY.values() if complained in who.organisations]
    assert biased
    assert all(each.parts() <= {Part.CLERK} for each in biased)


def test_the_centre_over_a_complaint_about_itself_passes_it_on_and_decides_nothing():
    whole: dict[str, Any] = {"complained_about": (stage.CENTRE,), "town": None, "area": stage.DISTRICT}
    s = stage.situation(stage.case(State.ACCEPTED, **whole), actor=CENTRE)
    assert s.parts() == {Part.CLERK}
    assert decide(s, o.Assign(to=stage.TRANSPORT))[2].case.state is State.ASSIGNED
    handled = stage.case(State.HANDLED, **whole)
    s = stage.situation(handled, stage.leg(handled, stage.TRANSPORT, LegState.SUBMITTED), actor=CENTRE)
    assert decide(s, o.AssignVerifier(to=stage.MARKET))[2].case.verifier == stage.MARKET
    for order in (
        o.Verify(passed=True),
        o.Amend(address="别处"),
        o.Split(children=(o.Child(item="H008", description="另有"),)),
    ):
        with pytest.raises(RoleNotPermitted):
            decide(s, order)
    for state, order in ((State.ACCEPTED, o.Close(reason="无须办理")), (State.RECEIVED, o.Reject(reason="不受理"))):
        with pytest.raises(RoleNotPermitted):
            decide(stage.situation(stage.case(state, **whole), actor=CENTRE), order)


async def test_over_a_complaint_about_the_centre_the_town_of_the_place_keeps_it(place: str):
    case = await opened(lead=None, complained_about=(stage.CENTRE,))
    assert case.desk == stage.TOWN_CENTRE
    nowhere = await opened(lead=None, place=None, complained_about=(stage.CENTRE,))
    assert nowhere.desk == stage.CENTRE  # never lost


def test_a_complaint_is_merged_only_where_whom_it_is_about_is_kept_out():
    case = stage.case(State.ACCEPTED, complained_about=(stage.TRANSPORT,))
    plain, same = stage.case(State.HANDLING), stage.case(State.HANDLING, complained_about=(stage.TRANSPORT,))
    s = stage.situation(case, actor=CENTRE)
    with pytest.raises(TransitionRefused, match="kept out"):
        decide(replace(s, found=Found(target=plain)), o.Merge(into=plain.id))
    assert decide(replace(s, found=Found(target=same)), o.Merge(into=same.id))[2].case.state is State.MERGED


async def test_whom_it_is_about_has_not_solved_it_at_the_door(place: str):
    solved = Solved(organisation=stage.MARKET, result="好了")
    with pytest.raises(Invalid, match="complained about"):
        await opened(solved=solved, lead=None, complained_about=(stage.MARKET,))


async def test_it_does_not_see_who_reported(place: str):
    for complained in ((stage.CENTRE,), (CENTRE.id,)):
        case = await opened(complained_about=complained)
        with pytest.raises(CaseNotFound):
            await queries.contact(case.id, "回访核实", CENTRE, NOW)
    case = await opened()
    assert (await queries.contact(case.id, "回访核实", CENTRE, NOW)).name == "张某"
