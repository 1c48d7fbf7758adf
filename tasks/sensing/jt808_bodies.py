"""Bodies of JT/T 808 messages: registration, authentication, heartbeat, positions and batches of them.

Positions come as unsigned millionths of a degree with status bits for south (bit 2) and west (bit 3). They are taken as
WGS-84, what the receiver measures, and returned signed. Status bit 5 says the confidential plug-in has shifted them;
that shift is GCJ-02, and it is undone here, so `lat` and `lon` are WGS-84 degrees always; `datum` says which came.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from struct import Struct as Layout
from typing import Any, Final

from app.kernel.crs import Datum, convert
from tasks.sensing.jt808 import Message, bcd, broken
from tasks.sensing.problems import BrokenFrame

Fields = dict[str, Any]

SOUTH, WEST, SHIFTED = 1 << 2, 1 << 3, 1 << 5
BEIJING = timezone(timedelta(hours=8))
"""Terminals send GMT+8, whatever the season (JT/T 808 §8)."""
_POSITION = Layout(">IIIIHHH6s")


def _text(raw: bytes, encoding: str = "ascii") -> str:
    """Return a padded text field: zeros and blanks around it are padding."""
    return raw.decode(encoding, errors="replace").strip("\x00 ")


def _short(name: str, body: bytes, needed: int) -> BrokenFrame:
    return broken(
        "body", f"{name} 消息体过短", f"the body of {name} is too short: {len(body)} bytes of at least {needed}"
    )


def _take(body: bytes, sizes: Mapping[str, int], name: str) -> dict[str, bytes]:
    """Cut fixed fields off a body; BrokenFrame when it is too short."""
    needed = sum(sizes.values())
    if len(body) < needed:
        raise _short(name, body, needed)
    cut: dict[str, bytes] = {}
    at = 0
    for field, size in sizes.items():
        cut[field] = body[at : at + size]
        at += size
    cut["rest"] = body[at:]
    return cut


_REGISTER: Final[dict[str, dict[str, int]]] = {
    "2011": {"province": 2, "city": 2, "manufacturer": 5, "model": 8, "terminal": 7, "plate_colour": 1},
    "2013": {"province": 2, "city": 2, "manufacturer": 5, "model": 20, "terminal": 7, "plate_colour": 1},
    "2019": {"province": 2, "city": 2, "manufacturer": 11, "model": 30, "terminal": 30, "plate_colour": 1},
}


def register(message: Message) -> Fields:
    """0x0100: the terminal names itself and its vehicle. A body under 37 bytes can only be of the edition of 2011."""
    edition = "2011" if message.version == "2013" and len(message.body) < 37 else message.version
    cut = _take(message.body, _REGISTER[edition], "0x0100")
    return {
        "edition": edition,
        "province": int.from_bytes(cut["province"]),
        "city": int.from_bytes(cut["city"]),
        "manufacturer": _text(cut["manufacturer"]),
        "model": _text(cut["model"]),
        "terminal": _text(cut["terminal"]),
        "plate_colour": cut["plate_colour"][0],
        "plate": _text(cut["rest"], "gb18030"),
    }


def authenticate(message: Message) -> Fields:
    """0x0102: the code the platform gave at registration; in 2019 with its length, IMEI and software version."""
    if message.version == "2013":
        return {"code": _text(message.body, "gb18030")}
    length = int.from_bytes(_take(message.body, {"length": 1}, "0x0102")["length"])
    cut = _take(message.body[1:], {"code": length, "imei": 15, "software": 20}, "0x0102")
    return {"code": _text(cut["code"], "gb18030"), "imei": _text(cut["imei"]), "software": _text(cut["software"])}


def heartbeat(message: Message) -> Fields:
    """0x0002: the terminal lives; the body is empty."""
    if message.body:
        raise broken("body", "心跳消息体应为空", "the body of a heartbeat must be empty")
    return {}


def answer(message: Message) -> Fields:
    """0x0001: the terminal's answer to a message of the platform."""
    cut = _take(message.body, {"serial": 2, "message": 2, "result": 1}, "0x0001")
    return {
        "answer_serial": int.from_bytes(cut["serial"]),
        "answer_id": name_of(int.from_bytes(cut["message"])),
        "result": cut["result"][0],
    }


def _when(raw: bytes) -> datetime | None:
    """BCD `YYMMDDhhmmss` of UTC+8; all zeros (no fix yet) is no time."""
    digits = bcd(raw, "time")
    if digits == "0" * 12:
        return None
    try:
        year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=BEIJING)
    except ValueError:
        raise broken("time", f"时间无效：{digits}", f"not a time: {digits}") from None


def _place(status: int, lat: int, lon: int) -> tuple[float, float, Datum]:
    if lat > 90_000_000:
        raise broken("lat", f"纬度超出范围：{lat}", f"latitude out of range: {lat} millionths of a degree")
    if lon > 180_000_000:
        raise broken("lon", f"经度超出范围：{lon}", f"longitude out of range: {lon} millionths of a degree")
    north = (-lat if status & SOUTH else lat) / 1_000_000
    east = (-lon if status & WEST else lon) / 1_000_000
    if not status & SHIFTED:
        return east, north, Datum.WGS84
    x, y = convert(east, north, Datum.GCJ02, Datum.WGS84)
    return x, y, Datum.GCJ02


