"""The work of an organisation that ended is its successor's: parts, lists, phones, and what it is complained about."""

from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.kernel import db
from grid import commands as grid
from grid.commands import EndOrganisation
from grid.organisations import Directory
from tasks.cases import orders as o
from tasks.cases import queries
from tasks.cases.effects import decide
from tasks.cases.listing import Filter
from tasks.cases.model import LegKind, LegState, Part, State
from tasks.cases.problems import TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play


def after(*ended: tuple[UUID, UUID | None]) -> Directory:
    """The made-up town once organisations ended: (which, its successor)."""
    heirs = dict(ended)
    gone = stage.NOW - timedelta(days=1)
    return Directory(
        [
            replace(each, ended_at=gone, successor=heirs[each.id]) if each.id in heirs else each
            for each in stage.ORGANISATIONS
        ],
        stage.NOW,
    )


TWICE = after((stage.ENFORCEMENT, stage.TEAM), (stage.TEAM, stage.POLICE))
"""The squadron became the team, the team the police station."""


def test_the_line_of_an_organisation_is_the_same_from_each_of_its_ends():
    line = {stage.ENFORCEMENT, stage.TEAM, stage.POLICE}
    assert TWICE.line(stage.ENFORCEMENT) == TWICE.line(stage.TEAM) == TWICE.line(stage.POLICE) == line
    assert TWICE.line(stage.MARKET) == {stage.MARKET}
    assert after((stage.MARKET, None)).line(stage.MARKET) == {stage.MARKET}


@pytest.mark.parametrize("who", ["police", "officer"])
def test_over_two_successors_whoever_works_there_now_signs_submits_and_counts_as_handler(who: str):
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
    inner = stage.leg(case, stage.ENFORCEMENT, kind=LegKind.INNER, parent=root.id, ordinal=2)
    s = stage.situation(case, root, inner, actor=stage.EVERYBODY[who], directory=TWICE, item=stage.item())
    at, _, signed = decide(s, o.Sign())
    assert signed.legs[0].state is LegState.SIGNED
    assert at.acting_organisation == stage.POLICE  # it is done in the name of who is there today
    s = replace(s, legs=(root, signed.legs[0]))
    submitted = decide(s, o.Submit(leg=inner.id, result="好了"))[2].legs[0]
    handled = replace(
        s,
        case=replace(case, state=State.HANDLED, verifier=stage.POLICE),
        legs=(replace(root, state=LegState.SUBMITTED), replace(submitted, state=LegState.CONFIRMED, submitter=None)),
    )
    assert Part.VERIFIER not in handled.parts()
    for verifier in (stage.POLICE, stage.TOWN_CENTRE):
        with pytest.raises(TransitionRefused):
            decide(replace(handled, actor=stage.CENTRE_CLERK), o.AssignVerifier(to=verifier))


def test_the_successor_of_the_assigner_decides_and_the_desk_for_one_that_is_gone():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigner=stage.MARKET)
    heir = after((stage.MARKET, stage.TRANSPORT))
    s = stage.situation(case, root, actor=stage.TRANSPORT_CLERK, directory=heir)
    assert Part.ASSIGNER in s.parts()
    gone = replace(s, directory=after((stage.MARKET, None)), actor=stage.CENTRE_CLERK)
    assert Part.ASSIGNER in gone.parts()


def test_who_took_over_from_the_one_complained_about_is_kept_out_too():
    case = stage.case(State.ACCEPTED, complained_about=(stage.ENFORCEMENT,))
    s = stage.situation(case, actor=stage.CENTRE_CLERK, directory=TWICE)
    with pytest.raises(TransitionRefused, match="complained about"):
        decide(s, o.Assign(to=stage.POLICE))
    assert replace(s, actor=stage.POLICE_OFFICER).complained_about


async def test_members_of_the_successor_find_the_case_in_their_list_and_on_their_phones(place: str):
    case = await opened(lead=stage.MARKET)
    mine = Filter(state=("assigned",))
    assert await queries.cases(mine, stage.TRANSPORT_CLERK, NOW, 10) == []
    await grid.end_organisation(stage.MARKET, EndOrganisation(successor=stage.TRANSPORT), stage.SYSTEM, NOW)
    later = NOW + timedelta(minutes=1)
    assert [each.id for each in await queries.cases(mine, stage.TRANSPORT_CLERK, later, 10)] == [case.id]
    assert (await queries.counts(stage.TRANSPORT_CLERK, later))["assigned"] == 1
    seen = await play(case, (stage.TRANSPORT_CLERK, o.Sign()))
    assert seen.state == "handling"
    bucket = f"squad:{stage.TRANSPORT}"
    told = await db.fetch("select 1 from change where bucket = $1 and entity = $2", bucket, str(case.id))
    assert told
