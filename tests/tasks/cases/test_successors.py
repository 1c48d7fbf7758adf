"""The work of an organisation that ended is its successor's: parts, lists, phones, and what it is complained about."""

from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.kernel import db
from grid import commands as grid
from grid.commands import EndOrganisation
from grid.organisations import Directory
from tasks.cases import climbing, queries, queue_commands, reply_commands, supervision
from tasks.cases import orders as o
from tasks.cases.climbing import Climbed
from tasks.cases.effects import decide
from tasks.cases.escalation import WHOM
from tasks.cases.listing import Filter
from tasks.cases.model import LegKind, LegState, Part, State
from tasks.cases.problems import CaseNotFound, TransitionRefused
from tasks.cases.queue_commands import ChangedQueue, NewQueue
from tasks.cases.reply_commands import NewTemplate
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


async def test_what_a_list_shows_can_be_opened_below_a_superior_that_ended_too(place: str):
    """The team stays below the squadron that became the market bureau: that one lists the team's case and reads it."""
    case = await opened(lead=stage.TEAM)
    filed = Filter(state=("assigned",))
    assert await queries.cases(filed, stage.MARKET_CLERK, NOW, 10) == []
    with pytest.raises(CaseNotFound):
        await queries.case(case.id, stage.MARKET_CLERK, NOW)
    await grid.end_organisation(stage.ENFORCEMENT, EndOrganisation(successor=stage.MARKET), stage.SYSTEM, NOW)
    later = NOW + timedelta(minutes=1)
    assert [each.id for each in await queries.cases(filed, stage.MARKET_CLERK, later, 10)] == [case.id]
    assert (await queries.case(case.id, stage.MARKET_CLERK, later)).id == case.id


def test_who_is_told_of_a_late_leg_is_who_does_the_work_today():
    case = stage.case(State.HANDLING, desk=stage.TOWN_CENTRE)
    leg = stage.leg(case, stage.TEAM, LegState.SIGNED, assigner=stage.ENFORCEMENT)
    heirs = after((stage.TEAM, stage.POLICE), (stage.ENFORCEMENT, stage.MARKET), (stage.TOWN_CENTRE, stage.OTHER_TOWN))
    s = stage.situation(case, leg, directory=heirs)
    told = {whom: supervision.recipient(whom, s, leg, heirs) for whom in WHOM}
    assert told == {
        "organisation": stage.POLICE, "handler": stage.POLICE, "superior": stage.OTHER_TOWN, "assigner": stage.MARKET,
        "desk": stage.OTHER_TOWN, "town": stage.OTHER_TOWN, "centre": stage.CENTRE,
    }  # fmt: skip
    person = replace(leg, handler=stage.OFFICER.id)
    assert supervision.recipient("handler", s, person, heirs) == stage.OFFICER.id
    shunned = stage.situation(replace(case, complained_about=(stage.TOWN_CENTRE,)), leg)
    assert supervision.recipient("desk", shunned, leg, shunned.directory) == stage.CENTRE


def test_the_desk_of_today_is_reminded_of_verifying():
    done = stage.case(State.HANDLED, desk=stage.TOWN_CENTRE, handled_at=NOW, verify_due=NOW, verifier=None)
    heirs = after((stage.TOWN_CENTRE, stage.OTHER_TOWN), (stage.MARKET, stage.TRANSPORT))
    for verifier, told in ((None, stage.OTHER_TOWN), (stage.MARKET, stage.TRANSPORT)):
        case = replace(done, verifier=verifier)
        s = stage.situation(case, stage.leg(case, stage.TEAM, LegState.SUBMITTED), actor=stage.SYSTEM, directory=heirs)
        woken = climbing.wake(Climbed(s=replace(s, now=NOW + timedelta(hours=1))), heirs)
        assert [each.recipients for each in woken.told] == [(told, stage.CENTRE)]


async def test_queues_and_reply_templates_of_a_desk_that_was_renamed_are_its_successors(place: str):
    queue = await queue_commands.add(NewQueue(name="台", organisation=stage.TOWN_CENTRE), stage.TOWN_CLERK, NOW)
    template = NewTemplate(title="复", body="{number}", organisation=stage.TOWN_CENTRE)
    made = await reply_commands.add(template, stage.TOWN_CLERK, NOW)
    heir, later = stage.OTHER_TOWN_CLERK, NOW + timedelta(minutes=1)
    assert (await queue_commands.queues(heir, later), await reply_commands.templates(None, heir, later)) == ([], [])
    end = EndOrganisation(successor=stage.OTHER_TOWN)
    await grid.end_organisation(stage.TOWN_CENTRE, end, stage.SYSTEM, NOW)
    assert [each.id for each in await queue_commands.queues(heir, later)] == [queue.id]
    assert [each.id for each in await reply_commands.templates(None, heir, later)] == [made.id]
    changed = await queue_commands.change(queue.id, ChangedQueue(name="新台"), heir, later)
    assert (await queue_commands.queue(queue.id, heir, later)) == changed
    await reply_commands.remove(made.id, heir, later)
    assert await reply_commands.templates(None, heir, later) == []


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
