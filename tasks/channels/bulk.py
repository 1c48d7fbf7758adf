"""Files of cases (CSV, XLSX): their rows as records a mapping reads, and what keeps a file out; pure."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.kernel.problem import FieldError, Invalid, Problem, Text, invalid
from tasks.channels import push, sheet
from tasks.channels.mapping import TARGETS, FieldRule, Mapping
from tasks.channels.paths import parse
from tasks.channels.push import Row
from tasks.channels.reading import Reader
from tasks.channels.sources import Source

MOST_ROWS = 50_000
MOST_COLUMNS = 200


class Numbered(Struct, frozen=True):
    """A row as it stands in the file (the headings are row 1)."""

    row: int
    record: dict[str, Any]


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong with one row, in which column."""

    row: int
    column: str
    why: Text


class FaultView(Struct, frozen=True, kw_only=True):
    """A bad row as it is shown, in one language."""

    row: int
    column: str
    why: str


class Import(Struct, frozen=True, kw_only=True):
    """An import and how far it is: `done` of `total` rows are dealt with."""

    id: UUID
    source: str
    file: str
    dry_run: bool
    state: str
    total: int
    done: int
    stored: int
    updated: int
    unchanged: int
    refused: int
    created_at: datetime
    finished_at: datetime | None


def digest(content: bytes) -> str:
    """Return what makes a file the same file."""
    return sha256(content).hexdigest()


def rows_of(content: bytes, mapping: Mapping) -> list[Numbered]:
    """Return the rows of a CSV or XLSX that hold anything; Invalid for a file that cannot be read, or its headings."""
    table = sheet.read(content)
    first: Sequence[Any] = next(table, ())
    headings = _headings(first, mapping)
    found: list[Numbered] = []
    for number, cells in enumerate(table, start=2):
        record = {name: _plain(cell, mapping) for name, cell in zip(headings, cells, strict=False) if name}
        if any(value not in ("", None) for value in record.values()):
            found.append(Numbered(number, record))
            if len(found) > MOST_ROWS:
                raise invalid("file", f"最多 {MOST_ROWS} 行", f"at most {MOST_ROWS} rows")
    if not found:
        raise invalid("file", "没有数据行", "has no rows")
    return found


def _headings(cells: Sequence[Any], mapping: Mapping) -> list[str]:
    """Return the headings; Invalid for one that comes twice, is unknown to the mapping, or needed and not there."""
    names = ["" if cell is None else str(cell).strip() for cell in cells[:MOST_COLUMNS]]
    if not any(names):
        raise invalid("file", "没有表头", "has no headings")
    known = {str(path[0]) for text in _paths(mapping) if (path := parse(text))}
    faults = [
        FieldError(name, ("列名重复", "this heading comes twice"))
        for name in {n for n in names if n and names.count(n) > 1}
    ]
    if mapping.extra == "refuse":
        why = ("映射中没有这一列", "the mapping does not know this column")
        faults += [FieldError(name, why) for name in names if name and name not in known]
    for target, rule in mapping.fields.items():
        wanted = [str(path[0]) for text in _paths_of(rule) if (path := parse(text))]
        if rule.required and not set(wanted) & set(names):
            faults.append(FieldError(wanted[0], (f"缺少这一列（{target}）", f"this column is missing ({target})")))
    if faults:
        raise Invalid(faults[:50])
    return names


def _paths_of(rule: FieldRule) -> list[str]:
    return [each for each in (rule.path, *rule.first, *rule.concat) if each]


def _paths(mapping: Mapping) -> list[str]:
    return [*mapping.ignored, *(each for rule in mapping.fields.values() for each in _paths_of(rule))]


def _plain(cell: Any, mapping: Mapping) -> Any:
    """Return a cell as JSON keeps it; a time of the sheet is written as the mapping reads it."""
    if isinstance(cell, datetime):
        return _written(cell, mapping.time)
    if isinstance(cell, date):
        return _written(datetime.combine(cell, time.min), mapping.time)
    if isinstance(cell, time | timedelta):
        return str(cell)
    return cell


def _written(moment: datetime, form: str) -> Any:
    if form in ("iso", "unix", "unix_ms"):
        return moment.isoformat()
    return moment.strftime(form)


def with_columns(mapping: Mapping, columns: dict[str, str]) -> Mapping:
    """Return a mapping whose fields come from other columns; Invalid for a field we do not have."""
    faults = [
        FieldError(f"columns.{field}", ("没有这个字段", "no such field"))
        for field in columns
        if field not in TARGETS and not re.fullmatch(r"attributes\.[A-Za-z][A-Za-z0-9_]{0,39}", field)
    ]
    if faults:
        raise Invalid(faults)
    fields = dict(mapping.fields)
    for field, heading in columns.items():
        path = "/" + heading.replace("~", "~0").replace("/", "~1")
        fields[field] = replace(fields.get(field, FieldRule()), path=path, first=(), concat=(), constant=None)
    return replace(mapping, fields=fields)


def read_columns(text: str) -> dict[str, str]:
    """Return the columns of a form field, `{our field: heading}` as JSON; Invalid for anything else."""
    try:
        return msgspec.json.decode(text.encode(), type=dict[str, str]) if text.strip() else {}
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise invalid("columns", '应为 JSON：{"字段": "列名"}', 'is JSON: {"field": "heading"}') from error


def rows_to_take(rows: Sequence[Numbered], source: Source, reader: Reader, file: str) -> list[Row]:
    """Return rows as records to take; one without an id of its own is known by the file and its place in it."""
    found: list[Row] = []
    for each in rows:
        mapped, faults = reader.read(each.record)
        if not mapped.external_id:
            mapped = replace(mapped, external_id=f"{file[:16]}:{each.row}")
        found.append(Row(index=each.row, mapped=mapped, fault=Invalid(faults) if faults else None))
    return found


def faults_of(row: int, problem: Problem, reader: Reader, record: dict[str, Any]) -> list[Fault]:
    """Return why a row was refused, by column."""
    if not isinstance(problem, Invalid):
        return [Fault(row=row, column="", why=problem.detail or problem.title)]
    return [
        Fault(row=row, column=_column(each.field, reader.mapping, record), why=each.message) for each in problem.errors
    ]


def _column(field: str, mapping: Mapping, record: dict[str, Any]) -> str:
    """Return the heading a field of ours comes from, in this file."""
    rule = mapping.fields.get("lon" if field == "place" and "lon" in mapping.fields else field)
    headings = [str(path[0]) for text in ([] if rule is None else _paths_of(rule)) if (path := parse(text))]
    return next((name for name in headings if name in record), headings[0] if headings else field)


COUNTS = push.KINDS
