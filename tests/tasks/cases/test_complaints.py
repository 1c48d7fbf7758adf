"""Who is complained about neither leads nor verifies nor decides, and does not see who reported it."""

import pytest
from msgspec.structs import replace

from tasks.cases import intake, queries
from tasks.cases import orders as o
from tasks.cases.effects import decide
from tasks.cases.intake import Reporter
from tasks.cases.model import LegState, Part, Pending, State
from tasks.cases.problems import CaseNotFound, RoleNotPermitted, TransitionRefused
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


async def test_it_does_not_see_who_reported(place: str):
    for complained in ((stage.CENTRE,), (CENTRE.id,)):
        case = await opened(complained_about=complained)
        with pytest.raises(CaseNotFound):
            await queries.contact(case.id, "回访核实", CENTRE, NOW)
    case = await opened()
    assert (await queries.contact(case.id, "回访核实", CENTRE, NOW)).name == "张某"
