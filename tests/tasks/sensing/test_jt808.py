"""JT/T 808: frames in both editions, what their bodies say, and what is said of a broken one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.crs import Datum, convert, distance_m
from tasks.sensing import jt808, jt808_bodies
from tasks.sensing.jt808 import Message, Package
from tasks.sensing.problems import BrokenFrame

# Test frames as public implementations publish them (SmallChi JT808, xtream-codec), not captured from anybody.
PUBLISHED_2013 = (
    "7e020000470412106280030233000000000000200201d365df072f15d500280000002d2109171915580104"
    "0002a10f2a0200042b049203a46f520103eb06000100ce0a5730011b31010951080000000000000000ca7e"
)
EDITED_BY_HAND = (  # its publisher changed the time and left the checksum
    "7E02000032011111111111012E00000000000C00000160E42506C30C82002C00000000180914142057"
    "010400001DC003020000250400000000300115310100977E"
)
PUBLISHED_2019 = (
    "7e0704403f01000000000139123443290000000200001c000000010000000101d907f2073d336c029a00210059241029213903"
    "001c000000010000000101d907f3073d336d03090043005a241029213903f87e"
)


def position(lat: int = 30_180_000, lon: int = 120_260_000, status: int = 3, extra: str = "") -> bytes:
    fixed = (0).to_bytes(4) + status.to_bytes(4) + lat.to_bytes(4) + lon.to_bytes(4)
    return fixed + (12).to_bytes(2) + (456).to_bytes(2) + (90).to_bytes(2) + bytes.fromhex("261123083000" + extra)


def told(message_id: int, body: bytes, version: jt808.Version = "2013") -> dict[str, object]:
    frame = jt808.encode(Message(message_id=message_id, phone="013800000000", serial=7, version=version, body=body))
    return jt808_bodies.describe(jt808.decode(frame))["fields"]


def fault_of(frame: bytes) -> list[str] | None:
    """Return the named faults of a frame, None when it has none; any other error passes through."""
    try:
        jt808_bodies.describe(jt808.decode(frame))
    except BrokenFrame as refusal:
        return refusal.facts["broken"]
    return None


def refused(frame: bytes) -> list[str]:
    with pytest.raises(BrokenFrame) as refusal:
        jt808_bodies.describe(jt808.decode(frame))
    return refusal.value.facts["broken"]


def test_a_published_frame_of_2013():
    told = jt808_bodies.describe(jt808.decode(jt808.from_hex(PUBLISHED_2013)))
    assert (told["message_id"], told["phone"]) == ("0x0200", "041210628003")
    assert (told["serial"], told["version"]) == (0x0233, "2013")
    fields = told["fields"]
    assert (fields["lat"], fields["lon"], fields["time"]) == (30.631391, 120.526293, "2021-09-17T19:15:58+08:00")
    assert fields["extra"]["mileage_km"] == 17230.3
    assert fields["extra"]["0x2B"] == "9203a46f"
    assert (fields["extra"]["signal_strength"], fields["extra"]["satellites"]) == (27, 9)


def test_a_frame_edited_by_hand_is_found_out():
    assert refused(jt808.from_hex(EDITED_BY_HAND)) == ["checksum"]


def test_a_published_batch_of_2019():
    told = jt808_bodies.describe(jt808.decode(jt808.from_hex(PUBLISHED_2019)))
    assert (told["message_id"], told["phone"], told["serial"]) == ("0x0704", "00000000013912344329", 0)
    assert (told["version"], told["protocol_version"]) == ("2019", 1)
    first, second = told["fields"]["positions"]
    assert (first["lat"], first["lon"], first["altitude_m"], first["speed_kmh"]) == (31.000562, 121.451372, 666, 3.3)
    assert (second["lat"], second["lon"], second["direction"]) == (31.000563, 121.451373, 90)


@pytest.mark.parametrize(
    ("status", "lat", "lon"), [(0, 1, 1), (0b100, -1, 1), (0b1000, 1, -1), (0b1100, -1, -1), (0b11, 1, 1)]
)
def test_status_bits_say_south_and_west(status: int, lat: int, lon: int):
    fields = told(0x0200, position(22_500_000, 43_250_000, status))
    assert (fields["lat"], fields["lon"]) == (lat * 22.5, lon * 43.25)


def test_a_position_shifted_by_the_plug_in_is_shifted_back():
    lon, lat = convert(120.26, 30.18, Datum.WGS84, Datum.GCJ02)
    fields = told(0x0200, position(round(lat * 1e6), round(lon * 1e6), 0b100011))
    assert fields["datum"] == "gcj02"
    assert distance_m(fields["lon"], fields["lat"], 120.26, 30.18) < 0.5


def test_registration_in_the_three_editions():
    head = bytes.fromhex("00210067")
    plate = "浙A00000".encode("gb18030")
    old = told(0x0100, head + b"MAKER" + b"M-1".ljust(8) + b"T000001" + b"\x02" + plate)
    middle = told(0x0100, head + b"MAKER" + b"M-1".ljust(20, b"\0") + b"T000001" + b"\x02" + plate)
    new = head + b"MAKER".ljust(11, b"\0") + b"M-1".ljust(30, b"\0") + b"T000001".ljust(30, b"\0") + b"\x02" + plate
    for edition, fields in (("2011", old), ("2013", middle), ("2019", told(0x0100, new, "2019"))):
        assert fields == {
            "edition": edition,
            "province": 33,
            "city": 103,
            "manufacturer": "MAKER",
            "model": "M-1",
            "terminal": "T000001",
            "plate_colour": 2,
            "plate": "浙A00000",
        }


def test_authentication_in_both_editions():
    assert told(0x0102, b"secret") == {"code": "secret"}
    body = b"\x06secret" + b"123456789012345" + b"v1.0".ljust(20, b"\0")
    assert told(0x0102, body, "2019") == {"code": "secret", "imei": "123456789012345", "software": "v1.0"}


def test_heartbeat_answer_and_what_is_not_known():
    assert told(0x0002, b"") == {}
    assert told(0x0001, bytes.fromhex("0001810300")) == {"answer_serial": 1, "answer_id": "0x8103", "result": 0}
    assert told(0x0F01, b"\x01\x7e") == {"raw": "017e"}


def test_a_terminal_without_a_fix_has_no_time():
    body = position(0, 0, 0)[:22] + bytes(6)
    assert told(0x0200, body)["time"] is None


def test_a_part_of_a_divided_message_is_shown_raw():
    frame = jt808.encode(Message(message_id=0x0704, phone="1", serial=1, package=Package(3, 2), body=b"\x01\x02"))
    shown = jt808_bodies.describe(jt808.decode(frame))
    assert (shown["package"], shown["fields"]) == ({"total": 3, "index": 2}, {"raw": "0102"})


GOOD = jt808.encode(Message(message_id=0x0200, phone="013800000000", serial=7, body=position()))


@pytest.mark.parametrize(
    ("frame", "parts"),
    [
        (b"", ["flag"]),
        (GOOD[1:], ["flag"]),
        (GOOD[:-1], ["flag"]),
        (b"\x7e\x7e", ["length"]),
        (GOOD[:20] + b"\x7e" + GOOD[20:], ["flag"]),
        (GOOD[:20] + b"\x7d\x05" + GOOD[22:], ["escape"]),
        (GOOD[:-2] + b"\x7d\x7e", ["escape"]),
        (GOOD[:20] + bytes([GOOD[20] ^ 1]) + GOOD[21:], ["checksum"]),
        (GOOD[:-5] + GOOD[-2:], ["checksum", "length"]),
        (GOOD[:20] + b"\0" + GOOD[20:], ["length"]),
        (jt808.escape(bytes.fromhex("0200201c013800000000000748")), ["checksum", "header"]),
        (GOOD[:5] + b"\xa1" + b"\x38\xa0" + GOOD[8:], ["phone"]),
    ],
)
def test_a_broken_frame_names_what_is_broken(frame: bytes, parts: list[str]):
    if parts == ["phone"]:  # with a checksum that fits
        content = jt808.unescape(frame)[:-1]
        frame = jt808.escape(content + bytes([jt808.checksum(content)]))
    assert refused(frame) == parts


@pytest.mark.parametrize(
    ("message_id", "body", "part"),
    [
        (0x0200, position()[:-1], "body"),
        (0x0200, position(lat=90_000_001), "lat"),
        (0x0200, position(lon=180_000_001), "lon"),
        (0x0200, position()[:22] + bytes.fromhex("261323083000"), "time"),
        (0x0200, position()[:22] + bytes.fromhex("26112308300a"), "time"),
        (0x0200, position(extra="0104000001"), "extra"),
        (0x0002, b"\0", "body"),
        (0x0100, b"\0" * 20, "body"),
        (0x0704, b"\0\2\0" + b"\0\x1c" + position(), "count"),
        (0x0704, b"\0\1\0" + b"\0\x1d" + position(), "body"),
    ],
)
def test_a_broken_body_names_what_is_broken(message_id: int, body: bytes, part: str):
    assert refused(jt808.encode(Message(message_id=message_id, phone="1", serial=1, body=body))) == [part]


@pytest.mark.parametrize("text", ["", "7e0", "zz", "7e 02 xx", "0x"])
def test_what_is_not_hexadecimal_is_refused(text: str):
    with pytest.raises(BrokenFrame):
        jt808.from_hex(text)


versions = st.sampled_from(["2013", "2019"])
packages = st.one_of(st.none(), st.integers(1, 9).flatmap(lambda n: st.builds(Package, st.just(n), st.integers(1, n))))


@given(st.integers(0, 0xFFFF), st.integers(0, 10**12 - 1), st.integers(0, 0xFFFF), versions, packages, st.binary())
def test_what_is_encoded_is_decoded(
    message_id: int, phone: int, serial: int, version: jt808.Version, package: Package | None, body: bytes
):
    digits, protocol = (20, 1) if version == "2019" else (12, None)
    message = Message(
        message_id=message_id,
        phone=str(phone).zfill(digits),
        serial=serial,
        version=version,
        protocol_version=protocol,
        package=package,
        body=body,
    )
    frame = jt808.encode(message)
    assert jt808.decode(frame) == message
    assert frame.count(b"\x7e") == 2


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_a_named_fault(noise: bytes):
    for frame in (noise, jt808.escape(noise), jt808.escape(noise + bytes([jt808.checksum(noise)]))):
        assert fault_of(frame) != []


@given(st.sampled_from(sorted(jt808_bodies.BODIES)), versions, st.binary(max_size=120))
def test_any_body_is_read_or_named(message_id: int, version: jt808.Version, body: bytes):
    assert fault_of(jt808.encode(Message(message_id=message_id, phone="1", serial=1, version=version, body=body))) != []


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.data())
def test_a_stream_is_cut_into_the_frames_that_were_sent(bodies: list[bytes], data: st.DataObject):
    sent = [jt808.encode(Message(message_id=2, phone="1", serial=n, body=body)) for n, body in enumerate(bodies)]
    stream, received, rest = b"".join(sent), list[bytes](), b""
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        frames, rest = jt808.split(rest + stream[:size])
        received += frames
        stream = stream[size:]
    assert received == sent


def test_the_platform_answers_in_the_terminals_edition():
    asked = jt808.decode(GOOD)
    answer = jt808.decode(jt808.encode(jt808_bodies.acknowledge(asked, serial=1)))
    assert (answer.message_id, answer.body, answer.phone) == (0x8001, bytes.fromhex("0007020000"), asked.phone)
    code = jt808.decode(jt808.encode(jt808_bodies.registered(asked, serial=2, result=0, code="k")))
    assert (code.message_id, code.body) == (0x8100, b"\0\x07\0k")
