"""Verifying, reviewing, suspending, withdrawing: whoever judges did not handle it, and times are the step's own."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.problem import Invalid
from tasks.cases import commands, intake
from tasks.cases import orders as o
from tasks.cases.effects import decide
from tasks.cases.intake import Reporter, Solved
from tasks.cases.model import LegKind, LegState, Pending, State
from tasks.cases.problems import RoleNotPermitted, TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, facts, opened, play, report

CENTRE, TOWN = stage.CENTRE_CLERK, stage.TOWN_CLERK
HANDLED = ((TOWN, o.Sign()), (TOWN, o.Submit(result="好了", evidence=(stage.photo(),))))
LATER = NOW + timedelta(hours=9)


async def test_the_verifier_named_verifies_and_nobody_else(place: str):
    case = await opened()
    seen = await play(case, *HANDLED, (CENTRE, o.AssignVerifier(to=stage.MARKET, due=LATER)))
    assert (seen.verifier, seen.verify_due) == (stage.MARKET, LATER)
    with pytest.raises(RoleNotPermitted):
        await play(case, (CENTRE, o.Verify(passed=True)))
    seen = await play(case, (stage.MARKET_CLERK, o.Verify(passed=False)))
    assert (seen.state, seen.lead, seen.verifier) == ("assigned", stage.TOWN_CENTRE, None)
    assert seen.legs[-1].assigner is None  # the desk's, as before: the verifier gave out nothing
    assert len(await facts(case.id, "verification")) == 1


async def test_the_handler_is_not_named_verifier(place: str):
    case = await opened()
    await play(case, *HANDLED)
    with pytest.raises(TransitionRefused, match="handler"):
        await play(case, (CENTRE, o.AssignVerifier(to=stage.TOWN_CENTRE)))
    with pytest.raises(Invalid, match="due"):
        await play(case, (CENTRE, o.AssignVerifier(to=stage.MARKET, due=NOW - timedelta(days=1))))


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("ended", [LegState.WAIVED, LegState.RECALLED])
def test_an_assistant_let_go_before_it_did_anything_may_verify(ended: LegState, there: bool):
    case = stage.case(State.HANDLED, verifier=stage.POLICE)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED)
    assist = stage.leg(case, stage.POLICE, ended, LegKind.ASSIST, parent=root.id, ordinal=2, worked=there)
    s = stage.situation(case, root, assist, actor=stage.POLICE_OFFICER)
    if there:
        with pytest.raises(RoleNotPermitted):
            decide(s, o.Verify(passed=True))
    else:
        assert decide(s, o.Verify(passed=True))[2].case.state is State.CALLING_BACK


def test_a_case_closed_without_an_answer_does_not_keep_the_rating_of_a_handling_before():
    due = stage.NOW - timedelta(minutes=1)
    case = stage.case(State.CALLING_BACK, rating=1, satisfied=False, redos=1, call_back_due=due)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED)
    closed = decide(stage.situation(case, root, actor=stage.SYSTEM), o.CloseUnrated())[2].case
    assert (closed.state, closed.rating, closed.satisfied, closed.redos) == (State.CLOSED, None, None, 1)


async def test_a_dossier_is_reviewed_by_somebody_else_than_the_handler(place: str):
    case = await opened(desk=stage.TOWN_CENTRE)
    await play(case, *HANDLED, (CENTRE, o.Verify(passed=True)))
    order = o.ReviewDossier(checklist={o.DossierPoint.EVIDENCE: True, o.DossierPoint.REPLY: False}, note="缺答复")
    with pytest.raises(RoleNotPermitted):
        await play(case, (TOWN, order))  # its desk, but its handler too
    seen = await play(case, (CENTRE, order))
    assert (seen.state, seen.reviewed_at) == ("calling_back", NOW + timedelta(minutes=1))
    reviewed = (await facts(case.id, "review"))[0]
    assert (reviewed["attributes"]["passed"], reviewed["attributes"]["faults"]) == (False, ["reply"])


async def test_what_is_being_handled_is_withdrawn_by_its_assigner_when_the_citizen_asks(place: str):
    case = await opened()
    seen = await play(case, (TOWN, o.Sign()), (stage.CITIZEN, o.Withdraw(reason="自己解决了")))
    assert (seen.state, seen.withdrawal_asked) == ("handling", True)
    with pytest.raises(RoleNotPermitted):
        await play(case, (TOWN, o.RefuseWithdrawal(reason="仍须处理")))
    seen = await play(case, (CENTRE, o.RefuseWithdrawal(reason="仍须处理")))
    assert (seen.state, seen.withdrawal_asked) == ("handling", False)
    seen = await play(case, (stage.CITIZEN, o.Withdraw()), (CENTRE, o.Withdraw()))
    assert (seen.state, {leg.state for leg in seen.legs}) == ("withdrawn", {"recalled"})


def test_the_request_to_withdraw_is_the_root_assigners_to_decide_not_any_desks():
    case = stage.case(State.HANDLING, withdrawal_asked=True)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigner=stage.MARKET)
    s = stage.situation(case, root, actor=CENTRE)
    with pytest.raises(TransitionRefused, match="assigned it"):
        decide(s, o.Withdraw())
    assert decide(replace(s, actor=stage.MARKET_CLERK), o.Withdraw())[2].case.state is State.WITHDRAWN


# ---- suspending


def test_suspending_the_root_stops_all_clocks_whatever_is_open_below():
    case = stage.case(State.HANDLING)
    half: dict[str, Any] = {
        "handle_limit": "60 minute",
        "assigned_at": stage.NOW,
        "sign_due": stage.NOW + timedelta(minutes=60),
    }
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, **half)
    inner = stage.leg(case, stage.ENFORCEMENT, kind=LegKind.INNER, parent=root.id, ordinal=2, **half)
    root = replace(root, pending=Pending("suspension", None, None))
    item = stage.item(limits={"routine": replace(stage.item().clocks(case.severity), sign="60 minute", total=None)})
    s = stage.situation(case, root, inner, actor=CENTRE, item=item)
    for way in (o.Grant(), o.Suspend(reason="等配件")):
        suspended = decide(s, way)[2]
        legs = tuple({leg.id: leg for leg in (root, inner, *suspended.legs)}.values())
        assert suspended.case.state is State.SUSPENDED
        frozen = replace(s, case=suspended.case, legs=legs, now=stage.NOW + timedelta(minutes=30))
        for order in (o.Recall(leg=inner.id, reason="收回"), o.Merge(into=stage.new_id()), o.Withdraw()):
            with pytest.raises(TransitionRefused):
                decide(frozen, order)
        resumed = decide(frozen, o.Resume())[2]
        assert {leg.handle_due for leg in resumed.legs} == {stage.NOW + timedelta(minutes=90)}
        assert next(leg for leg in resumed.legs if leg.id == inner.id).sign_due == stage.NOW + timedelta(minutes=90)


def test_suspending_an_inner_leg_stops_its_clock_alone_until_a_time():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, handle_due=stage.NOW + timedelta(days=9))
    inner = stage.leg(
        case, stage.ENFORCEMENT, LegState.SIGNED, LegKind.INNER, parent=root.id, ordinal=2, assigner=stage.TOWN_CENTRE,
        handle_limit="60 minute", assigned_at=stage.NOW,
    )  # fmt: skip
    s = stage.situation(case, root, inner, actor=stage.OFFICER)
    with pytest.raises(TransitionRefused, match="without an end"):
        decide(s, o.Request(leg=inner.id, kind="suspension", reason="等配件"))
    until = stage.NOW + timedelta(minutes=20)
    asked = decide(s, o.Request(leg=inner.id, kind="suspension", until=until, reason="等配件"))[2]
    granted = decide(replace(s, legs=(root, *asked.legs), actor=TOWN), o.Grant(leg=inner.id))[2]
    assert granted.case.state is State.HANDLING
    assert [leg.id for leg in granted.legs] == [inner.id]
    assert granted.legs[0].handle_due == stage.NOW + timedelta(minutes=80)


def test_a_return_stays_possible_after_a_grant():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, pending=Pending("extension", "1 work_day", None))
    granted = decide(stage.situation(case, root, actor=CENTRE), o.Grant())[2]
    after = stage.situation(case, *granted.legs, actor=TOWN)
    assert decide(after, o.Return(reason="不归我们"))[2].case.state is State.ACCEPTED


# ---- whose it is again


@pytest.mark.parametrize("way", ["rework", "redo", "reopen"])
def test_a_ruled_lead_cannot_return_what_comes_back_to_it(way: str):
    state = {"rework": State.HANDLED, "redo": State.CALLING_BACK, "reopen": State.CLOSED}[way]
    order = {"rework": o.Verify(passed=False), "redo": o.Rate(score=1), "reopen": o.Reopen(reason="又来了")}[way]
    case = stage.case(state, last_lead=stage.TOWN_CENTRE, ruled=True, closed_at=stage.NOW)
    over = LegState.CONFIRMED if way == "reopen" else LegState.SUBMITTED
    root = stage.leg(case, stage.TOWN_CENTRE, over, final=True, assigner=stage.CENTRE)
    change = decide(stage.situation(case, root, actor=CENTRE), order)[2]
    fresh = change.legs[-1]
    assert (fresh.organisation, fresh.state, fresh.final) == (stage.TOWN_CENTRE, LegState.UNSIGNED, True)
    assert (change.case.reworks, change.case.redos, change.case.reopens).count(1) == 1
    with pytest.raises(TransitionRefused, match="ruling"):
        decide(stage.situation(change.case, root, fresh, actor=TOWN), o.Return(leg=fresh.id, reason="不归我们"))


def test_another_lead_than_the_one_ruled_may_return_it():
    case = stage.case(State.ACCEPTED, last_lead=stage.TOWN_CENTRE, ruled=True)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.RECALLED, final=True)
    s = stage.situation(case, root, actor=CENTRE)
    assert decide(s, o.Assign(to=stage.TRANSPORT))[2].legs[0].final is False
    assert decide(s, o.Assign(to=stage.TOWN_CENTRE))[2].legs[0].final is True


@pytest.mark.parametrize("now", [stage.TRANSPORT, None])
def test_work_done_again_goes_to_the_last_leads_successor_else_to_the_desk(now: object):
    case = stage.case(State.HANDLED, last_lead=stage.TOWN_CENTRE)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED)
    change = decide(stage.situation(case, root, actor=CENTRE, last_lead_now=now), o.Verify(passed=False))[2]
    assert change.case.state is (State.ASSIGNED if now else State.ACCEPTED)
    assert [leg.organisation for leg in change.legs[1:]] == ([now] if now else [])


async def test_about_one_in_ten_of_what_was_solved_on_the_spot_is_left_to_somebody_else(place: str):
    solved = Solved(organisation=stage.SQUAD, result="当场调解", person=stage.STATION_CLERK.id)
    plain = report(
        source="visit",
        item="V002",
        reporter=Reporter(kind="worker", id=stage.STATION_CLERK.id),
        lead=None,
        solved=solved,
    )
    ids = [stage.numbered(n) for n in range(300)]
    another_day = NOW + timedelta(days=40)
    cases = await intake.open_many([replace(plain, id=each) for each in ids], stage.STATION_CLERK, another_day)
    left = [case.id for case in cases if case.state is State.HANDLED]
    assert 10 < len(left) < 60
    assert {case.state for case in cases} == {State.HANDLED, State.CLOSED}
    with pytest.raises(RoleNotPermitted):
        squad = stage.staff(77, stage.Role.SQUAD_LEADER, stage.SQUAD, stage.VILLAGE)
        await commands.give(left[0], o.Verify(passed=True), squad, another_day)
    assert (await commands.give(left[0], o.Verify(passed=False), CENTRE, another_day)).state == "accepted"


async def test_a_call_for_help_is_a_critical_case(place: str):
    sos = report(source="field", item="SOS", description="求助", reporter=Reporter(kind="worker", id=stage.OFFICER.id))
    case = await intake.open(replace(sos, lead=None), stage.OFFICER, NOW)
    assert (case.severity, case.state) == ("critical", State.ASSIGNED)
