"""Use cases of devices, keys, readings and rules: one function, one transaction. Evaluation: `watch_commands`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, Text
from grid import facts as grid
from tasks.sensing import alert_store, arrival, devices, rules, store
from tasks.sensing.devices import Answer, Channel, Device, Incoming, NewDevice
from tasks.sensing.evaluation import Published
from tasks.sensing.events import ReadingsRecorded
from tasks.sensing.problems import DeviceCodeTaken, DeviceNotFound
from tasks.sensing.quality import Reading, clock_future
from tasks.sensing.store import Aside, Key, Named

MOST = 1000
"""Most records of one batch."""
DAYS_AHEAD, DAYS_BACK = 30, 31
"""Partitions are made this far ahead; a new district keeps readings from this far back."""


# --- devices


class Registered(Struct, frozen=True, kw_only=True):
    """A device with its channels and its key, which is shown this once."""

    device: Device
    channels: tuple[Channel, ...]
    key: str | None


async def register_device(new: NewDevice, actor: Actor, now: datetime) -> Registered:
    """Register a device with its channels; one without a gateway gets a key.

    Raises Invalid, DeviceCodeTaken; DeviceNotFound for an owner or a gateway out of reach.
    """
    async with db.transaction(actor.district):
        area = new.area or await _area_at(new, now)
        directory = await grid.directory(now)
        scope.require(
            actor,
            "sensing.manage",
            Ownership(area=area, organisations=directory.ancestors(new.owner)),
            absent=DeviceNotFound(),
        )
        faults = devices.faults(new)
        if directory.get(new.owner) is None:
            faults.append(FieldError("owner", ("没有这个单位", "no such organisation")))
        if faults:
            raise Invalid(faults)
        if new.gateway is not None:
            await _require(new.gateway, "sensing.manage", actor, now)
        device = devices.registered(new, new_id(), area, now)
        channels = tuple(devices.channel(each, new_id(), device.id) for each in new.channels)
        if not await store.add_device(device, channels):
            raise DeviceCodeTaken(code=new.code)
        key = await _add_key(device.id, now, None) if new.gateway is None else None
    return Registered(device=device, channels=channels, key=key)


async def _area_at(new: NewDevice, now: datetime) -> str | None:
    if new.lon is None or new.lat is None or devices.faults(new):
        return None
    located = (await grid.locate([(new.lon, new.lat)], now))[0]
    return located.cell or located.village or located.town


async def _add_key(device: UUID, now: datetime, expires_at: datetime | None) -> str:
    key = devices.new_key()
    await store.add_key(new_id(), device, devices.digest(key), now, expires_at)
    return key


async def rotate_key(device_id: UUID, actor: Actor, now: datetime) -> str:
    """Revoke the keys of a device and return a new one. Raises DeviceNotFound."""
    async with db.transaction(actor.district):
        await _require(device_id, "sensing.manage", actor, now)
        await store.revoke_keys(device_id, now)
        return await _add_key(device_id, now, None)


async def set_maintenance(
    device_id: UUID, begins: datetime | None, ends: datetime | None, actor: Actor, now: datetime
) -> Device:
    """Set the maintenance window (no case opens in it), or clear it with two None. Raises DeviceNotFound, Invalid."""
    if begins is not None and ends is not None and ends <= begins:
        raise Invalid([FieldError("until", ("须晚于开始时间", "must be after the beginning"))])
    async with db.transaction(actor.district):
        await _require(device_id, "sensing.manage", actor, now)
        await store.maintain(device_id, begins, ends)
        changed = await store.device(device_id)
    if changed is None:
        raise DeviceNotFound
    return changed


async def _require(device_id: UUID, action: str, actor: Actor, now: datetime) -> Device:
    """Return a device within the actor's reach; DeviceNotFound otherwise."""
    device = await store.device(device_id)
    directory = await grid.directory(now)
    absent = DeviceNotFound()
    owned = (
        Ownership() if device is None else Ownership(area=device.area, organisations=directory.ancestors(device.owner))
    )
    scope.require(actor, action, owned, absent=absent)
    if device is None:
        raise absent
    return device


async def authenticate(district: str, key: str, now: datetime) -> Actor | None:
    """Return the actor of a device's or gateway's key; None for a key nobody holds (any more)."""
    if not key.startswith(devices.KEY_PREFIX):
        return None
    async with db.transaction(district):
        device = await store.device_of_key(devices.digest(key), now)
    if device is None:
        return None
    return Actor(id=device, kind="device", district=district, device=device, scopes=frozenset({"sensing.record"}))


