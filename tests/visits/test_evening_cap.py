"""Nobody gets more visits an evening than the round allows, whichever round, hand or reassignment they come from."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from app.kernel.problem import Invalid
from tests.visits import stage
from tests.visits.stage import MORNING, Stage
from visits import round_commands
from visits.problems import RoundRefuses
from visits.proposal import ByHand, MemberChoice, PlanRequest, Reassign
from visits.rounds import Assignment, Round, Target

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def planned(on: Stage, **changes: Any) -> Round:
    new = stage.new_round(on, **({"per_evening": 2, "ends_on": TUESDAY} | changes))
    return await round_commands.plan_round(new, on.leader.actor, MORNING)


async def assigned(on: Stage, round_: Round, request: PlanRequest) -> list[Assignment]:
    await round_commands.assign(round_.id, request, on.leader.actor, MORNING)
    return await round_commands.list_assignments(round_.id, None, on.leader.actor)


def only(on: Stage) -> PlanRequest:
    return PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))


async def test_the_evenings_another_round_filled_are_passed_over(on: Stage) -> None:
    first = Target(area=stage.VILLAGE, households=on.homes[:3])
    await assigned(on, await planned(on, target=first), only(on))
    last = Target(area=stage.VILLAGE, households=on.homes[3:])
    [other] = await assigned(on, await planned(on, target=last), only(on))
    assert other.planned_on == TUESDAY  # Monday has two already
    more = await assigned(on, await planned(on), only(on))
    assert [each.person for each in more] == [None] * 4  # and now both evenings are full


async def test_a_full_evening_takes_nothing_by_hand(on: Stage) -> None:
    by_hand = tuple(ByHand(household=home, person=on.worker.actor.id, planned_on=MONDAY) for home in on.homes[:3])
    with pytest.raises(Invalid) as refused:
        await assigned(on, await planned(on), PlanRequest(by_hand=by_hand))
    assert [each.field for each in refused.value.errors] == ["by_hand[2].planned_on"]


async def test_what_is_given_by_hand_counts_for_the_evening(on: Stage) -> None:
    by_hand = (ByHand(household=on.homes[0], person=on.worker.actor.id, planned_on=MONDAY),)
    lists = await assigned(on, await planned(on), PlanRequest(members=only(on).members, by_hand=by_hand))
    assert Counter(each.planned_on for each in lists) == {MONDAY: 2, TUESDAY: 2}


async def test_a_reassignment_that_would_overfill_an_evening_is_refused_and_planning_anew_is_not(on: Stage) -> None:
    round_ = await planned(on, per_evening=3, ends_on=MONDAY)
    await assigned(on, round_, stage.everything())  # two each
    leaver, target = on.worker.actor.id, on.other.actor.id
    with pytest.raises(RoundRefuses):
        await round_commands.reassign(round_.id, Reassign(source=leaver, target=target), on.leader.actor, MORNING)
    lists = await assigned(on, round_, PlanRequest(members=(MemberChoice(person=target),)))
    assert Counter(each.person for each in lists) == {target: 3, None: 1}
