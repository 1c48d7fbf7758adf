"""What arrives: every record gets its verdict, nothing acknowledged is lost, delivering again changes nothing."""

import asyncio
from datetime import UTC, timedelta
from random import Random

import pytest

from app.kernel import db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from grid import store as grid_store
from grid.organisations import Kind
from tasks.sensing import commands, store
from tasks.sensing.devices import Incoming, NewChannel
from tasks.sensing.problems import DeviceCodeTaken, DeviceNotFound
from tests.grid.places import organisation
from tests.tasks.sensing.underpass import DISTRICT, NOON, RULE, TOWN, at, build, count, send, sensor, staff
from tests.tools.databases import become_owner


async def test_a_batch_is_stored_and_delivered_again_changes_nothing(district: str):
    place = await build()
    batch = [(0, 5.0), (10, 6.0), (20, 7.0)]
    assert [answer.verdict for answer in await send(place, *batch)] == ["stored"] * 3
    assert [answer.verdict for answer in await send(place, *batch, now=30)] == ["duplicate"] * 3
    assert await count("reading") == 3
    assert await count("outbox", "type = 'ReadingsRecorded'") == 1


async def test_another_value_for_the_same_time_is_a_conflict_and_both_are_kept(district: str):
    place = await build()
    await send(place, (0, 5.0))
    for _ in range(2):
        assert [answer.verdict for answer in await send(place, (0, 6.0), now=1)] == ["conflict"]
    assert (await count("reading", "value = 5"), await count("reading_conflict", "value = 6")) == (1, 1)


async def test_within_one_batch_the_first_of_a_time_counts(district: str):
    place = await build()
    answers = await send(place, (10, 5.0), (0, 1.0), (10, 5.0), (10, 6.0))
    assert [answer.verdict for answer in answers] == ["stored", "stored", "duplicate", "conflict"]


async def test_bad_records_are_refused_one_by_one_and_the_good_ones_kept(district: str):
    place = await build()
    records = [
        Incoming(device="WL-1", channel="level", at=at(0), value=5),
        ("不是读数", "not a reading"),
        Incoming(device="WL-9", channel="level", at=at(0), value=5),
        Incoming(device="WL-1", channel="flow", at=at(0), value=5),
        Incoming(device=str(place.sensor.device.id), channel="level", at=at(1), value=5),
    ]
    answers = await commands.record(records, place.machine, at(1))
    assert [answer.verdict for answer in answers] == ["stored", "refused", "refused", "refused", "stored"]
    assert answers[1].why == ("不是读数", "not a reading")
    assert answers[2].why == answers[3].why


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(86_401, "far-future"), (-40 * 86_400, "before-retention"), (-800 * 86_400, "before-retention")],
)
async def test_a_time_outside_what_is_kept_goes_to_quarantine(district: str, seconds: int, reason: str):
    place = await build()
    for _ in range(2):
        answer = (await send(place, (seconds, 5.0), now=0))[0]
        assert (answer.verdict, answer.flag) == ("refused", reason)
    assert (await count("reading"), await count("reading_quarantine", f"reason = '{reason}'")) == (0, 1)


async def test_a_clock_ahead_is_stored_and_marked(district: str):
    place = await build()
    answer = (await send(place, (121, 99.0), now=0))[0]
    assert (answer.verdict, answer.flag) == ("stored", "clock_future")
    assert await count("sensing_channel", "max_at is null and dirty_since is not null") == 1


async def test_history_is_let_in_once_its_days_are_open(district: str):
    place = await build()
    assert (await send(place, (-40 * 86_400, 5.0), now=0))[0].verdict == "refused"
    assert await commands.open_history(at(-41 * 86_400), place.centre, NOON) == 10
    assert (await send(place, (-40 * 86_400, 5.0), now=0))[0].verdict == "stored"


