"""From readings to one case: opened with the alert, told when the signal clears, reopened when it comes back."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.kernel import db
from app.kernel.actor import system
from app.kernel.event import from_body
from tasks.sensing import alert_store, commands, watch_commands
from tasks.sensing.devices import Incoming
from tests.tasks.sensing.underpass import DISTRICT, NOON, RULE, Underpass, at, build, count, send, sensor
from tests.tools.databases import become_owner

SYSTEM = system(DISTRICT, "sensing")


async def evaluate(place: Underpass, now: float) -> watch_commands.Evaluated:
    return await watch_commands.evaluate(place.channel, SYSTEM, at(now))


async def alerts(kind: str = "hazard") -> list[dict[str, Any]]:
    async with db.transaction(DISTRICT):
        return [dict(row) for row in await db.fetch("select * from alert where kind = $1 order by id", kind)]


async def cases() -> list[dict[str, Any]]:
    async with db.transaction(DISTRICT):
        rows = await db.fetch("select * from cases where source = 'sensing' order by received_at")
        return [dict(row) for row in rows]


async def test_a_reading_over_the_threshold_is_a_case_of_the_transport_bureau(district: str):
    place = await build()
    await send(place, (0, 12.5))
    assert (await evaluate(place, 1)).whole
    (case,) = await cases()
    (alert,) = await alerts()
    assert (case["external_id"], case["item"], case["severity"]) == (f"alert:{alert['id']}", "S001", "urgent")
    assert (case["state"], case["signal"], alert["case_id"]) == ("assigned", "firing", case["id"])
    assert (case["cell"], case["title"], case["address"]) == ("330109001001001", "下穿通道积水", "育才路下穿通道")
    lead = await db.fetchval("select organisation from case_leg where case_id = $1", case["id"])
    assert lead == place.owner
    assert "12.5 cm" in case["description"]


async def test_the_case_is_told_when_the_signal_clears_and_stays_open(district: str):
    place = await build()
    await send(place, (0, 12), (10, 8), (40, 7), (70, 6))
    await evaluate(place, 70)
    (case,) = await cases()
    (alert,) = await alerts()
    assert (case["signal"], case["state"]) == ("clear", "assigned")
    assert (alert["phase"], alert["closed_at"], alert["peak"]) == ("CLOSED", at(70), 12)
    assert await count("alert_transition") == 3


async def test_evaluating_again_does_nothing(district: str):
    place = await build()
    await send(place, (0, 12))
    assert (await evaluate(place, 1)).transitions == 1
    before = [await count(table) for table in ("cases", "alert", "alert_transition", "outbox", "case_event")]
    assert (await evaluate(place, 2)).transitions == 0
    assert [await count(table) for table in ("cases", "alert", "alert_transition", "outbox", "case_event")] == before


async def test_an_episode_that_goes_on_tells_its_case_and_a_new_one_opens_another(district: str):
    place = await build({"clear_for": 0, "reopen_window": 100})
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    await send(place, (50, 13))
    await evaluate(place, 50)
    (alert,) = await alerts()
    assert (alert["resumed"], alert["peak"], [case["signal"] for case in await cases()]) == (1, 13, ["firing"])
    await send(place, (60, 5), (200, 12))
    await evaluate(place, 200)
    assert [alert["number"] for alert in await alerts()] == [1, 2]
    assert sorted(case["signal"] for case in await cases()) == ["clear", "firing"]


async def test_an_episode_that_goes_on_reopens_the_case_that_was_closed_meanwhile(district: str):
    place = await build({"clear_for": 0, "reopen_window": 3600})
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    (case,) = await cases()
    await db.execute("update case_leg set state = 'confirmed' where case_id = $1", case["id"])
    await db.execute("update cases set state = 'closed', closed_at = $2 where id = $1", case["id"], at(20))
    await send(place, (50, 13))
    await evaluate(place, 50)
    (case,) = await cases()
    assert (case["reopens"], case["signal"]) == (1, "firing")
    assert case["state"] in ("assigned", "accepted")


async def test_however_often_an_episode_goes_on_it_is_never_left_with_a_closed_case(district: str):
    place = await build({"clear_for": 0, "reopen_window": 3600})
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    for again in (1, 2, 3):
        (case,) = await cases()
        await db.execute("update case_leg set state = 'confirmed' where case_id = $1", case["id"])
        await db.execute("update cases set state = 'closed', closed_at = $2 where id = $1", case["id"], at(again * 100))
        await send(place, (again * 100 + 50, 13), (again * 100 + 60, 5))
        await evaluate(place, again * 100 + 60)
        (case,) = await cases()
        assert (case["reopens"], case["state"] in ("assigned", "accepted")) == (again, True)


@pytest.mark.parametrize("state", ["merged", "withdrawn", "rejected", "archived"])
async def test_what_fires_after_people_ended_its_case_for_good_opens_another(district: str, state: str):
    place = await build({"clear_for": 0, "reopen_window": 3600})
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    (case,) = await cases()
    await db.execute("update case_leg set state = 'recalled' where case_id = $1", case["id"])
    await db.execute("update cases set state = $2, closed_at = $3 where id = $1", case["id"], state, at(20))
    await send(place, (50, 13))
    await evaluate(place, 50)
    await evaluate(place, 51)
    first, second = await cases()
    (alert,) = await alerts()
    assert (first["state"], second["state"], second["signal"]) == (state, "assigned", "firing")
    assert (alert["case_id"], alert["waiting"], alert["resumed"]) == (second["id"], None, 1)


async def test_under_maintenance_the_state_advances_and_the_case_opens_when_it_ends(district: str):
    place = await build()
    await commands.set_maintenance(place.sensor.device.id, at(-10), at(100), place.centre, NOON)
    await send(place, (0, 12))
    await evaluate(place, 1)
    assert [alert["waiting"] for alert in await alerts()] == ["maintenance"]
    await watch_commands.sweep(DISTRICT, at(50))
    assert await cases() == []
    await watch_commands.sweep(DISTRICT, at(100))
    await watch_commands.sweep(DISTRICT, at(101))
    assert len(await cases()) == 1


async def test_an_episode_that_is_over_before_maintenance_ends_opens_no_case(district: str):
    place = await build({"clear_for": 0})
    await commands.set_maintenance(place.sensor.device.id, at(-10), at(100), place.centre, NOON)
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    await watch_commands.sweep(DISTRICT, at(200))
    assert [(alert["phase"], alert["waiting"]) for alert in await alerts()] == [("CLOSED", None)]
    assert await cases() == []


async def test_a_case_that_cannot_be_opened_waits_and_is_not_lost(district: str):
    place = await build({"item": "NO-SUCH-ITEM", "clear_for": 0})
    await send(place, (0, 12), (10, 5))
    await evaluate(place, 10)
    assert [(alert["phase"], alert["waiting"]) for alert in await alerts()] == [("CLOSED", "invalid")]
    await become_owner()
    await db.execute("alter table sensing_rule_version disable trigger sensing_rule_version_immutable")
    await db.execute('update sensing_rule_version set definition = definition || \'{"item": "S001"}\'::jsonb')
    assert await watch_commands.sweep(DISTRICT, at(20)) == 1
    assert [case["signal"] for case in await cases()] == ["clear"]


async def test_a_silent_device_is_told_to_its_owner_once_and_opens_no_case(district: str):
    place = await build({"silent_after": 600})
    await send(place, (0, 5))
    await evaluate(place, 0)
    for now in (599, 600, 700):
        await watch_commands.sweep(DISTRICT, at(now))
    assert [(a["fired_at"], a["phase"]) for a in await alerts("silent")] == [(at(600), "FIRING")]
    body = await db.fetchval("select body from outbox where type = 'DeviceSilent'")
    assert body["owner"] == str(place.owner)
    await send(place, (800, 5))
    await evaluate(place, 800)
    assert [a["phase"] for a in await alerts("silent")] == ["CLOSED"]
    assert (await count("outbox", "type = 'DeviceHeard'"), await cases()) == (1, [])


async def test_readings_held_back_are_evaluated_after_silence_by_the_sweep(district: str):
    place = await build({"allowed_lateness": 30})
    await send(place, (0, 12))
    await evaluate(place, 0)
    await watch_commands.sweep(DISTRICT, at(29))
    assert await cases() == []
    await watch_commands.sweep(DISTRICT, at(30))
    assert len(await cases()) == 1


async def test_what_arrived_before_a_rule_was_published_is_history(district: str):
    place = await build()
    await send(place, (0, 12))
    await commands.publish_rule(RULE | {"name": "second", "on": 5, "off": 4}, place.centre, at(10))
    await evaluate(place, 11)
    assert [case["signal"] for case in await cases()] == ["firing"]
    await send(place, (20, 13))
    await evaluate(place, 20)
    assert len(await cases()) == 2


async def test_an_edited_rule_leaves_what_fires_under_its_old_version(district: str):
    place = await build({"clear_for": 0})
    await send(place, (0, 12))
    await evaluate(place, 0)
    await commands.publish_rule(RULE | {"on": 30, "off": 20, "clear_for": 0}, place.centre, at(5))
    await send(place, (10, 15))
    await evaluate(place, 10)
    assert [alert["phase"] for alert in await alerts()] == ["FIRING"]
    await send(place, (20, 5), (30, 29))
    await evaluate(place, 30)
    assert [alert["phase"] for alert in await alerts()] == ["CLOSED"]


async def test_the_doorbell_evaluates_what_was_recorded(district: str):
    place = await build()
    await send(place, (0, 12))
    row = await db.fetchrow("select type, body from outbox where type = 'ReadingsRecorded'")
    assert row is not None
    await watch_commands.on_readings(from_body(row["type"], row["body"]), at(1))  # type: ignore[arg-type]
    assert len(await cases()) == 1


async def test_what_the_doorbell_missed_the_sweep_finds(district: str):
    place = await build()
    await send(place, (0, 12))
    await db.execute("delete from outbox")
    assert await watch_commands.sweep(DISTRICT, at(1)) == 1
    assert len(await cases()) == 1
    assert await watch_commands.sweep(DISTRICT, at(2)) == 0


async def test_a_subject_that_cannot_be_evaluated_keeps_no_other_waiting(district: str):
    place = await build()
    await commands.register_device(sensor("WL-2", place.owner, gateway=place.sensor.device.id), place.centre, NOON)
    await send(place, (0, 5))
    await evaluate(place, 0)
    await db.execute('update episode_state set state = \'{"phase": "NO SUCH PHASE"}\'::jsonb')
    await send(place, (1, 12))
    await send(place, (1, 12), device="WL-2")
    with pytest.raises(ExceptionGroup):
        await watch_commands.sweep(DISTRICT, at(2))
    assert len(await cases()) == 1


async def test_readings_that_come_during_an_evaluation_leave_the_mark(district: str, monkeypatch: pytest.MonkeyPatch):
    place = await build()
    await send(place, (0, 5))
    locking = alert_store.lock_states

    async def slow(channel: Any) -> Any:
        locked = await locking(channel)
        await commands.record([Incoming(device="WL-1", channel="level", at=at(1), value=12)], place.machine, at(1))
        return locked

    monkeypatch.setattr(alert_store, "lock_states", slow)
    assert not (await evaluate(place, 1)).whole
    monkeypatch.undo()
    assert await cases() == []
    await watch_commands.sweep(DISTRICT, at(2))
    assert len(await cases()) == 1


async def test_many_evaluations_at_once_open_one_case(committed: str):
    place = await build()
    await send(place, (0, 12))
    done = await asyncio.gather(*(evaluate(place, 1) for _ in range(8)))
    assert sum(each.transitions for each in done) == 1
    assert len(await cases()) == 1


async def test_evaluating_while_readings_pour_in_loses_nothing(committed: str):
    place = await build({"clear_for": 0})
    seconds = 40

    async def pour() -> None:
        for n in range(seconds):
            await send(place, (n, 12 if n % 4 == 1 else 5))

    async def watch() -> None:
        for n in range(12):
            await evaluate(place, n)

    await asyncio.gather(pour(), watch(), watch())
    await watch_commands.sweep(DISTRICT, at(seconds))
    assert [alert["fired_at"] for alert in await alerts()] == [at(n) for n in range(1, seconds, 4)]
    assert len(await cases()) == len(range(1, seconds, 4))
    assert {case["signal"] for case in await cases()} == {"clear"}


async def test_the_same_time_for_everything_is_enough_to_sweep(district: str):
    """The sweep takes what is due at its own instant, not a moment later."""
    place = await build({"silent_after": 60})
    await send(place, (0, 5))
    await evaluate(place, 0)
    async with db.transaction(DISTRICT):
        due = await alert_store.to_look_at(NOON + timedelta(seconds=60), None, 10)
    assert due == [place.channel]


async def test_alerts_that_have_to_wait_keep_no_other_from_its_case(district: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch_commands, "SWEEP_AT_ONCE", 1)
    place = await build()
    other = sensor("WL-2", place.owner, gateway=place.sensor.device.id)
    second = await commands.register_device(other, place.centre, NOON)
    await commands.set_maintenance(place.sensor.device.id, at(-10), at(10_000), place.centre, NOON)
    await commands.set_maintenance(second.device.id, at(-10), at(10), place.centre, NOON)
    await send(place, (1, 12))
    await watch_commands.sweep(DISTRICT, at(2))
    await send(place, (3, 12), device="WL-2")
    await watch_commands.sweep(DISTRICT, at(4))
    assert [alert["waiting"] for alert in await alerts()] == ["maintenance", "maintenance"]
    await watch_commands.sweep(DISTRICT, at(20))
    assert len(await cases()) == 1