# --- readings


async def record(records: Sequence[Incoming | Text], actor: Actor, now: datetime) -> list[Answer]:
    """Store a batch and return what became of each record, in its order, once all is committed.

    A text in place of a record is the reason why it cannot be read. Readings, dirty marks and the doorbell are one
    transaction: what is answered as stored is evaluated, whatever dies afterwards.
    """
    answers: dict[int, Answer] = {
        index: Answer(index=index, verdict="refused", why=record)
        for index, record in enumerate(records)
        if not isinstance(record, Incoming)
    }
    readable = [(index, record) for index, record in enumerate(records) if isinstance(record, Incoming)]
    if readable and actor.device is not None:
        async with db.transaction(actor.district):
            answers |= await _record(readable, actor, actor.device, now)
    return [answers[index] for index in range(len(records))]


Numbered = tuple[int, Incoming]


async def _record(records: list[Numbered], actor: Actor, sender: UUID, now: datetime) -> dict[int, Answer]:
    known = await store.channels_for(
        sender, list({record.device for _, record in records}), list({record.channel for _, record in records})
    )
    named = _by_name(known)
    kept_days = await _days(now)
    answers: dict[int, Answer] = {}
    aside: list[tuple[Aside, str]] = []
    batches: dict[UUID, list[Numbered]] = {}
    for index, record in records:
        channel = named.get((record.device, record.channel))
        if channel is None:
            answers[index] = Answer(index=index, verdict="refused", why=_UNKNOWN)
        elif reason := devices.outside(record.at, kept_days, now):
            aside.append((_aside(channel, record, now), reason))
            answers[index] = Answer(index=index, verdict="refused", flag=reason, why=_OUTSIDE[reason])
        else:
            batches.setdefault(channel.id, []).append((index, record))
    await store.set_aside("reading_quarantine", [row for row, _ in aside], [reason for _, reason in aside])
    channels = {channel.id: channel for channel in named.values()}
    return answers | await _store(batches, channels, actor, now)


_UNKNOWN: Text = ("没有这台设备或通道", "no such device or channel")
_OUTSIDE: Mapping[str, Text] = {
    "far-future": ("时间超前一天以上，已隔离存放", "more than a day ahead: kept in quarantine"),
    "before-retention": ("早于保存期，已隔离存放", "before what is kept: kept in quarantine"),
    "day-not-open": ("该日尚未开放，已隔离存放", "the day is not open yet: kept in quarantine"),
}
_TAKEN: Text = ("该时刻已有另一读数，两者均保留", "there is another value for this time: both are kept")


def _by_name(known: Sequence[Named]) -> dict[tuple[str, str], Channel]:
    """Channels under both names a record may use: the code of the device and its id."""
    names: dict[tuple[str, str], Channel] = {}
    for each in known:
        names[each.code, each.channel.name] = each.channel
        names[str(each.channel.device), each.channel.name] = each.channel
    return names


def _aside(channel: Channel, record: Incoming, now: datetime) -> Aside:
    return Aside(
        id=new_id(),
        device=channel.device,
        channel=channel.name,
        at=record.at,
        value=record.value,
        quality=record.quality or 1,
        received_at=now,
    )


async def _store(
    batches: dict[UUID, list[Numbered]], channels: dict[UUID, Channel], actor: Actor, now: datetime
) -> dict[int, Answer]:
    """Store what belongs to known channels and open days."""
    if not batches:
        return {}
    counters = await store.lock_channels(list(batches))
    rows: dict[Key, tuple[Channel, Reading]] = {}
    for channel_id, records in batches.items():
        channel = channels[channel_id]
        first = {record.at: record for _, record in reversed(records)}  # of equal times the first counts
        stamped = arrival.stamp(channel, counters[channel_id], list(first.values()), now)
        rows |= {(channel.device, channel.name, reading.at): (channel, reading) for reading in stamped}
    flags = ["clock_future" if clock_future(reading.at, now) else None for _, reading in rows.values()]
    stored = await store.insert(list(rows.values()), flags)
    values = {key: reading.value for key, (_, reading) in rows.items() if key in stored}
    values |= await store.values_at([key for key in rows if key not in stored])
    await _mark(batches, counters, [rows[key] for key in rows if key in stored], actor, now)
    return await _answer(batches, channels, set(stored), values, now)


