"""How a platform's records become our reports, as data: what a mapping may say, and what makes it unusable; pure."""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from msgspec import Meta, Struct

from app.kernel.crs import Datum
from app.kernel.problem import FieldError, Text
from tasks.cases.model import Severity
from tasks.channels.paths import parse

TEXTS = ("external_id", "title", "description", "address", "item", "severity", "reporter.name", "reporter.phone")
NUMBERS = ("lon", "lat", "accuracy_m")
TARGETS = (*TEXTS, *NUMBERS, "point", "occurred_at")
"""Our fields; `point` is "lon,lat" in one text. Besides these, `attributes.NAME` for what the item's schema asks."""

_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z][A-Za-z0-9_]{0,39}")
TIMES = ("iso", "unix", "unix_ms")

Line = Annotated[str, Meta(max_length=200)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Table = Annotated[dict[Line, Line], Meta(max_length=2000)]
Scalar = str | int | float | bool


class FieldRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where one of our fields comes from: one `path`, the `first` of several that has a value, several joined, or a
    constant; then `replace`, the part `after` a mark `until` another, and `table` (their code → ours)."""

    path: Line = ""
    first: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()
    concat: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()
    join: Line = "\n"
    constant: Scalar | None = None
    replace: Annotated[tuple[tuple[Line, Line], ...], Meta(max_length=50)] = ()
    after: Line = ""
    until: Line = ""
    table: Table = {}
    otherwise: Line | None = None
    required: bool = False


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a source's records are read.

    `item` is taken when the record tells none; `time` is `iso`, `unix`, `unix_ms` or a strptime pattern, in `zone`
    where it has no offset; `records` is where the list lies in their envelope; a field neither mapped nor `ignored` is
    refused unless `extra` is `ignore`; a point outside the district is refused unless `outside` is `desk`; `absent`
    are texts that mean "no value"; `types` are the CloudEvents types that carry a record (none: every type).
    """

    fields: Annotated[dict[Line, FieldRule], Meta(max_length=100)]
    item: Line | None = None
    datum: Datum = Datum.WGS84
    time: Line = "iso"
    zone: Line = "Asia/Shanghai"
    records: Line = "records"
    reporter: Literal["resident", "organisation", "machine"] = "resident"
    extra: Literal["refuse", "ignore"] = "refuse"
    outside: Literal["refuse", "desk"] = "refuse"
    ignored: Annotated[tuple[Line, ...], Meta(max_length=200)] = ()
    absent: Annotated[tuple[Line, ...], Meta(max_length=50)] = ()
    types: Annotated[tuple[Line, ...], Meta(max_length=50)] = ()


class Mapped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record in our fields."""

    external_id: str = ""
    item: str = ""
    title: str = ""
    description: str = ""
    address: str = ""
    severity: str | None = None
    occurred_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    name: str | None = None
    phone: str | None = None
    attributes: dict[str, Any] = {}


def check(mapping: Mapping, items: Collection[str]) -> list[FieldError]:
    """Return what keeps a mapping from being used, every fault; `items` are the codes of the catalogue in force."""
    found = [fault for name, rule in mapping.fields.items() for fault in _rule_faults(name, rule)]
    found += _needs(mapping)
    found += [FieldError(f"ignored[{n}]", _PATH) for n, path in enumerate(mapping.ignored) if parse(path) is None]
    if parse(mapping.records) is None:
        found.append(FieldError("records", _PATH))
    if mapping.zone not in available_timezones():
        found.append(FieldError("zone", (f"没有时区 {mapping.zone}", f"no such time zone: {mapping.zone}")))
    if not _pattern_holds(mapping.time):
        why = ("应为 iso、unix、unix_ms 或带日期的格式", "is iso, unix, unix_ms or a pattern with a date")
        found.append(FieldError("time", why))
    return found + [
        FieldError(field, (f"目录中没有事项 {code}", f"no such item: {code}"))
        for field, code in _values(mapping, "item", mapping.item)
        if code not in items
    ] + [
        FieldError(field, (f"没有紧急程度 {word}", f"no such severity: {word}"))
        for field, word in _values(mapping, "severity", None)
        if word not in set(Severity)
    ]  # fmt: skip


_PATH: Text = ("路径写法不正确", "is not a path: a.b[0].c, or /a/b/0/c as in RFC 6901")


def _needs(mapping: Mapping) -> Iterator[FieldError]:
    fields = mapping.fields
    if "external_id" not in fields:
        yield FieldError("fields.external_id", ("必须给出来源编号", "the id at the source is needed"))
    if not {"title", "description"} & fields.keys():
        yield FieldError("fields.description", ("必须给出标题或描述", "a title or a description is needed"))
    if mapping.item is None and "item" not in fields:
        yield FieldError("item", ("须有默认事项或事项字段", "a default item, or a field for it, is needed"))
    if ("lon" in fields) != ("lat" in fields):
        yield FieldError("fields.lon", ("经度纬度须同时给出", "longitude and latitude go together"))
    if "point" in fields and "lon" in fields:
        yield FieldError("fields.point", ("坐标只能给出一次", "the place is given once"))


def _rule_faults(name: str, rule: FieldRule) -> Iterator[FieldError]:
    if name not in TARGETS and not _ATTRIBUTE.fullmatch(name):
        known = "、".join(TARGETS)
        yield FieldError(f"fields.{name}", (f"没有这个字段；可用：{known}", f"no such field; there are: {known}"))
    ways = [bool(rule.path), bool(rule.first), bool(rule.concat), rule.constant is not None]
    if sum(ways) != 1:
        why = (
            "path、first、concat、constant 须且只能给出一个",
            "exactly one of path, first, concat, constant is given",
        )
        yield FieldError(f"fields.{name}", why)
    for kind, paths in (("path", [rule.path] if rule.path else []), ("first", rule.first), ("concat", rule.concat)):
        if any(parse(path) is None for path in paths):
            yield FieldError(f"fields.{name}.{kind}", _PATH)
    if any(not old for old, _ in rule.replace):
        yield FieldError(f"fields.{name}.replace", ("被替换的文字不能为空", "the text replaced is not empty"))
    if rule.otherwise is not None and not rule.table:
        yield FieldError(f"fields.{name}.otherwise", ("只能与 table 一起使用", "goes with a table"))


def _values(mapping: Mapping, target: str, default: str | None) -> Iterator[tuple[str, str]]:
    """Every value of ours that a mapping itself names for a field, with where it stands."""
    if default is not None:
        yield target, default
    rule = mapping.fields.get(target)
    if rule is None:
        return
    yield from ((f"fields.{target}.table.{theirs}", ours) for theirs, ours in rule.table.items())
    if rule.otherwise is not None:
        yield f"fields.{target}.otherwise", rule.otherwise
    if rule.constant is not None:
        yield f"fields.{target}.constant", str(rule.constant)


def _pattern_holds(pattern: str) -> bool:
    if pattern in TIMES:
        return True
    told = datetime(2026, 11, 23, 21, 47, 5, tzinfo=UTC)
    try:
        return datetime.strptime(told.strftime(pattern), pattern).replace(tzinfo=UTC).date() == told.date()
    except ValueError:
        return False
