"""Queries on devices, keys, channels and readings; the caller opens the transaction. Alerts: `alert_store`."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.scope import Reach
from app.kernel import db
from tasks.sensing.arrival import Counters
from tasks.sensing.devices import Channel, Device
from tasks.sensing.quality import Reading

T = TypeVar("T", bound=Struct)

SEEN_EVERY = timedelta(seconds=10)
"""`last_seen_at` moves at most this often: a busy gateway would rewrite its row with every batch."""


def columns(kind: type[Struct], alias: str = "") -> str:
    """Return the fields of a struct as a column list."""
    return ", ".join(f"{alias}{name}" for name in kind.__struct_fields__)


def read(rows: Iterable[Any], kind: type[T]) -> list[T]:
    """Return rows as structs."""
    return [msgspec.convert(dict(row), kind) for row in rows]


# --- devices and keys


async def add_device(device: Device, channels: Sequence[Channel]) -> bool:
    """Write a device with its channels; False when its code is taken."""
    values = msgspec.structs.astuple(device)
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    added = await db.execute(
        f"insert into sensing_device ({columns(Device)}) values ({marks}) on conflict (code) do nothing", *values
    )
    if added:
        rows = [(*msgspec.structs.astuple(channel), 0) for channel in channels]
        await db.copy("sensing_channel", (*Channel.__struct_fields__, "last_seq"), rows)
    return added == 1


async def device(device_id: UUID) -> Device | None:
    """Return a device."""
    rows = await db.fetch(f"select {columns(Device)} from sensing_device where id = $1", device_id)
    return next(iter(read(rows, Device)), None)


async def devices(
    reach: Reach, owners: Sequence[UUID], kind: str | None, after: UUID | None, limit: int
) -> list[Device]:
    """Return devices within reach by id; `owners` are the organisations of the reach with all below them."""
    rows = await db.fetch(
        f"select {columns(Device)} from sensing_device d where {visible('d', 1)}"
        " and ($4::text is null or d.kind = $4) and ($5::uuid is null or d.id > $5) order by d.id limit $6",
        *reach_arguments(reach, owners),
        kind,
        after,
        limit,
    )
    return read(rows, Device)


def visible(alias: str, first: int) -> str:
    """Return the condition that a device is within reach, over three arguments from `first` on."""
    return (
        f"(${first}::boolean or {alias}.owner = any(${first + 1}::uuid[])"
        f" or exists (select 1 from unnest(${first + 2}::text[]) as a(code) where starts_with({alias}.area, a.code)))"
    )


def reach_arguments(reach: Reach, owners: Sequence[UUID]) -> tuple[bool, list[UUID], list[str]]:
    """Return the three arguments of `visible`."""
    return reach.everything, list(owners), list(reach.areas)


async def channels_of(devices: Sequence[UUID]) -> list[Channel]:
    """Return the channels of devices, by device and name."""
    rows = await db.fetch(
        f"select {columns(Channel)} from sensing_channel where device = any($1::uuid[]) order by device, name",
        list(devices),
    )
    return read(rows, Channel)


async def maintain(device_id: UUID, begins: datetime | None, ends: datetime | None) -> None:
    """Set or clear the maintenance window of a device."""
    await db.execute(
        "update sensing_device set maintenance_from = $2, maintenance_until = $3 where id = $1",
        device_id,
        begins,
        ends,
    )


async def add_key(key_id: UUID, device_id: UUID, digest: str, now: datetime, expires_at: datetime | None) -> None:
    """Write a key's digest."""
    await db.execute(
        "insert into sensing_key (id, device, digest, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        key_id,
        device_id,
        digest,
        now,
        expires_at,
    )


async def revoke_keys(device_id: UUID, now: datetime, but: UUID | None = None) -> int:
    """Revoke the keys of a device, all `but` one."""
    return await db.execute(
        "update sensing_key set revoked_at = $2 where device = $1 and revoked_at is null and id is distinct from $3",
        device_id,
        now,
        but,
    )


