"""What Open311 clients send: the form of a request, the parameters of a list; every bad field is named; pure."""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct

from app.kernel.problem import Text
from media.evidence import EvidenceRef
from tasks.channels.open311 import TEXT_LIMIT, Refused

Fields = Mapping[str, Sequence[str]]
"""Name → what was sent for it, in order."""

MOST_FIELDS = 200
SPAN = timedelta(days=90)
"""The longest range of dates, and the one of a list that asks for none; from the specification."""
PAGE = 1000
"""The most requests in a page, and how many there are when nothing is said; from the specification."""
DEEPEST = 100_000
"""No page begins further on: `updated_after`, dates and the bounding box lead there."""
LONGEST = {
    "description": TEXT_LIMIT, "address_string": 500, "address_id": 100, "first_name": 50, "last_name": 50,
    "email": 200, "phone": 40, "media_url": 1000, "service_code": 40,
}  # fmt: skip
_ATTRIBUTE = re.compile(r"attribute\[([^\[\]]{1,100})\](?:\[\])?")
_W3 = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2}))?", re.ASCII)

_SPACE = re.compile(r" (?=\d{2}:?\d{2}$)", re.ASCII)
"""What becomes of the plus of an offset when a client does not encode it."""


class Submission(Struct, frozen=True, kw_only=True):
    """A request as it was sent. `attributes` are texts by code: the service's schema says what they mean."""

    service_code: str
    lat: float | None
    long: float | None
    address: str
    description: str
    attributes: dict[str, tuple[str, ...]]
    name: str
    contact: str
    media_url: str | None
    media: EvidenceRef | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """A list as it was asked for."""

    numbers: tuple[str, ...] | None
    services: tuple[str, ...] | None
    since: datetime | None
    until: datetime | None
    open: bool | None
    box: tuple[float, float, float, float] | None
    updated_after: datetime | None
    updated_before: datetime | None
    page: int
    page_size: int


def decode(body: bytes) -> dict[str, list[str]]:
    """Return the fields of a form (`application/x-www-form-urlencoded`); Refused for what is none."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Refused(400, ("无法读取表单", "the form cannot be read")) from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


class _Reader:
    """Takes fields one by one and keeps what is wrong with them."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.faults: list[Text] = []

    def refuse(self, field: str, zh: str, en: str) -> None:
        self.faults.append((f"{field}：{zh}", f"{field}: {en}"))

    def text(self, field: str) -> str:
        found = (self._fields.get(field) or [""])[-1].strip()
        longest = LONGEST.get(field, PAGE * 40)
        if len(found) > longest:
            self.refuse(field, f"不能超过 {longest} 字", f"at most {longest} characters")
            return ""
        if "\x00" in found:
            self.refuse(field, "含有无法保存的字符", "holds a character that cannot be stored")
            return ""
        return found

    def several(self, field: str) -> tuple[str, ...] | None:
        """The parts of a comma-separated list, also when it is sent more than once; None when it is not sent."""
        texts = ",".join(self._fields.get(field, ()))
        found = tuple(dict.fromkeys(part.strip() for part in texts.split(",") if part.strip()))
        if len(found) > PAGE or "\x00" in texts:
            self.refuse(field, f"至多 {PAGE} 项", f"at most {PAGE} entries")
            return ()
        return found or None

    def number(self, field: str, most: float) -> float | None:
        text = self.text(field)
        try:
            found = float(text) if text else None
        except ValueError:
            found = math.nan
        if found is None or abs(found) <= most:
            return found
        self.refuse(field, f"应为 -{most:g} 到 {most:g} 的数字", f"a number from -{most:g} to {most:g}")
        return None

    def count(self, field: str, default: int, most: int) -> int:
        text = self.text(field)
        if not text:
            return default
        if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        self.refuse(field, f"应为 1 到 {most} 的整数", f"a whole number from 1 to {most}")
        return default

    def time(self, field: str) -> datetime | None:
        text = _SPACE.sub("+", self.text(field))
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text) if _W3.fullmatch(text) else None
            if found is not None and found.year in range(1970, 9000):
                return found if found.tzinfo else found.replace(tzinfo=UTC)
        except ValueError:
            pass
        example = "2026-11-23T08:00:00+08:00"
        self.refuse(field, f"应为带时区的时间，如 {example}", f"a time with its offset such as {example}")
        return None

    def done(self) -> None:
        """Refuse with everything that was wrong."""
        if self.faults:
            raise Refused(400, *self.faults)