async def _mark(
    batches: Mapping[UUID, object],
    counters: dict[UUID, arrival.Counters],
    stored: Sequence[tuple[Channel, Reading]],
    actor: Actor,
    now: datetime,
) -> None:
    """Move the counters, mark what has news as dirty and ring."""
    fresh: dict[UUID, list[Reading]] = {}
    for channel, reading in stored:
        fresh.setdefault(channel.id, []).append(reading)
    await store.seen(sorted({channel.device for channel, _ in stored}), now)
    if fresh:
        await store.mark({each: arrival.after(counters[each], fresh[each], now) for each in sorted(fresh)}, now)
        await outbox.emit(ReadingsRecorded(id=new_id(), at=now, actor=actor.id, channels=tuple(sorted(fresh))))


async def _answer(
    batches: dict[UUID, list[Numbered]],
    channels: dict[UUID, Channel],
    unclaimed: set[Key],
    values: dict[Key, float],
    now: datetime,
) -> dict[int, Answer]:
    """Say what became of each record: the first of a stored key is `stored`, the rest compare with the value kept."""
    answers: dict[int, Answer] = {}
    conflicts: list[Aside] = []
    for channel_id, records in batches.items():
        channel = channels[channel_id]
        for index, record in records:
            key = (channel.device, channel.name, record.at)
            if key in unclaimed:
                unclaimed.discard(key)
                flag = "clock_future" if clock_future(record.at, now) else None
                answers[index] = Answer(index=index, verdict="stored", flag=flag)
            elif values[key] == record.value:
                answers[index] = Answer(index=index, verdict="duplicate")
            else:
                conflicts.append(_aside(channel, record, now))
                answers[index] = Answer(index=index, verdict="conflict", why=_TAKEN)
    await store.set_aside("reading_conflict", conflicts)
    return answers


async def _days(now: datetime) -> tuple[date, date] | None:
    """Return the days readings are kept for, opening those around today if the schedule has not."""
    kept = await store.days()
    if kept is None or kept[1] < (now + devices.FAR_FUTURE).astimezone(UTC).date():
        await _open_days(now)
        kept = await store.days()
    return kept


async def open_days(district: str, now: datetime) -> int:
    """Make the partitions of the next 30 days (and of the last 31 in a new district); return how many. A schedule."""
    async with db.transaction(district):
        return await _open_days(now)


async def _open_days(now: datetime) -> int:
    today = now.astimezone(UTC).date()
    kept = await store.days()
    first = today - timedelta(days=DAYS_BACK) if kept is None else min(kept[1], today)
    fresh = await store.claim_days(first, (today - first).days + DAYS_AHEAD + 1, now)
    for day in fresh:
        await store.create_partition(day)
    return len(fresh)


async def open_history(first: datetime, actor: Actor, now: datetime) -> int:
    """Make the partitions from an earlier day on, before a bulk import of history; return how many."""
    scope.require_any(actor, "sensing.publish")
    async with db.transaction(actor.district):
        day = first.astimezone(UTC).date()
        fresh = await store.claim_days(day, max(0, (now.astimezone(UTC).date() - day).days + 1), now)
        for each in fresh:
            await store.create_partition(each)
    return len(fresh)


async def drop_days(district: str, keep: timedelta, now: datetime) -> int:
    """Drop the readings of days that ended longer than `keep` ago, by their partitions; return how many days."""
    async with db.transaction(district):
        return len(await store.drop_days((now - keep).astimezone(UTC).date()))


# --- rules


async def publish_rule(document: Mapping[str, Any], actor: Actor, now: datetime) -> Published:
    """Publish a rule under its name, as its next version; published versions never change. Raises Invalid.

    What is pending under the version before starts anew, what fires stays under it until it closes.
    """
    scope.require_any(actor, "sensing.publish")
    rule = rules.parse(document, (*rules.REQUIRED, *rules.TO_PUBLISH))
    async with db.transaction(actor.district):
        rule_id = await alert_store.rule_id(rule.name or "", new_id())
        published = Published(
            id=new_id(),
            rule=rule_id,
            version=await alert_store.last_version(rule_id) + 1,
            definition=rule,
            published_at=now,
        )
        await alert_store.add_version(published, actor.id)
    return published
