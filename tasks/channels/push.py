"""Pushed records: what is in a push, what each record is as a report, what changed since it came last; pure."""

import re
from collections.abc import Mapping as Table
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.identity import cipher
from app.kernel.crs import Place
from app.kernel.problem import FieldError, Invalid, Problem, invalid
from tasks.cases.model import Severity
from tasks.cases.report import Report, Reporter
from tasks.channels.mapping import Mapped
from tasks.channels.paths import fetch, parse
from tasks.channels.reading import Reader
from tasks.channels.sources import Source

MOST = 5_000
"""So many records in one push."""
LONGEST_TEXT = 3_900
"""Of what is added to a case at once; a longer text comes in several pieces."""

_NUMBERED = re.compile(r"records\[(\d+)\]\.(.*)", re.DOTALL)
_FACTS = ("title", "description", "address", "item", "severity", "occurred_at", "place", "attributes")
"""What is compared when a record comes again. Names and phones are not: they are the case's contact, sealed."""
_LABELS = {
    "title": "标题 Title",
    "description": "描述 Description",
    "address": "地址 Address",
    "item": "事项 Item",
    "severity": "紧急程度 Severity",
    "occurred_at": "发生时间 Occurred",
    "place": "坐标 Place",
    "attributes": "属性 Attributes",
}


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one record: `problem` says why it was refused; `record` shows it in our fields in a dry run."""

    index: int
    verdict: Literal["stored", "updated", "unchanged", "refused"]
    external_id: str | None = None
    case: UUID | None = None
    number: str | None = None
    problem: dict[str, Any] | None = None
    record: Mapped | None = None


class PushAnswer(Struct, frozen=True, kw_only=True):
    """How many records had which verdict, and each verdict in the order of the records."""

    dry_run: bool
    stored: int
    updated: int
    unchanged: int
    refused: int
    verdicts: tuple[Verdict, ...]


class Row(Struct, frozen=True, kw_only=True):
    """A record as it was read: in our fields, or with what is wrong with it. `index` is its place in the push."""

    index: int
    mapped: Mapped
    fault: Problem | None = None


def answer(verdicts: Sequence[Verdict], *, dry_run: bool) -> PushAnswer:
    """Return the answer to a push."""
    counts = {kind: sum(each.verdict == kind for each in verdicts) for kind in KINDS}
    return PushAnswer(dry_run=dry_run, verdicts=tuple(sorted(verdicts, key=lambda each: each.index)), **counts)


KINDS = ("stored", "updated", "unchanged", "refused")


def records_of(body: dict[str, Any], source: Source) -> tuple[list[Any], bool]:
    """Return the records of a push, and whether it is a single one; Invalid for none, or too many.

    The list lies where the mapping says, or at `records`; a body without a list is one record.
    """
    for path in (source.mapping.records, "records"):
        steps = parse(path)
        found = None if steps is None else fetch(body, steps)
        if isinstance(found, list):
            records = cast(list[Any], found)
            if not 1 <= len(records) <= MOST:
                raise invalid(path, f"应有 1 至 {MOST} 条", f"holds 1 to {MOST} records")
            return records, False
    return [body], True


def read(records: Sequence[Any], source: Source, reader: Reader) -> list[Row]:
    """Return every record in our fields."""
    rows: list[Row] = []
    for index, record in enumerate(records):
        mapped, faults = reader.read(record)
        if not mapped.external_id and all(each.field != "external_id" for each in faults) and isinstance(record, dict):
            faults.append(reader.origin(FieldError("external_id", ("不能为空", "must not be empty"))))
        rows.append(Row(index=index, mapped=mapped, fault=Invalid(faults[:50]) if faults else None))
    return rows


def report_of(mapped: Mapped, source: Source, reporter: UUID | None) -> Report:
    """Return the report of a record."""
    place = None
    if mapped.lon is not None and mapped.lat is not None:
        place = Place(lon=mapped.lon, lat=mapped.lat, datum=source.mapping.datum, accuracy_m=mapped.accuracy_m)
    return Report(
        source=source.code,
        item=mapped.item,
        external_id=mapped.external_id,
        title=mapped.title,
        description=mapped.description,
        reporter=Reporter(kind=source.mapping.reporter, id=reporter, name=mapped.name, phone=mapped.phone),
        place=place,
        address=mapped.address,
        severity=None if mapped.severity is None else Severity(mapped.severity),
        attributes=mapped.attributes,
        occurred_at=mapped.occurred_at,
        sender=source.organisation,
    )


def _fact(mapped: Mapped, name: str) -> Any:
    if name == "place":
        return None if mapped.lon is None else [mapped.lon, mapped.lat]
    return getattr(mapped, name)


def digests(mapped: Mapped) -> dict[str, str]:
    """Return a digest of each field that is compared; one without a value has none."""
    said = {name: _fact(mapped, name) for name in _FACTS}
    return {
        name: sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
        for name, value in said.items()
        if value not in (None, "", {})
    }


def changed(before: Table[str, str], now: Table[str, str]) -> list[str]:
    """Return the fields that have another value than before; one that is no longer told keeps its value."""
    return [name for name in _FACTS if name in now and before.get(name) != now[name]]


def update_texts(mapped: Mapped, fields: Sequence[str]) -> list[str]:
    """Return what is added to a case for the fields that changed, in pieces that fit."""
    lines = ["来源更新 Updated by the source"]
    for name in fields:
        value = _fact(mapped, name)
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        lines.append(f"{_LABELS[name]}：{shown}")
    text = "\n".join(lines)
    return [text[start : start + LONGEST_TEXT] for start in range(0, len(text), LONGEST_TEXT)]


def by_record(error: Invalid, count: int, reader: Reader) -> dict[int, Invalid]:
    """Return the faults of several reports apart, by the report's place; `{}` when they name no report."""
    apart: dict[int, list[FieldError]] = {}
    for each in error.errors:
        numbered = _NUMBERED.fullmatch(each.field)
        if numbered is None and count > 1:
            return {}
        number, field = (0, each.field) if numbered is None else (int(numbered[1]), numbered[2])
        apart.setdefault(number, []).append(reader.origin(FieldError(field, each.message)))
    return {number: Invalid(errors) for number, errors in apart.items()}


def shown(mapped: Mapped) -> Mapped:
    """Return a record as a dry run shows it: name and phone masked."""
    masked = [None if text is None else cipher.mask(text) for text in (mapped.name, mapped.phone)]
    return replace(mapped, name=masked[0], phone=masked[1])