async def device_of_key(digest: str, now: datetime) -> UUID | None:
    """Return the active device a valid key belongs to."""
    return await db.fetchval(
        "select d.id from sensing_key k join sensing_device d on d.id = k.device where k.digest = $1"
        " and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2) and d.state = 'active'",
        digest,
        now,
    )


async def seen(devices: Sequence[UUID], now: datetime) -> None:
    """Note that devices were heard of; a row another batch holds is skipped, for it notes the same."""
    await db.execute(
        "update sensing_device set last_seen_at = $2 where id in (select id from sensing_device"
        " where id = any($1::uuid[]) and (last_seen_at is null or last_seen_at < $3) order by id"
        " for update skip locked)",
        list(devices),
        now,
        now - SEEN_EVERY,
    )


# --- readings


class Named(Struct, frozen=True, kw_only=True):
    """A channel with the code of its device, as records name it."""

    code: str
    channel: Channel


async def channels_for(sender: UUID, devices: Sequence[str], names: Sequence[str]) -> list[Named]:
    """Return the channels of these names that a device may send for: its own, and those behind it as gateway."""
    rows = await db.fetch(
        f"select d.code, {columns(Channel, 'c.')} from sensing_device d join sensing_channel c on c.device = d.id"
        " where (d.id = $1 or d.gateway = $1) and d.state = 'active'"
        " and (d.code = any($2::text[]) or d.id::text = any($2::text[])) and c.name = any($3::text[])",
        sender,
        list(devices),
        list(names),
    )
    found: list[Named] = []
    for row in rows:
        fields = dict(row)
        found.append(Named(code=fields.pop("code"), channel=msgspec.convert(fields, Channel)))
    return found


async def lock_channels(channels: Sequence[UUID]) -> dict[UUID, Counters]:
    """Lock channels, by id so that two batches never wait for each other in a ring, and return their counters."""
    rows = await db.fetch(
        f"select id, {columns(Counters)} from sensing_channel where id = any($1::uuid[]) order by id for update",
        list(channels),
    )
    return {row["id"]: msgspec.convert({k: row[k] for k in Counters.__struct_fields__}, Counters) for row in rows}


Key = tuple[UUID, str, datetime]
"""Device, channel, time."""


async def insert(rows: Sequence[tuple[Channel, Reading]], flags: Sequence[str | None]) -> set[Key]:
    """Write readings whose key is free and return the keys written."""
    stored = await db.fetch(
        "insert into reading (device, channel, at, value, quality, seq, received_at, max_before, heard_before, flag)"
        " select device, channel, at, value, quality, seq, received_at, max_before, heard_before, flag from unnest("
        "$1::uuid[], $2::text[], $3::timestamptz[], $4::float8[], $5::smallint[], $6::bigint[], $7::timestamptz[],"
        " $8::timestamptz[], $9::timestamptz[], $10::text[])"
        " as r(device, channel, at, value, quality, seq, received_at, max_before, heard_before, flag)"
        " on conflict (device, channel, at) do nothing returning device, channel, at",
        [channel.device for channel, _ in rows],
        [channel.name for channel, _ in rows],
        *([getattr(reading, name) for _, reading in rows] for name in Reading.__struct_fields__),
        list(flags),
    )
    return {(row["device"], row["channel"], row["at"]) for row in stored}


async def values_at(keys: Sequence[Key]) -> dict[Key, float]:
    """Return the stored values of keys; the bounds of time keep the planner to the days in question."""
    if not keys:
        return {}
    times = [at for _, _, at in keys]
    rows = await db.fetch(
        "select r.device, r.channel, r.at, r.value from unnest($1::uuid[], $2::text[], $3::timestamptz[])"
        " as k(device, channel, at) join reading r on r.device = k.device and r.channel = k.channel and r.at = k.at"
        " where r.at between $4 and $5",
        [device for device, _, _ in keys],
        [channel for _, channel, _ in keys],
        times,
        min(times),
        max(times),
    )
    return {(row["device"], row["channel"], row["at"]): row["value"] for row in rows}


