"""The district's own rules of visiting: versions, and what they change in planning and at the door."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from app.kernel.problem import NotPermitted, StaleVersion
from tests.tools import people
from tests.visits import stage
from tests.visits.stage import DISTRICT, EVENING, MORNING, Stage
from visits import commands, round_commands, rule_commands, visit_commands
from visits.households import Rules
from visits.rule_commands import ChangedRules
from visits.visit import Outcome, VisitReport, moment


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def write(actor: Actor, version: int = 0, **rules: Any) -> rule_commands.RulesView:
    return await rule_commands.write(ChangedRules(version=version, rules=Rules(**rules)), actor, MORNING)


async def visit(on: Stage, home: int, outcome: Outcome) -> None:
    report = VisitReport(household=on.homes[home], outcome=outcome, started_at=EVENING)
    when = moment(EVENING, timedelta(), EVENING)
    await visit_commands.record_visit(new_id(), report, when, on.worker.actor, EVENING)


async def excluded(on: Stage, days: int) -> dict[str, int]:
    later = EVENING + timedelta(days=days)
    new = stage.new_round(on, starts_on=later.date(), ends_on=later.date() + timedelta(days=3))
    round_ = await round_commands.plan_round(new, on.leader.actor, later)
    return (await round_commands.preview(round_.id, stage.everything(), on.leader.actor, later)).excluded


async def test_without_rules_of_its_own_a_district_has_those_of_the_product(on: Stage) -> None:
    shown = await rule_commands.show(on.worker.actor)
    assert (shown.version, shown.rules) == (0, Rules())


async def test_a_refusal_counts_for_the_months_the_district_says(on: Stage) -> None:
    await visit(on, 0, Outcome.REFUSED)
    assert await excluded(on, 40) == {"refused": 1}
    await write(on.centre.actor, refusal_months=1)
    assert await excluded(on, 40) == {}
    assert await excluded(on, 20) == {"refused": 1}


async def test_a_household_is_visited_as_often_as_the_district_says(on: Stage) -> None:
    await visit(on, 0, Outcome.MET)
    assert await excluded(on, 2) == {}
    await write(on.centre.actor, visits_per_period=1, period_days=10)
    assert await excluded(on, 2) == {"enough": 1}
    assert await excluded(on, 11) == {}


async def test_danger_expires_after_the_days_the_district_says(on: Stage) -> None:
    await write(on.centre.actor, unsafe_days=3)
    await visit(on, 0, Outcome.UNSAFE)
    home = await commands.get_household(on.homes[0], on.leader.actor)
    assert home.unsafe_until == EVENING + timedelta(days=3)


async def test_every_version_is_kept_and_an_old_one_is_not_written_over(on: Stage) -> None:
    first = await write(on.centre.actor, refusal_months=3)
    assert (first.version, first.author) == (1, on.centre.actor.id)
    assert (await write(on.centre.actor, 1, refusal_months=3)).version == 1  # nothing new
    assert (await write(on.centre.actor, 1, refusal_months=4)).version == 2
    with pytest.raises(StaleVersion):
        await write(on.centre.actor, 1, refusal_months=5)
    assert await db.fetchval("select count(*) from visit_rules") == 2


async def test_of_two_that_write_at_once_one_is_told(committed: str) -> None:
    centre = await people.sign_in(DISTRICT, Role.DISTRICT_CENTRE)
    results = await asyncio.gather(
        *(write(centre.actor, refusal_months=n) for n in range(1, 4)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in results) == ["RulesView", "StaleVersion", "StaleVersion"]


async def test_only_the_district_writes_them(on: Stage) -> None:
    with pytest.raises(NotPermitted):
        await write(on.leader.actor, refusal_months=1)
