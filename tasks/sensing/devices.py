"""Devices (感知设备) and what they send: as values, with the rules of what a record must look like."""

import hashlib
import math
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

from msgspec import Struct

from app.kernel.problem import FieldError, Text

KEY_PREFIX = "zjwd_"
FAR_FUTURE = timedelta(days=1)
"""A reading further ahead than this is set aside: its clock is wrong, not slow."""

Verdict = Literal["stored", "duplicate", "conflict", "refused"]


class Channel(Struct, frozen=True, kw_only=True):
    """A quantity a device measures. Outside of `low` to `high` the sensor is wrong; a jump over `spike` is odd."""

    id: UUID
    device: UUID
    name: str
    unit: str
    low: float | None = None
    high: float | None = None
    spike: float | None = None


class NewChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quantity of a device that is being registered."""

    name: str
    unit: str
    low: float | None = None
    high: float | None = None
    spike: float | None = None


class NewDevice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device to register: `lon`, `lat` in WGS-84 degrees; `area` the code of its cell, village, town or district."""

    code: str
    name: str
    kind: str
    owner: UUID
    channels: tuple[NewChannel, ...] = ()
    gateway: UUID | None = None
    area: str | None = None
    lon: float | None = None
    lat: float | None = None
    address: str = ""


class Device(Struct, frozen=True, kw_only=True):
    """A registered device with the organisation that owns it."""

    id: UUID
    code: str
    name: str
    kind: str
    owner: UUID
    gateway: UUID | None
    area: str | None
    lon: float | None
    lat: float | None
    address: str
    state: str
    maintenance_from: datetime | None
    maintenance_until: datetime | None
    registered_at: datetime
    last_seen_at: datetime | None

    def maintained(self, at: datetime) -> bool:
        """Say whether the device is under maintenance at an instant: its alerts then open no case."""
        begun = self.maintenance_from is not None and self.maintenance_from <= at
        return begun and (self.maintenance_until is None or at < self.maintenance_until)


class Incoming(Struct, frozen=True, kw_only=True):
    """A reading as it comes in: `device` is the code or the id, `quality` the sender's own flag."""

    device: str
    channel: str
    at: datetime
    value: float
    quality: int | None = None


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one record. `why` says it in words where it was not simply stored; `flag` marks an odd one."""

    index: int
    verdict: Verdict
    flag: str | None = None
    why: Text | None = None


def new_key() -> str:
    """Return a fresh device key of 192 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(24)


