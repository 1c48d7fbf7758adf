"""Several at one matter: a force called up from the spot, assistants and who may let them go, joint inspections."""

from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.ids import new_id
from tasks.cases import commands, intake, queries
from tasks.cases import orders as o
from tasks.cases.intake import Reporter
from tasks.cases.model import LegKind, LegState, State
from tasks.cases.problems import OrganisationUnknown, RoleNotPermitted, TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, facts, opened, play, report

CENTRE, TOWN = stage.CENTRE_CLERK, stage.TOWN_CLERK


async def on_duty(person: UUID, organisation: UUID, area: str) -> None:
    await db.execute(
        "insert into person (id, organisation, name, started_at) values ($1, $2, '演示·值班', $3)",
        person,
        organisation,
        NOW,
    )  # fmt: skip
    await db.execute(
        "insert into duty_shift (id, person, organisation, area, starts_at, ends_at) values ($1, $2, $3, $4, $5, $6)",
        new_id(), person, organisation, area, NOW - timedelta(hours=1), NOW + timedelta(hours=8),
    )  # fmt: skip


async def test_who_is_on_the_spot_calls_the_force_on_duty_in_the_cell(place: str):
    case = await opened()
    await on_duty(stage.OFFICER.id, stage.ENFORCEMENT, stage.CELL)
    await on_duty(stage.POLICE_OFFICER.id, stage.POLICE, stage.VILLAGE)
    await play(case, (TOWN, o.Sign()))
    with pytest.raises(TransitionRefused, match="be there first"):
        await play(case, (TOWN, o.CallUp(force=stage.Force.POLICE)))
    seen = await play(case, (TOWN, o.Arrive()), (TOWN, o.CallUp(force=stage.Force.POLICE)))
    called = seen.legs[-1]
    assert (called.kind, called.organisation, called.handler) == ("assist", stage.POLICE, stage.POLICE_OFFICER.id)
    assert called.arrive_due == NOW + timedelta(minutes=2 + 30)  # the item sets no limit of its own
    seen = await play(case, (stage.POLICE_OFFICER, o.Attend()))
    assert seen.legs[-1].attended_at is not None
    there = (await facts(case.id, "attendance"))[0]
    assert (there["due_at"], there["done_at"]) == (called.arrive_due, seen.legs[-1].attended_at)


async def test_without_a_shift_the_forces_unit_is_called_and_a_force_that_is_not_there_is_not(place: str):
    case = await opened()
    await play(case, (TOWN, o.Sign()), (TOWN, o.Arrive()))
    seen = await play(case, (TOWN, o.CallUp(force=stage.Force.POLICE)))
    assert (seen.legs[-1].organisation, seen.legs[-1].handler) == (stage.POLICE, None)
    with pytest.raises(OrganisationUnknown):
        await play(case, (TOWN, o.CallUp(force=stage.Force.GRID)))


async def test_an_assistant_given_by_the_desk_is_let_go_by_the_desk_and_confirmed_by_the_lead(place: str):
    case = await opened(lead=None, place=None)
    order = o.Assign(to=stage.TOWN_CENTRE, assistants=(stage.POLICE, stage.MARKET))
    await play(case, (CENTRE, o.Accept()), (CENTRE, order), (TOWN, o.Sign()))
    seen = await queries.case(case.id, CENTRE, NOW)
    police, market = (leg.id for leg in seen.legs[1:])
    with pytest.raises(RoleNotPermitted):
        await play(case, (TOWN, o.Waive(leg=market)))
    await play(case, (CENTRE, o.Waive(leg=market)), (stage.POLICE_OFFICER, o.Sign()))
    await play(case, (stage.POLICE_OFFICER, o.Submit(result="已疏导")))
    with pytest.raises(RoleNotPermitted):
        await play(case, (CENTRE, o.Confirm(leg=police)))
    with pytest.raises(TransitionRefused):
        await play(case, (stage.POLICE_OFFICER, o.Attend(leg=police)))  # handed up: over for it
    seen = await play(case, (TOWN, o.SendBack(leg=police, reason="没写时间")))
    assert (seen.legs[1].state, seen.legs[1].reworks) == ("signed", 1)
    await play(case, (stage.POLICE_OFFICER, o.Submit(result="已疏导")), (TOWN, o.Confirm(leg=police)))
    assert (await play(case, (TOWN, o.Submit(result="好了", evidence=(stage.photo(),))))).state == "handled"


def test_a_return_needs_no_open_leg_below():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
    assist = stage.leg(case, stage.POLICE, kind=LegKind.ASSIST, parent=root.id, ordinal=2)
    from_town = stage.situation(case, root, assist, actor=TOWN)
    with pytest.raises(TransitionRefused):
        commands.decide(from_town, o.Return(leg=root.id, reason="不归我们"))
    alone = replace(from_town, legs=(root, replace(assist, state=LegState.WAIVED)))
    assert commands.decide(alone, o.Return(leg=root.id, reason="不归我们"))[2].case.state is State.ACCEPTED


@pytest.mark.parametrize("end", [LegState.CONFIRMED, LegState.RECALLED, LegState.WAIVED])
@pytest.mark.parametrize("kind", [LegKind.INNER, LegKind.ASSIST])
def test_nothing_is_returned_once_work_was_recorded_on_a_leg_below_it(kind: LegKind, end: LegState):
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
    inner = stage.leg(case, stage.ENFORCEMENT, LegState.CONFIRMED, LegKind.INNER, parent=root.id, ordinal=2)
    worked = stage.leg(case, stage.POLICE, end, kind, parent=inner.id, ordinal=3, worked=True)
    from_town = stage.situation(case, root, inner, worked, actor=TOWN)
    with pytest.raises(TransitionRefused, match="work was recorded"):
        commands.decide(from_town, o.Return(leg=root.id, reason="不归我们"))
    idle = replace(from_town, legs=(root, inner, replace(worked, worked=False)))
    assert commands.decide(idle, o.Return(leg=root.id, reason="不归我们"))[2].case.state is State.ACCEPTED


# ---- inspections


async def test_what_an_inspection_finds_is_a_case_of_its_own_that_does_not_keep_it_open(place: str):
    inspection = report(
        source="field", item="E0504", description="市场联合检查", lead=stage.SQUAD, checklist=("消防通道", "占道"),
        reporter=Reporter(kind="worker", id=stage.STATION_CLERK.id),
    )  # fmt: skip
    case = await intake.open(inspection, stage.STATION_CLERK, NOW)
    squad = stage.staff(78, stage.Role.SQUAD_LEADER, stage.SQUAD, stage.VILLAGE)
    await play(case, (squad, o.Sign()))
    with pytest.raises(TransitionRefused, match="no such point"):
        await play(case, (squad, o.Check(point="食品", passed=True)))
    finding = o.Child(item="E0504", description="门口占道", address="演示路 3 号")
    seen = await play(
        case,
        (squad, o.Check(point="消防通道", passed=True)),
        (squad, o.Check(point="占道", passed=False, note="占道三米", finding=finding)),
    )
    assert [(each.point, each.passed) for each in seen.checklist] == [("消防通道", True), ("占道", False)]
    found = await queries.case(seen.checklist[1].finding or case.id, CENTRE, NOW)
    assert (found.origin, found.parent, found.address, found.source) == (case.id, None, "演示路 3 号", "inspection")
    await play(case, (squad, o.Submit(result="检查完毕", evidence=(stage.photo(),))))
    assert (await play(case, (CENTRE, o.Verify(passed=True)))).state == "closed"
    assert (await queries.case(found.id, CENTRE, NOW)).state in ("assigned", "received")