def submission(fields: Fields, media: EvidenceRef | None = None) -> Submission:
    """Return a request read from a form, with the picture that came with it; Refused with all bad fields."""
    read = _Reader(fields)
    found = Submission(
        service_code=read.text("service_code"),
        lat=read.number("lat", 90),
        long=read.number("long", 180),
        address=read.text("address_string") or read.text("address_id"),
        description=read.text("description"),
        attributes=_attributes(fields, read),
        name=" ".join(part for name in ("first_name", "last_name") if (part := read.text(name))),
        contact=" / ".join(part for name in ("phone", "email") if (part := read.text(name))),
        media_url=_link(read),
        media=media,
    )
    if not found.service_code:
        read.refuse("service_code", "缺少必填项", "is required")
    _check_place(fields, found, read)
    read.done()
    return found


def _check_place(fields: Fields, found: Submission, read: _Reader) -> None:
    sent = [bool((fields.get(name) or [""])[-1].strip()) for name in ("lat", "long")]
    if any(sent) and not all(sent):
        missing = "long" if sent[0] else "lat"
        read.refuse(missing, "lat 与 long 须同时提供", "lat and long belong together")
    if not any(sent) and not found.address:
        read.refuse(
            "lat, long", "须提供 lat 和 long，或 address_string，或 address_id",
            "lat and long, or address_string, or address_id are required",
        )  # fmt: skip


def _attributes(fields: Fields, read: _Reader) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, values in fields.items():
        code = _ATTRIBUTE.fullmatch(name)
        if code is None:
            continue
        if any(len(value) > TEXT_LIMIT or "\x00" in value for value in values):
            read.refuse(name, f"不能超过 {TEXT_LIMIT} 字", f"at most {TEXT_LIMIT} characters")
        found[code[1]] = found.get(code[1], ()) + tuple(values)
    return found


def _link(read: _Reader) -> str | None:
    text = read.text("media_url")
    if not text:
        return None
    try:
        address = urlsplit(text)
        fits = address.scheme in ("http", "https") and bool(address.hostname) and text.isprintable()
    except ValueError:
        fits = False
    if not fits:
        read.refuse("media_url", "应为 http(s) 地址", "an http(s) address")
    return text


def digest(found: Submission) -> str:
    """Return what two taps of one request have in common."""
    picture = None if found.media is None else found.media.sha256
    said = msgspec.structs.replace(found, media=None)
    return hashlib.sha256(msgspec.json.encode([said, picture], order="sorted")).hexdigest()


STATUSES = {"open": True, "closed": False}


def wanted(fields: Fields, now: datetime) -> Wanted:
    """Return a list's parameters; Refused with all bad ones.

    `service_request_id` overrides all others. Without dates it is the last 90 days, unless `updated_after` or
    `updated_before` says which.
    """
    read = _Reader(fields)
    numbers = read.several("service_request_id")
    page_size = read.count("page_size", PAGE, PAGE)
    page = read.count("page", 1, DEEPEST)
    if (page - 1) * page_size >= DEEPEST:
        read.refuse("page", f"至多第 {DEEPEST} 条", f"not beyond request {DEEPEST}")
    after, before = read.time("updated_after"), read.time("updated_before")
    since, until = read.time("start_date"), read.time("end_date")
    if not (numbers or after or before):
        since, until = _range(since, until, now)
    if since and until and not timedelta(0) <= until - since <= SPAN:
        read.refuse("start_date, end_date", "须先后有序且不超过 90 天", "in order, and at most 90 days apart")
    found = Wanted(
        numbers=numbers,
        services=read.several("service_code"),
        since=since,
        until=until,
        open=_status(read),
        box=_box(read),
        updated_after=after,
        updated_before=before,
        page=page,
        page_size=page_size,
    )
    read.done()
    if numbers:
        return msgspec.structs.replace(
            found, services=None, since=None, until=None, open=None, box=None, updated_after=None, updated_before=None
        )
    return found


def _range(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    if since is None:
        return (until or now) - SPAN, until
    return since, until or since + SPAN


def _status(read: _Reader) -> bool | None:
    said = read.several("status") or ()
    if unknown := [each for each in said if each not in STATUSES]:
        read.refuse("status", f"没有这种状态：{unknown[0][:40]}", f"open or closed, not {unknown[0][:40]}")
    return STATUSES.get(said[0]) if len(said) == 1 else None


def _box(read: _Reader) -> tuple[float, float, float, float] | None:
    """The extension `bbox=west,south,east,north` in degrees."""
    text = read.text("bbox")
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
        if -180 <= west <= east <= 180 and -90 <= south <= north <= 90:
            return west, south, east, north
    except ValueError:
        pass
    read.refuse("bbox", "应为 西,南,东,北（度）", "west,south,east,north in degrees")
    return None
