"""After a visit: a sample of households is called back by somebody else, and never one that may not be called."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel import db, event
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from tests.tools import people
from tests.tools.people import Person
from tests.visits import stage
from tests.visits.stage import DISTRICT, EVENING, LATER, MORNING, TOWN, Stage
from visits import callback_commands, callbacks, commands, rule_commands, visit_commands
from visits.callbacks import Call, CallBack, CallBackState
from visits.events import VisitRecorded
from visits.households import Consent, HouseholdChange, Rules
from visits.problems import CallBackNotFound, CallBackSettled
from visits.rule_commands import ChangedRules
from visits.visit import Outcome, VisitReport, moment


@pytest.fixture
async def on(district: str) -> Stage:
    """Everybody who is met is called back."""
    played = await stage.build()
    rules = ChangedRules(version=0, rules=Rules(call_back_one_of=1, tell=True))
    await rule_commands.write(rules, played.centre.actor, MORNING)
    return played


async def visited(on: Stage, home: int = 0, outcome: Outcome = Outcome.MET, **more: Any) -> VisitRecorded:
    """A visit and the event it left."""
    report = VisitReport(household=on.homes[home], outcome=outcome, started_at=EVENING, **more)
    when = moment(EVENING, timedelta(), EVENING)
    await visit_commands.record_visit(new_id(), report, when, on.worker.actor, EVENING)
    row = await db.fetchrow("select type, body from outbox where type = 'VisitRecorded' order by event_id desc limit 1")
    assert row is not None
    happened = event.from_body(row["type"], row["body"])
    assert isinstance(happened, VisitRecorded)
    await callback_commands.on_visit(happened, LATER)
    return happened


async def change(on: Stage, home: int, **fields: Any) -> None:
    known = await commands.get_household(on.homes[home], on.leader.actor)
    await commands.change_household(
        on.homes[home], HouseholdChange(version=known.version, **fields), on.leader.actor, MORNING
    )


async def town() -> Person:
    return await people.sign_in(DISTRICT, Role.TOWN_CENTRE, None, TOWN)


async def waiting(on: Stage) -> list[CallBack]:
    return await callback_commands.waiting(on.centre.actor, None, 100)


async def test_who_was_met_and_may_be_called_is_called_back_once(on: Stage) -> None:
    happened = await visited(on)
    await callback_commands.on_visit(happened, LATER)
    [one] = await waiting(on)
    assert (one.visit_id, one.household_id, one.state) == (happened.visit_id, on.homes[0], CallBackState.WAITING)
    await visited(on)  # the same household again, before anybody called
    assert await waiting(on) == [one]


async def test_nobody_is_called_who_did_not_say_they_may_be(on: Stage) -> None:
    await change(on, 0, consent=Consent.UNKNOWN)
    await change(on, 1, consent=Consent.REFUSED)
    await change(on, 2, contact=None)
    for home in range(3):
        await visited(on, home)
    await visited(on, 3, Outcome.ABSENT)
    assert await waiting(on) == []


async def test_who_takes_consent_back_leaves_the_list(on: Stage) -> None:
    await visited(on)
    await change(on, 0, consent=Consent.REFUSED)
    assert await waiting(on) == []


def test_the_sample_is_about_as_large_as_asked_and_the_same_each_time() -> None:
    ids = [new_id() for _ in range(4000)]
    chosen = [each for each in ids if callbacks.sampled(each, 20)]
    assert 120 < len(chosen) < 290  # 200 expected; beyond six standard deviations
    assert [each for each in ids if callbacks.sampled(each, 20)] == chosen
    assert not any(callbacks.sampled(each, 0) for each in ids)


async def test_a_town_writes_down_what_was_said(on: Stage) -> None:
    await visited(on)
    [one] = await waiting(on)
    caller = await town()
    done = await callback_commands.called(
        one.id, Call(reached=True, satisfied=False, words="来得太晚（演示）"), caller.actor, LATER
    )
    assert (done.state, done.satisfied, done.called_by) == (CallBackState.REACHED, False, caller.actor.id)
    assert await waiting(on) == []
    with pytest.raises(CallBackSettled):
        await callback_commands.called(one.id, Call(reached=True, satisfied=True), caller.actor, LATER)


async def test_after_three_calls_nobody_takes_it_is_over(on: Stage) -> None:
    await visited(on)
    [one] = await waiting(on)
    states = [
        (await callback_commands.called(one.id, Call(reached=False), on.centre.actor, LATER)).state for _ in range(3)
    ]
    assert states == [CallBackState.WAITING, CallBackState.WAITING, CallBackState.UNREACHED]


@pytest.mark.parametrize("call", [Call(reached=True), Call(reached=False, satisfied=True)])
async def test_satisfaction_is_said_of_those_who_answered_and_of_no_others(on: Stage, call: Call) -> None:
    await visited(on)
    [one] = await waiting(on)
    with pytest.raises(Invalid):
        await callback_commands.called(one.id, call, on.centre.actor, LATER)


async def test_whoever_visited_does_not_ask_about_it_and_strangers_see_nothing(on: Stage) -> None:
    await visited(on, companions=(on.other.actor.id,))
    [one] = await waiting(on)
    call = Call(reached=True, satisfied=True)
    memberships = (await town()).actor.memberships
    for visitor in (on.worker.actor, on.other.actor):
        with pytest.raises(NotPermitted):
            await callback_commands.called(one.id, call, replace(visitor, memberships=memberships), LATER)
    neighbour = await people.sign_in(DISTRICT, Role.TOWN_CENTRE, None, "330109002")
    assert await callback_commands.waiting(neighbour.actor, None, 100) == []
    with pytest.raises(CallBackNotFound):
        await callback_commands.called(one.id, call, neighbour.actor, LATER)
    with pytest.raises(NotPermitted):
        await callback_commands.waiting(on.leader.actor, None, 100)


async def test_word_of_a_visit_is_for_households_that_were_met_lately_and_may_be_called(on: Stage) -> None:
    told = await callback_commands.to_be_told(await visited(on), LATER)
    assert told is not None
    assert (told.household, len(told.code)) == (on.homes[0], 8)
    assert await callback_commands.contact_to_tell(DISTRICT, on.homes[0]) == "13800000000"
    late = LATER + timedelta(days=4)
    assert await callback_commands.to_be_told(await visited(on), late) is None
    assert await callback_commands.to_be_told(await visited(on, 1, Outcome.ABSENT), LATER) is None
    happened = await visited(on, 2)
    await change(on, 2, consent=Consent.REFUSED)
    assert await callback_commands.to_be_told(happened, LATER) is None
    assert await callback_commands.contact_to_tell(DISTRICT, on.homes[2]) is None
    await rule_commands.write(ChangedRules(version=1, rules=Rules(tell=False)), on.centre.actor, MORNING)
    assert await callback_commands.to_be_told(await visited(on, 3), LATER) is None