def position_of(body: bytes) -> Fields:
    """Read a position: 28 bytes and additional items (number, length, value)."""
    if len(body) < _POSITION.size:
        raise _short("0x0200", body, _POSITION.size)
    alarm, status, lat, lon, altitude, speed, direction, time = _POSITION.unpack_from(body)
    x, y, datum = _place(status, lat, lon)
    at = _when(time)
    return {
        "alarm": alarm,
        "status": status,
        "ignition": bool(status & 1),
        "fixed": bool(status & 2),
        "lat": y,
        "lon": x,
        "datum": datum.value,
        "altitude_m": altitude,
        "speed_kmh": speed / 10,
        "direction": direction,
        "time": None if at is None else at.isoformat(),
        "extra": _extra(body[_POSITION.size :]),
    }


_ITEMS: Final[dict[int, tuple[str, int, Callable[[int], float]]]] = {
    0x01: ("mileage_km", 4, lambda raw: raw / 10),
    0x02: ("fuel_l", 2, lambda raw: raw / 10),
    0x03: ("recorder_speed_kmh", 2, lambda raw: raw / 10),
    0x25: ("vehicle_signals", 4, lambda raw: raw),
    0x2A: ("io_status", 2, lambda raw: raw),
    0x30: ("signal_strength", 1, lambda raw: raw),
    0x31: ("satellites", 1, lambda raw: raw),
}


def _extra(rest: bytes) -> Fields:
    """Additional items by name; unknown ones by number, in hexadecimal."""
    found: Fields = {}
    while rest:
        if len(rest) < 2 or len(rest) < 2 + rest[1]:
            raise broken("extra", "附加信息项不完整", f"an additional item is cut short: {rest.hex()}")
        number, value, rest = rest[0], rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        known = _ITEMS.get(number)
        if known is not None and len(value) == known[1]:
            found[known[0]] = known[2](int.from_bytes(value))
        else:
            found[f"0x{number:02X}" if known is None else known[0]] = value.hex()
    return found


def position(message: Message) -> Fields:
    """0x0200: where the vehicle is."""
    return position_of(message.body)


def batch(message: Message) -> Fields:
    """0x0704: positions sent later in one message; `kind` 0 = regular, 1 = from a blind spot."""
    cut = _take(message.body, {"count": 2, "kind": 1}, "0x0704")
    positions: list[Fields] = []
    rest = cut["rest"]
    while rest:
        length = int.from_bytes(rest[:2])
        if len(rest) < 2 + length:
            raise broken("body", "批量位置不完整", "a position of the batch is cut short")
        positions.append(position_of(rest[2 : 2 + length]))
        rest = rest[2 + length :]
    count = int.from_bytes(cut["count"])
    if count != len(positions):
        raise broken("count", f"位置条数不符：{count}", f"{count} positions announced, {len(positions)} sent")
    return {"kind": cut["kind"][0], "positions": positions}


BODIES: Final[dict[int, tuple[str, Callable[[Message], Fields]]]] = {
    0x0001: ("answer", answer),
    0x0002: ("heartbeat", heartbeat),
    0x0100: ("register", register),
    0x0102: ("authenticate", authenticate),
    0x0200: ("position", position),
    0x0704: ("position batch", batch),
}
"""Message id → its name and how its body is read."""


def name_of(message_id: int) -> str:
    """Return a message id as it is written in the standard."""
    return f"0x{message_id:04X}"


def fields(message: Message) -> Fields:
    """Return what the body says; for an unknown, encrypted or divided message only `raw`, its bytes in hexadecimal."""
    known = BODIES.get(message.message_id)
    if known is None or message.encryption is not None or message.package is not None:
        return {"raw": message.body.hex()}
    return known[1](message)


def describe(message: Message) -> Fields:
    """Return the whole message as `zjw jt808 decode` prints it."""
    package = message.package
    return {
        "message_id": name_of(message.message_id),
        "message": BODIES.get(message.message_id, ("unknown",))[0],
        "phone": message.phone,
        "serial": message.serial,
        "version": message.version,
        "protocol_version": message.protocol_version,
        "encryption": message.encryption,
        "package": None if package is None else {"total": package.total, "index": package.index},
        "fields": fields(message),
    }


def acknowledge(received: Message, serial: int, result: int = 0) -> Message:
    """Return the platform's general answer 0x8001; `result` 0 = done, 1 = failed, 2 = wrong, 3 = not supported."""
    body = received.serial.to_bytes(2) + received.message_id.to_bytes(2) + result.to_bytes(1)
    return _reply(received, 0x8001, serial, body)


def registered(received: Message, serial: int, result: int, code: str = "") -> Message:
    """Return the answer 0x8100 to a registration; on result 0 with the code to authenticate with."""
    body = received.serial.to_bytes(2) + result.to_bytes(1) + (code.encode("gb18030") if result == 0 else b"")
    return _reply(received, 0x8100, serial, body)


def _reply(received: Message, message_id: int, serial: int, body: bytes) -> Message:
    return Message(
        message_id=message_id,
        phone=received.phone,
        serial=serial,
        version=received.version,
        protocol_version=received.protocol_version,
        body=body,
    )