async def test_days_are_opened_thirty_ahead_once_and_old_ones_dropped_in_one_go(district: str):
    assert await commands.open_days(DISTRICT, NOON) == 62
    assert await commands.open_days(DISTRICT, NOON) == 0
    assert await commands.open_days(DISTRICT, NOON + timedelta(days=1)) == 1
    assert await store.days() == (NOON.date() - timedelta(days=31), NOON.date() + timedelta(days=31))
    assert await commands.drop_days(DISTRICT, timedelta(days=0), NOON) == 31
    assert await db.fetchval("select to_regclass('reading_20261101')") is None
    assert await db.fetchval("select to_regclass('reading_20261123')") is not None


async def test_a_day_is_a_day_of_utc(district: str):
    place = await build()
    midnight = at(0).astimezone(UTC).replace(hour=0)
    shift = (midnight - NOON).total_seconds()
    await send(place, (shift, 1.0), (shift - 0.000001, 2.0), now=0)
    await become_owner()  # days are read through the table they are parts of
    assert (await count("reading_20261123"), await count("reading_20261122")) == (1, 1)


async def test_a_gateway_speaks_for_what_is_behind_it_and_for_nobody_else(district: str):
    place = await build()
    behind = sensor("WL-2", place.owner, gateway=place.sensor.device.id)
    assert (await commands.register_device(behind, place.centre, NOON)).key is None
    stranger = await commands.register_device(sensor("WL-3", place.owner), place.centre, NOON)
    assert [(await send(place, (0, 1.0), device=code))[0].verdict for code in ("WL-1", "WL-2", "WL-3")] == [
        "stored",
        "stored",
        "refused",
    ]
    other = await commands.authenticate(DISTRICT, stranger.key or "", NOON)
    assert other is not None
    assert other.device == stranger.device.id


async def test_a_gateway_out_of_reach_is_refused_like_one_that_does_not_exist(district: str):
    place = await build()
    async with db.transaction(DISTRICT):
        other = organisation(Kind.DEPARTMENT, "水务局（演示）", parent=place.centre.memberships[0].organisation)
        await grid_store.add_organisations([other], new_id())
    stranger = staff(Role.DEPARTMENT, other.id)
    for gateway in (place.sensor.device.id, new_id()):
        with pytest.raises(DeviceNotFound):
            await commands.register_device(sensor("WL-2", other.id, gateway=gateway), stranger, NOON)
    own = await commands.register_device(sensor("WL-2", other.id), stranger, NOON)
    await commands.register_device(sensor("WL-3", other.id, gateway=own.device.id), stranger, NOON)


async def test_a_key_is_stored_as_a_digest_and_ends_when_it_is_replaced(district: str):
    place = await build()
    key = place.sensor.key or ""
    assert await count("sensing_key", f"digest like '%{key}%'") == 0
    fresh = await commands.rotate_key(place.sensor.device.id, place.centre, NOON)
    assert await commands.authenticate(DISTRICT, key, NOON) is None
    assert await commands.authenticate(DISTRICT, fresh, NOON) is not None
    assert await commands.authenticate(DISTRICT, "zjwd_" + "x" * 32, NOON) is None
    assert await commands.authenticate(DISTRICT, "", NOON) is None


async def test_an_expired_key_and_a_retired_device_are_nobody(district: str):
    place = await build()
    await db.execute("update sensing_key set expires_at = $1", NOON)
    assert await commands.authenticate(DISTRICT, place.sensor.key or "", NOON) is None
    await db.execute("update sensing_key set expires_at = null")
    assert await commands.authenticate(DISTRICT, place.sensor.key or "", NOON) is not None
    await db.execute("update sensing_device set state = 'retired'")
    assert await commands.authenticate(DISTRICT, place.sensor.key or "", NOON) is None


async def test_registration_lists_every_bad_field(district: str):
    place = await build()
    bad = sensor(
        "",
        place.centre.id,
        lat=91.0,
        area="33",
        channels=(NewChannel(name="a", unit="cm", low=3, high=2), NewChannel(name="a", unit="cm")),
    )
    with pytest.raises(Invalid) as refusal:
        await commands.register_device(bad, place.centre, NOON)
    assert {error.field for error in refusal.value.errors} == {
        "code",
        "lat",
        "area",
        "owner",
        "channels[0].name",
        "channels[0].high",
        "channels[1].name",
    }


