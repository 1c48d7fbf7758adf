"""The tus 1.0.0 protocol as decisions on headers: what is asked, whether it may be, what is answered."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from msgspec import Struct

from app.kernel.problem import UnsupportedMedia
from media.problems import FileTooLarge, OffsetMismatch, TusHeaderRefused, TusVersionRefused

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination,checksum"
ALGORITHMS = {"sha1": 20, "sha256": 32}
"""Checksum algorithm → bytes of its digest."""
BODY_TYPE = "application/offset+octet-stream"
RESUMABLE = {"Tus-Resumable": VERSION}
_DIGITS = 15

Headers = Mapping[str, str]
"""Request headers; looked up by their lower-case names."""


class Creation(Struct, frozen=True):
    """A new upload: its length in bytes, its metadata decoded and as sent."""

    length: int
    metadata: dict[str, str]
    raw_metadata: str


class Checksum(Struct, frozen=True):
    """What the bytes of one request must hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> Any:
        """A new hash object of the algorithm."""
        return hashlib.new(self.algorithm)


class Part(Struct, frozen=True):
    """The body of one request: where it goes, how long it says it is, what it must hash to."""

    offset: int
    length: int | None
    checksum: Checksum | None


def capabilities(most: int) -> dict[str, str]:
    """The answer to OPTIONS; `most` is the largest upload in bytes."""
    return RESUMABLE | {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(most),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def require_version(headers: Headers) -> None:
    """Every request but OPTIONS says which version it speaks; TusVersionRefused for another or none."""
    if headers.get("tus-resumable") != VERSION:
        raise TusVersionRefused(headers={"Tus-Version": VERSION})


def method_of(method: str, headers: Headers) -> str:
    """The method meant: clients without PATCH send POST with `X-HTTP-Method-Override`."""
    return headers.get("x-http-method-override", method).strip().upper()


def creation(headers: Headers) -> Creation:
    """Read a creation; TusHeaderRefused when its length or metadata cannot be read."""
    if "upload-defer-length" in headers:
        raise _refused("Upload-Defer-Length", "不支持延后给出长度", "a deferred length is not offered")
    raw = headers.get("upload-metadata", "")
    return Creation(_number(headers, "Upload-Length"), metadata(raw), raw)


def metadata(raw: str) -> dict[str, str]:
    """Decode `Upload-Metadata`: comma-separated pairs of an ASCII key and a base64 value, which may be missing."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in raw.split(","))):
        key, _, value = pair.partition(" ")
        if not key.isascii() or key in found:
            raise _refused("Upload-Metadata", "键重复或含非 ASCII 字符", "a key is repeated or not ASCII")
        found[key] = _base64(value.strip(), "Upload-Metadata").decode("utf-8", "replace")
    return found


def part(headers: Headers) -> Part:
    """Read what a request with bytes says of them (PATCH)."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != BODY_TYPE:
        raise UnsupportedMedia((f"内容类型应为 {BODY_TYPE}", f"the content type is {BODY_TYPE}"))
    return Part(_number(headers, "Upload-Offset"), _length(headers), _checksum(headers))


def first_part(headers: Headers) -> Part | None:
    """The bytes that come with a creation, if there are any."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != BODY_TYPE:
        return None
    return Part(0, _length(headers), _checksum(headers))


def fit(received: int, length: int, asked: Part) -> None:
    """Refuse bytes that do not go on where the upload stands, or that go beyond its end, before any is read."""
    if asked.offset != received:
        raise OffsetMismatch(headers={"Upload-Offset": str(received)}, offset=received)
    if asked.length is not None and received + asked.length > length:
        raise FileTooLarge(limit=length)


def http_date(at: datetime) -> str:
    """An instant as headers write it (RFC 9110 §5.6.7)."""
    return format_datetime(at.replace(microsecond=0), usegmt=True)


def _number(headers: Headers, name: str) -> int:
    text = headers.get(name.lower(), "")
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise _refused(name, "应为非负整数", "is a number of bytes, zero or more")
    return int(text)


def _length(headers: Headers) -> int | None:
    return _number(headers, "Content-Length") if "content-length" in headers else None


def _checksum(headers: Headers) -> Checksum | None:
    text = headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    size = ALGORITHMS.get(algorithm.lower())
    if size is None:
        raise _refused("Upload-Checksum", "不支持的算法", f"the algorithm is one of {', '.join(ALGORITHMS)}")
    digest = _base64(encoded, "Upload-Checksum")
    if len(digest) != size:
        raise _refused("Upload-Checksum", "长度不符", f"a {algorithm} digest has {size} bytes")
    return Checksum(algorithm.lower(), digest)


def _base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _refused(name, "不是有效的 base64", "a value is not base64") from None


def _refused(name: str, zh: str, en: str) -> TusHeaderRefused:
    return TusHeaderRefused((f"{name}：{zh}", f"{name}: {en}"), header=name)