class Aside(Struct, frozen=True, kw_only=True):
    """A reading kept beside the others: a conflicting value, or a time outside the days that are kept."""

    id: UUID
    device: UUID
    channel: str
    at: datetime
    value: float
    quality: int
    received_at: datetime


_ASIDE = {
    "id": "uuid",
    "device": "uuid",
    "channel": "text",
    "at": "timestamptz",
    "value": "float8",
    "quality": "smallint",
    "received_at": "timestamptz",
}


async def set_aside(table: str, rows: Sequence[Aside], reasons: Sequence[str] | None = None) -> None:
    """Write rows into `reading_conflict` or (with reasons) `reading_quarantine`; the same again changes nothing."""
    if not rows:
        return
    types = _ASIDE | ({"reason": "text"} if reasons else {})
    names = ", ".join(types)
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types.values(), 1))
    values = [[getattr(row, name) for row in rows] for name in _ASIDE]
    await db.execute(
        f"insert into {table} ({names}) select {names} from unnest({arrays}) as r({names})"
        " on conflict (device, channel, at, value) do nothing",
        *values,
        *([list(reasons)] if reasons else []),
    )


async def mark(counters: dict[UUID, Counters], now: datetime) -> None:
    """Write the counters of locked channels and mark them dirty."""
    await db.execute(
        "update sensing_channel c set last_seq = n.last_seq, last_value = n.last_value, max_at = n.max_at,"
        " last_received_at = n.last_received_at, dirty_since = coalesce(c.dirty_since, $6)"
        " from unnest($1::uuid[], $2::bigint[], $3::float8[], $4::timestamptz[], $5::timestamptz[])"
        " as n(id, last_seq, last_value, max_at, last_received_at) where c.id = n.id",
        list(counters),
        *([getattr(each, name) for each in counters.values()] for name in Counters.__struct_fields__),
        now,
    )


class ReadingView(Struct, frozen=True, kw_only=True):
    """A reading as people see it."""

    at: datetime
    value: float
    quality: int
    flag: str | None
    received_at: datetime


async def readings(
    device: UUID, channel: str, begins: datetime | None, ends: datetime | None, limit: int
) -> list[ReadingView]:
    """Return readings in [begins, ends) of a channel, newest first."""
    rows = await db.fetch(
        f"select {columns(ReadingView)} from reading where device = $1 and channel = $2"
        " and ($3::timestamptz is null or at >= $3) and ($4::timestamptz is null or at < $4)"
        " order by at desc limit $5",
        device,
        channel,
        begins,
        ends,
        limit,
    )
    return read(rows, ReadingView)


# --- days


async def days() -> tuple[date, date] | None:
    """Return the first and the last day (UTC) readings are kept for."""
    row = await db.fetchrow("select min(day) as first, max(day) as last from reading_day")
    return None if row is None or row["first"] is None else (row["first"], row["last"])


async def claim_days(first: date, count: int, now: datetime) -> list[date]:
    """Enter days that are not open yet and return them; whoever enters a day makes its partition (others wait)."""
    rows = await db.fetch(
        "insert into reading_day (day, opened_at) select $1::date + n, $3 from generate_series(0, $2::int - 1) as g(n)"
        " on conflict (day) do nothing returning day",
        first,
        count,
        now,
    )
    return sorted(row["day"] for row in rows)


async def create_partition(day: date) -> None:
    """Make the partition of one day (UTC); by a function of the tables' owner, whom the application is not."""
    await db.execute("select reading_day_make($1)", day)


async def drop_days(before: date) -> list[date]:
    """Drop the partitions of days before one and return those days."""
    rows = await db.fetch("delete from reading_day where day < $1 returning day", before)
    gone = sorted(row["day"] for row in rows)
    for day in gone:
        await db.execute("select reading_day_drop($1)", day)
    return gone