async def test_a_device_knows_its_cell_and_its_code_is_unique(district: str):
    place = await build()
    assert place.sensor.device.area == "330109001001001"
    with pytest.raises(DeviceCodeTaken):
        await commands.register_device(sensor("WL-1", place.owner), place.centre, NOON)


async def test_only_the_owner_and_the_district_centre_register_and_rotate(district: str):
    place = await build()
    device = place.sensor.device.id
    for role in set(Role) - {Role.DISTRICT_CENTRE, Role.DEPARTMENT}:
        somebody = staff(role, place.owner, TOWN)
        with pytest.raises(NotPermitted):
            await commands.register_device(sensor("X", place.owner), somebody, NOON)
        with pytest.raises(NotPermitted):
            await commands.rotate_key(device, somebody, NOON)
    owner, other = staff(Role.DEPARTMENT, place.owner), staff(Role.DEPARTMENT, place.sensor.device.id)
    assert (await commands.register_device(sensor("X", place.owner), owner, NOON)).key
    assert await commands.rotate_key(device, owner, NOON)
    with pytest.raises(DeviceNotFound):
        await commands.register_device(sensor("Y", place.owner), other, NOON)
    with pytest.raises(DeviceNotFound):
        await commands.rotate_key(device, other, NOON)


async def test_only_the_district_centre_publishes_rules(district: str):
    place = await build()
    for role in set(Role) - {Role.DISTRICT_CENTRE}:
        with pytest.raises(NotPermitted):
            await commands.publish_rule(RULE, staff(role, place.owner, TOWN), NOON)


async def test_a_device_that_is_not_there_looks_like_one_of_somebody_else(district: str):
    place = await build()
    with pytest.raises(DeviceNotFound):
        await commands.rotate_key(place.centre.id, place.centre, NOON)


async def test_maintenance_must_end_after_it_begins(district: str):
    place = await build()
    with pytest.raises(Invalid):
        await commands.set_maintenance(place.sensor.device.id, at(1), at(1), place.centre, NOON)


async def test_a_published_rule_version_is_never_changed(district: str):
    place = await build()
    again = await commands.publish_rule(RULE | {"on": 20}, place.centre, NOON)
    assert again.version == 2
    await become_owner()
    for statement in ("update sensing_rule_version set version = 9", "delete from sensing_rule_version"):
        with pytest.raises(Exception, match="never changed"):
            async with db.transaction(DISTRICT):
                await db.execute(statement)


async def test_batches_that_race_lose_and_double_nothing(committed: str):
    place = await build()
    rows = [(float(n), float(n % 7)) for n in range(60)]
    random = Random(7)
    batches = [random.sample(rows, 20) for _ in range(24)]
    answers = await asyncio.gather(*(send(place, *batch, now=100) for batch in batches))
    stored = sum(answer.verdict == "stored" for batch in answers for answer in batch)
    sent = {pair for batch in batches for pair in batch}
    assert (stored, await count("reading")) == (len(sent), len(sent))
    assert {answer.verdict for batch in answers for answer in batch} == {"stored", "duplicate"}
    async with db.transaction(DISTRICT):
        counted = await db.fetchrow("select count(distinct seq) as n, max(seq) as last from reading")
        last = await db.fetchval("select last_seq from sensing_channel")
    assert counted is not None
    assert (counted["n"], counted["last"]) == (len(sent), last)


async def test_two_gateways_with_the_same_channels_in_other_orders_never_wait_in_a_ring(committed: str):
    place = await build()
    for n in range(2, 8):
        await commands.register_device(
            sensor(f"WL-{n}", place.owner, gateway=place.sensor.device.id), place.centre, NOON
        )

    async def batch(number: int) -> int:
        order = [f"WL-{n}" for n in range(1, 8)]
        Random(number).shuffle(order)
        records = [Incoming(device=code, channel="level", at=at(number), value=1) for code in order]
        return sum(a.verdict == "stored" for a in await commands.record(records, place.machine, at(100)))

    assert await asyncio.gather(*(batch(number) for number in range(30))) == [7] * 30
