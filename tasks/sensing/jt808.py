"""JT/T 808 frames of vehicle terminals, 2011/2013 and 2019: bytes to messages and back; a broken frame names its fault.

A frame is 0x7E, header, body, checksum, 0x7E; inside, 0x7E travels as 0x7D 0x02 and 0x7D as 0x7D 0x01; the checksum is
the exclusive or of header and body (JT/T 808-2019 §4.4). Bodies are read by `tasks.sensing.jt808_bodies`.
"""

import re
from functools import reduce
from typing import Literal, NamedTuple

from msgspec import Struct

from app.kernel.problem import Text
from tasks.sensing.problems import BrokenFrame

FLAG, ESCAPE = 0x7E, 0x7D
_ENCRYPTION = {0: None, 1: "rsa"}

Version = Literal["2013", "2019"]


class Package(Struct, frozen=True):
    """Which part of a divided message this is; `index` counts from 1."""

    total: int
    index: int


class Message(Struct, frozen=True, kw_only=True):
    """One frame taken apart. `phone` holds every BCD digit of the header: 12, or 20 in 2019 (padded with zeros)."""

    message_id: int
    phone: str
    serial: int
    version: Version = "2013"
    protocol_version: int | None = None
    encryption: str | None = None
    package: Package | None = None
    body: bytes = b""


def broken(part: str, zh: str, en: str) -> BrokenFrame:
    """Return the problem of one broken part of a frame."""
    return BrokenFrame((zh, en), broken=[part])


def from_hex(text: str) -> bytes:
    """Return the bytes of a hexadecimal text (blanks allowed); BrokenFrame when it is none."""
    digits = re.sub(r"\s+", "", text).removeprefix("0x").removeprefix("0X")
    if not digits or not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        raise broken("hex", "不是十六进制文本", "this is not hexadecimal text")
    if len(digits) % 2:
        raise broken("hex", "十六进制位数为奇数", "an odd number of hexadecimal digits")
    return bytes.fromhex(digits)


def unescape(frame: bytes) -> bytes:
    """Return header, body and checksum of a frame; BrokenFrame when a flag is missing or an escape is wrong."""
    if len(frame) < 2 or frame[0] != FLAG:
        raise broken("flag", "缺少起始标识 7E", "the start flag 7E is missing")
    if frame[-1] != FLAG:
        raise broken("flag", "缺少结束标识 7E", "the end flag 7E is missing")
    inner = frame[1:-1]
    if FLAG in inner:
        raise broken("flag", "帧内出现未转义的 7E", f"an unescaped 7E inside the frame, at byte {frame.index(FLAG, 1)}")
    if ESCAPE not in inner:
        return inner
    wrong = re.search(rb"\x7d(?![\x01\x02])", inner)
    if wrong is not None:
        raise broken(
            "escape", "转义错误", f"a wrong escape at byte {wrong.start() + 1}: 7D must be followed by 01 or 02"
        )
    return inner.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")


def escape(content: bytes) -> bytes:
    """Return content with both special bytes escaped, between flags."""
    flag = bytes([FLAG])
    return flag + content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + flag


def checksum(content: bytes) -> int:
    """Return the exclusive or of all bytes."""
    return reduce(int.__xor__, content, 0)


def bcd(digits: bytes, part: str) -> str:
    """Return the decimal digits of 8421 BCD; BrokenFrame naming `part` when a digit is none."""
    text = digits.hex()
    if not text.isdecimal():
        raise broken(part, f"{part} 不是 BCD 码：{text}", f"{part} is not BCD: {text}")
    return text


class _Properties(NamedTuple):
    """The property word of the header."""

    length: int
    encryption: int
    divided: bool
    versioned: bool


def _properties(word: int) -> _Properties:
    return _Properties(word & 0x3FF, word >> 10 & 0b111, bool(word >> 13 & 1), bool(word >> 14 & 1))


def decode(frame: bytes) -> Message:
    """Return the message of a frame with both flags; BrokenFrame lists every broken part that can be told."""
    content = unescape(frame)
    if len(content) < 13:
        raise broken("length", "报文过短", f"too short: {len(content)} bytes between the flags, at least 13 needed")
    properties = _properties(int.from_bytes(content[2:4]))
    phone_at, phone_size = (5, 10) if properties.versioned else (4, 6)
    serial_at = phone_at + phone_size
    body_at = serial_at + (6 if properties.divided else 2)
    _check(content, body_at, properties.length)
    return Message(
        message_id=int.from_bytes(content[:2]),
        phone=bcd(content[phone_at:serial_at], "phone"),
        serial=int.from_bytes(content[serial_at : serial_at + 2]),
        version="2019" if properties.versioned else "2013",
        protocol_version=content[4] if properties.versioned else None,
        encryption=_ENCRYPTION.get(properties.encryption, f"unknown-{properties.encryption}"),
        package=_package(content[serial_at + 2 : body_at]) if properties.divided else None,
        body=content[body_at:-1],
    )


def _check(content: bytes, body_at: int, length: int) -> None:
    """Compare checksum and length; both are named when both are wrong."""
    faults: dict[str, Text] = {}
    found, expected = content[-1], checksum(content[:-1])
    if found != expected:
        faults["checksum"] = (
            f"校验码错误：收到 {found:02X}，应为 {expected:02X}",
            f"wrong checksum: {found:02X}, computed {expected:02X}",
        )
    present = len(content) - 1 - body_at
    if present < 0:
        faults["header"] = ("消息头不完整", "the header is cut short")
    elif present != length:
        faults["length"] = (
            f"消息体长度不符：头部为 {length}，实际 {present}",
            f"wrong body length: the header says {length}, there are {present} bytes",
        )
    if faults:
        zh, en = zip(*faults.values(), strict=True)
        raise BrokenFrame(("；".join(zh), "; ".join(en)), broken=list(faults))


def _package(words: bytes) -> Package:
    total, index = int.from_bytes(words[:2]), int.from_bytes(words[2:])
    if not 1 <= index <= total:
        raise broken("package", f"分包序号有误：{index}/{total}", f"wrong sub-package number: {index} of {total}")
    return Package(total, index)


def encode(message: Message) -> bytes:
    """Return the frame of a message. ValueError: phone, serial, body over 1,023 bytes or encryption do not fit."""
    versioned = message.version == "2019"
    digits = 20 if versioned else 12
    if len(message.body) > 0x3FF or len(message.phone) > digits or not message.phone.isdecimal() or message.encryption:
        raise ValueError("does not fit into one frame")
    word = len(message.body) | (message.package is not None) << 13 | versioned << 14
    header = message.message_id.to_bytes(2) + word.to_bytes(2)
    if versioned:
        header += (1 if message.protocol_version is None else message.protocol_version).to_bytes(1)
    header += bytes.fromhex(message.phone.zfill(digits)) + message.serial.to_bytes(2)
    if message.package is not None:
        header += message.package.total.to_bytes(2) + message.package.index.to_bytes(2)
    content = header + message.body
    return escape(content + bytes([checksum(content)]))


def split(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Cut a stream into whole frames (with flags) and the rest to keep; bytes before a flag are dropped.

    Two frames may share one flag byte or have one each.
    """
    pieces = buffer.split(bytes([FLAG]))
    frames = [b"\x7e" + piece + b"\x7e" for piece in pieces[1:-1] if piece]
    rest = b"\x7e" + pieces[-1] if len(pieces) > 1 else b""
    return frames, rest
