"""Histories come out as live cases would: same states, whole traces, same facts."""

from datetime import timedelta

import pytest

from app.kernel import db
from tasks.cases import commands, intake, replay, store, trail
from tasks.cases import orders as o
from tasks.cases.model import Case, Leg
from tasks.cases.problems import RoleNotPermitted
from tasks.cases.replay import Given, History
from tests.tasks.cases import stage, town

NOW = stage.NOW
ORDERS = (
    (stage.TOWN_CLERK, o.Sign()),
    (stage.TOWN_CLERK, o.Delegate(to=stage.ENFORCEMENT)),
    (stage.OFFICER, o.Sign()),
    (stage.OFFICER, o.Submit(result="已清理", evidence=(stage.photo(),))),
    (stage.TOWN_CLERK, o.Confirm()),
    (stage.TOWN_CLERK, o.Submit(result="已办结", evidence=(stage.photo(),))),
    (stage.CENTRE_CLERK, o.Verify(passed=True)),
)


def report() -> intake.Report:
    reporter = intake.Reporter(kind="worker", id=stage.OFFICER.id)
    return intake.Report(source="field", item="E0102", description="垃圾成堆", reporter=reporter, place=town.INSIDE)


def script(case: Case, legs: tuple[Leg, ...]) -> Given | None:
    done = case.version - 3  # received, accepted, assigned
    return Given(NOW + timedelta(minutes=done + 1), *ORDERS[done]) if done < len(ORDERS) else None


async def facts_of(case: Case) -> list[tuple[object, ...]]:
    rows = await db.fetch(
        "select distinct on (fact_id) kind, force, town, team, person, item, occurred_at, due_at, done_at"
        " from fact where attributes->>'case' = $1 order by fact_id, version desc",
        str(case.id),
    )
    return sorted((tuple(row) for row in rows), key=str)


async def test_a_history_ends_where_the_same_commands_given_live_end(place: str):
    history = History(report=report(), actor=stage.OFFICER, at=NOW, script=script)
    played = (await replay.play(place, [history], NOW + timedelta(days=1)))[0]
    live = await intake.open(report(), stage.OFFICER, NOW)
    for n, (actor, order) in enumerate(ORDERS, 1):
        await commands.give(live.id, order, actor, NOW + timedelta(minutes=n))
    live = (await store.cases([live.id]))[0]
    told = {name: getattr(live, name) for name in live.__struct_fields__} | {
        "id": played.id, "number": played.number, "trace_hash": played.trace_hash,
    }  # fmt: skip
    assert {name: getattr(played, name) for name in played.__struct_fields__} == told
    assert (await store.cases([played.id]))[0] == played
    assert [link.type for link in await store.links(played.id)] == [link.type for link in await store.links(live.id)]
    assert await facts_of(played) == await facts_of(live)
    assert (await trail.verify_all(place)).broken is None


async def test_a_script_that_breaks_the_rules_is_refused_as_live(place: str):
    def wrong(case: Case, legs: tuple[Leg, ...]) -> Given | None:
        return Given(NOW, stage.MARKET_CLERK, o.Sign())

    with pytest.raises(RoleNotPermitted):
        await replay.play(place, [History(report=report(), actor=stage.OFFICER, at=NOW, script=wrong)], NOW)


async def test_numbers_carry_the_day_of_the_history(place: str):
    histories = [
        History(report=report(), actor=stage.OFFICER, at=NOW - timedelta(days=n % 3), script=lambda _, __: None)
        for n in range(6)
    ]
    cases = await replay.play(place, histories, NOW)
    assert [case.number[2:10] for case in cases] == ["20261123", "20261122", "20261121"] * 2
    assert len({case.number for case in cases}) == 6
