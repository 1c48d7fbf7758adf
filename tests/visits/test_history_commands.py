"""Past rounds taken over at once look as if they had been worked visit by visit."""

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import system
from app.kernel.ids import new_id
from app.kernel.problem import NotPermitted
from tests.visits import stage
from tests.visits.stage import EVENING, MORNING, Stage
from visits import history_commands, map_commands, round_commands, visit_commands
from visits.coverage import Level
from visits.history_commands import PastTurn, PastVisit
from visits.rounds import Half, RoundState
from visits.visit import Outcome


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def test_a_past_round_has_its_coverage_visits_and_facts(on: Stage) -> None:
    plan = await round_commands.plan_round(stage.new_round(on), on.leader.actor, MORNING)
    past = replace(plan, id=new_id(), created_at=MORNING - timedelta(days=30))
    outcomes = [Outcome.MET, Outcome.ABSENT, Outcome.REFUSED, None]
    turns = [
        PastTurn(
            round_id=past.id,
            household_id=home,
            person=on.worker.actor.id,
            squad=on.squad,
            planned_on=date(2026, 11, 23),
            half=Half.NIGHT,
            visit=None
            if outcome is None
            else PastVisit(id=new_id(), outcome=outcome, started_at=EVENING, cases=(new_id(), new_id()), solved=1),
        )
        for home, outcome in zip(on.homes, outcomes, strict=True)
    ]
    assert await history_commands.import_history([past], turns, system(stage.DISTRICT, "demo"), EVENING) == 3
    assert (await round_commands.get_round(past.id, on.leader.actor)).state is RoundState.CLOSED
    (town,) = await map_commands.coverage(past.id, Level.TOWN, on.leader.actor)
    assert (town.due, town.met, town.absent, town.refused, town.night) == (4, 1, 1, 1, 3)
    assert (town.demands, town.solved, town.open) == (6, 3, 1)
    listed = await visit_commands.list_visits(on.leader.actor, past.id, None, None, 10)
    assert {visit.cases for visit in listed} == {turn.visit.cases for turn in turns if turn.visit is not None}
    kinds = await db.fetch(
        "select kind, count(*) as all, count(done_at) as done, count(distinct team) as teams from fact"
        " where kind in ('visit', 'visit_due', 'demand') group by kind order by kind"
    )
    assert [tuple(row) for row in kinds] == [("demand", 6, 3, 1), ("visit", 3, 3, 1), ("visit_due", 4, 1, 1)]
    assert await db.fetchval("select last_visit_at from household where id = $1", on.homes[0]) == EVENING


async def test_only_the_district_takes_history_over(on: Stage) -> None:
    with pytest.raises(NotPermitted):
        await history_commands.import_history([], [], on.leader.actor, EVENING)