def digest(key: str) -> str:
    """Return the digest a key is stored as (SHA-256 is enough for a random key; it names itself)."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


QUALITIES = (1, 2, 3, 4, 9)
_LONGEST = 200


def _text(value: Any) -> Text | None:
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and "\x00" not in value:
        return None
    return (f"应为 1 到 {_LONGEST} 个字的文字", f"must be a text of 1 to {_LONGEST} characters")


def _time(value: Any) -> Text | None:
    wrong = ("应为带时区的 ISO 8601 时间", "must be an ISO 8601 time with an offset")
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return wrong
    # The years around the ends cannot be turned into UTC and back.
    return None if at.tzinfo is not None and 1900 < at.year < 2200 else wrong


def _value(value: Any) -> Text | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ("应为数字", "must be a number")
    return None if abs(value) < 1e300 and math.isfinite(value) else ("应为有限的数", "must be a finite number")


def _quality(value: Any) -> Text | None:
    if value is None or (not isinstance(value, bool) and value in QUALITIES):
        return None
    return ("应为 1、2、3、4 或 9", "must be 1, 2, 3, 4 or 9")


_CHECKS = {"device": _text, "channel": _text, "at": _time, "value": _value, "quality": _quality}


def read_record(record: Any) -> Incoming | list[FieldError]:
    """Return the reading a JSON record states, or everything wrong with it."""
    if not isinstance(record, Mapping):
        return [FieldError("", ("应为对象", "must be an object"))]
    fields = cast(Mapping[Any, Any], record)
    found = [FieldError(str(key), ("没有这个字段", "is not a field")) for key in fields if key not in _CHECKS]
    for key, check in _CHECKS.items():
        if key not in fields and key != "quality":
            found.append(FieldError(key, ("必填", "is required")))
        elif key in fields and (wrong := check(fields[key])) is not None:
            found.append(FieldError(key, wrong))
    if found:
        return found
    return Incoming(
        device=fields["device"],
        channel=fields["channel"],
        at=datetime.fromisoformat(fields["at"]),
        value=float(fields["value"]),
        quality=fields.get("quality"),
    )


def outside(at: datetime, days: tuple[date, date] | None, now: datetime) -> str | None:
    """Say why a reading of this time is set aside: `far-future`, `before-retention`, `day-not-open`, or None.

    `days` are the first and the last day (UTC) that readings are kept for.
    """
    if at > now + FAR_FUTURE:
        return "far-future"
    day = at.astimezone(UTC).date()
    if days is None or day > days[1]:
        return "day-not-open"
    return "before-retention" if day < days[0] else None


def faults(new: NewDevice) -> list[FieldError]:
    """Return everything wrong with a device to register, as far as it can be told from itself."""
    words = ((field, _text(getattr(new, field))) for field in ("code", "name", "kind"))
    found = [FieldError(field, wrong) for field, wrong in words if wrong is not None]
    if len(new.address) > 2 * _LONGEST or "\x00" in new.address:
        found.append(FieldError("address", ("地址过长或含有无法保存的字符", "too long, or not storable")))
    if new.area is not None and not re.fullmatch(r"[0-9]{6}([0-9]{3}){0,3}", new.area):
        found.append(
            FieldError("area", ("应为 6、9、12 或 15 位区划代码", "must be an area code of 6, 9, 12 or 15 digits"))
        )
    found += _place_faults(new)
    names = [each.name for each in new.channels]
    for number, each in enumerate(new.channels):
        found += [FieldError(f"channels[{number}].{field}", wrong) for field, wrong in _channel_faults(each, names)]
    return found


def _place_faults(new: NewDevice) -> list[FieldError]:
    degrees = (("lon", new.lon, 180), ("lat", new.lat, 90))
    found = [
        FieldError(field, ("坐标超出范围", "out of range"))
        for field, value, most in degrees
        if value is not None and not abs(value) <= most
    ]
    if (new.lon is None) != (new.lat is None):
        found.append(FieldError("lon", ("经纬度须同时给出", "longitude and latitude come together")))
    return found


def _channel_faults(new: NewChannel, names: list[str]) -> list[tuple[str, Text]]:
    found: list[tuple[str, Text]] = []
    if (wrong := _text(new.name)) is not None:
        found.append(("name", wrong))
    elif names.count(new.name) > 1:
        found.append(("name", ("通道名重复", "the name is used twice")))
    for field in ("low", "high", "spike"):
        limit: float | None = getattr(new, field)
        if limit is not None and not math.isfinite(limit):
            found.append((field, ("应为有限的数", "must be a finite number")))
    if new.low is not None and new.high is not None and new.low >= new.high:
        found.append(("high", ("须大于 low", "must be above low")))
    if len(new.unit) > _LONGEST or "\x00" in new.unit:
        found.append(("unit", ("单位过长", "too long")))
    return found


def registered(new: NewDevice, device_id: UUID, area: str | None, now: datetime) -> Device:
    """Return the device a registration makes."""
    return Device(
        id=device_id,
        code=new.code,
        name=new.name,
        kind=new.kind,
        owner=new.owner,
        gateway=new.gateway,
        area=area,
        lon=new.lon,
        lat=new.lat,
        address=new.address,
        state="active",
        maintenance_from=None,
        maintenance_until=None,
        registered_at=now,
        last_seen_at=None,
    )


def channel(new: NewChannel, channel_id: UUID, device_id: UUID) -> Channel:
    """Return the channel a registration makes."""
    return Channel(
        id=channel_id,
        device=device_id,
        name=new.name,
        unit=new.unit,
        low=new.low,
        high=new.high,
        spike=new.spike,
    )
