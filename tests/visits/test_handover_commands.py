"""A leaver's open visits are somebody else's from then on, on their phone; those nobody of the squad takes wait."""

from uuid import UUID

import pytest

from app.kernel import changes, db
from app.kernel.actor import system
from app.kernel.ids import new_id
from tests.visits import stage
from tests.visits.stage import MORNING, Stage
from visits import handover_commands, round_commands
from visits.handover_commands import HandedVisits
from visits.rounds import Assignment, AssignmentState

SYSTEM = system(stage.DISTRICT, "handover")


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def given_out(on: Stage) -> UUID:
    round_ = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    await round_commands.assign(round_.id, stage.everything(), on.leader.actor, MORNING)
    return round_.id


async def lists(round_id: UUID, on: Stage) -> list[Assignment]:
    return await round_commands.list_assignments(round_id, None, on.leader.actor)


async def on_phone(person: UUID) -> set[str]:
    await changes.assign_positions()
    return {each.entity for each in await changes.read(f"person:{person}", 0, 100) if each.body is not None}


async def test_open_visits_go_to_a_colleague_of_the_squad_and_to_their_phone(on: Stage) -> None:
    round_id = await given_out(on)
    heir = on.other.actor.id
    done = next(each for each in await lists(round_id, on) if each.person == on.worker.actor.id)
    await db.execute("update assignment set state = 'done' where id = $1", done.id)
    handed = await handover_commands.hand_over(on.worker.actor.id, heir, SYSTEM, MORNING)
    assert handed == HandedVisits(reassigned=1, unplanned=0, unsent=0)
    after = await lists(round_id, on)
    open_ = {each.id for each in after if each.state is AssignmentState.PLANNED}
    assert {each.person for each in after if each.id in open_} == {heir}
    assert next(each for each in after if each.id == done.id).person == on.worker.actor.id
    assert await on_phone(heir) == {str(each) for each in open_}
    again = await handover_commands.hand_over(on.worker.actor.id, heir, SYSTEM, MORNING)
    assert again == HandedVisits(reassigned=0, unplanned=0, unsent=0)


async def test_what_nobody_of_the_squad_takes_waits_for_planning(on: Stage) -> None:
    round_id = await given_out(on)
    await db.execute(
        "insert into device_sync (device, person, app_schema, pending_after) values ($1, $2, 2, 3)",
        on.device,
        on.worker.actor.id,
    )
    handed = await handover_commands.hand_over(on.worker.actor.id, new_id(), SYSTEM, MORNING)
    assert handed == HandedVisits(reassigned=0, unplanned=2, unsent=3)
    free = [each for each in await lists(round_id, on) if each.person is None]
    assert len(free) == 2
    assert await on_phone(on.worker.actor.id) == set()
    await round_commands.assign(round_id, stage.everything(), on.leader.actor, MORNING)
    assert all(each.person is not None for each in await lists(round_id, on))


async def test_visits_of_a_closed_round_are_nobodys_open_work(on: Stage) -> None:
    round_id = await given_out(on)
    await round_commands.close_round(round_id, on.leader.actor, MORNING)
    handed = await handover_commands.hand_over(on.worker.actor.id, on.other.actor.id, SYSTEM, MORNING)
    assert handed.reassigned == 0
