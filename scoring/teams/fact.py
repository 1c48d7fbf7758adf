"""Which facts count as known at a time; reads a spreadsheet of facts, naming every bad cell."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.kernel.fact_row import COLUMNS, Fact
from app.kernel.problem import FieldError, Invalid, Text

REQUIRED = ("fact_id", "version", "kind", "occurred_at", "recorded_at")
MOST_ERRORS = 200
"""A file that is wrong throughout is told so; nobody reads more."""


def current(facts: Iterable[Fact], watermark: datetime | None = None) -> list[Fact]:
    """Return the highest version not superseded of each fact, as known at `watermark` (None: every row counts)."""
    best: dict[str, Fact] = {}
    for fact in facts:
        held = best.get(fact.fact_id)
        if _known(fact, watermark) and (held is None or held.version < fact.version):
            best[fact.fact_id] = fact
    return list(best.values())


def _known(fact: Fact, watermark: datetime | None) -> bool:
    if watermark is None:
        return fact.superseded_at is None
    return fact.recorded_at <= watermark and (fact.superseded_at is None or fact.superseded_at > watermark)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


def _attributes(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def _version(text: str) -> int:
    version = int(text)
    if version < 1:
        raise ValueError("below 1")
    return version


_MOMENT: Text = ("应为带时区的 ISO 8601 时间", "expected an ISO 8601 time with its offset")
READERS: dict[str, tuple[Callable[[str], Any], Text]] = {
    "version": (_version, ("应为从 1 起的整数", "expected a whole number from 1")),
    "attributes": (_attributes, ("应为 JSON 对象", "expected a JSON object")),
    **dict.fromkeys(("occurred_at", "due_at", "done_at", "recorded_at", "superseded_at"), (_moment, _MOMENT)),
}


def from_csv(text: str) -> list[Fact]:
    """Read a CSV whose header names fact columns, in any order, optional ones or not; Invalid names bad cells."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    header: Sequence[str] = rows.fieldnames or ()
    errors = [
        FieldError(name, ("缺少这一列", "this column is missing"))
        for name in (*REQUIRED, "force")
        if name not in header
    ]
    errors += [FieldError(name, ("没有这一列", "there is no such column")) for name in header if name not in COLUMNS]
    if errors:
        raise Invalid(errors)
    facts: list[Fact] = []
    for number, row in enumerate(rows, 2):
        values = _row(number, row, errors)
        if values is not None:
            facts.append(Fact(**values))
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise Invalid(errors)
    return facts


def _row(number: int, row: dict[str | None, Any], errors: list[FieldError]) -> dict[str, Any] | None:
    before = len(errors)
    if None in row:
        errors.append(FieldError(f"row {number}", ("单元格比表头多", "more cells than the header has")))
        return None
    values: dict[str, Any] = {}
    for column in filter(None, row):
        cell = row[column]
        text = (cell or "").strip()
        if text:
            _cell(f"row {number}.{column}", column, text, values, errors)
        elif column in REQUIRED:
            errors.append(FieldError(f"row {number}.{column}", ("不能为空", "must not be empty")))
    return values if len(errors) == before else None


def _cell(where: str, column: str, text: str, values: dict[str, Any], errors: list[FieldError]) -> None:
    reader, complaint = READERS.get(column, (str, ("", "")))
    try:
        values[column] = reader(text)
    except (ValueError, msgspec.MsgspecError):
        errors.append(FieldError(where, complaint))
