"""The catalogue as a file people edit: CSV or XLSX with one row an item; every bad cell is named; pure."""

import csv
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import msgspec
import xlsxwriter
from msgspec import Struct, structs
from python_calamine import CalamineError, CalamineWorkbook

from tasks.cases import escalation
from tasks.cases.catalogue import CLOCKS, SHIPPED_FROM, BadRow, Draft, Item, Limits, Stage, versioned
from tasks.cases.catalogue_checks import faults
from tasks.cases.deadlines import parse_limit
from tasks.cases.model import Severity

SHIPPED = Path(__file__).parent / "data" / "items.csv"
FLAGS = {"yes": True, "no": False, "": False}
STAGES = {Severity.ROUTINE: "stages", Severity.URGENT: "urgent_stages", Severity.CRITICAL: "critical_stages"}
COLUMNS = (
    "code", "name", "category", "subcategory", "aliases", "domain", "lead", "assistants", "severity",
    "evidence_at_report", "evidence_at_handling", "verification", "call_back", "citizen", "privacy",
    "return_limit", "extension_limit", "reopen_days", "reopen_count", "closing", "duplicate_metres",
    "duplicate_hours", "solved_sample", "ladder", "attribute_schema", *STAGES.values(),
    *(f"{severity.value}_{clock}" for severity in Severity for clock in CLOCKS), "source",
)  # fmt: skip
MOST_ROWS = 20_000
LARGEST = 64 * 1024 * 1024
"""A workbook unpacks to at most so many bytes."""
XLSX = b"PK\x03\x04"


class Sheet(Struct, frozen=True):
    """What a file holds: the items of its good rows and what is wrong with the others."""

    drafts: list[Draft]
    bad: list[BadRow]


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _stages(text: str) -> tuple[Stage, ...]:
    parts = [part.rpartition(":") for part in _several(text)]
    return tuple(Stage(name.strip(), str(parse_limit(limit.strip()))) for name, _, limit in parts)


def _schema(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except RecursionError:
        raise ValueError("属性结构嵌套过深 / the schema is nested too deeply") from None


_READERS: dict[str, Any] = {
    "aliases": _several,
    "assistants": _several,
    "severity": Severity,
    "solved_sample": float,
    "ladder": escalation.read,
    "attribute_schema": _schema,
    **dict.fromkeys(("verification", "call_back", "citizen"), FLAGS.__getitem__),
    **dict.fromkeys(
        (
            "evidence_at_report",
            "evidence_at_handling",
            "return_limit",
            "extension_limit",
            "reopen_days",
            "reopen_count",
            "duplicate_metres",
            "duplicate_hours",
        ),
        int,
    ),
}
_TEXTS = ("code", "name", "domain", "lead", "privacy", "closing", "source")
_NEEDED = ("code", "name", "lead")


def _told(error: Exception, text: str) -> tuple[str, str]:
    """Return a reader's reason in both languages, or that the cell is not understood."""
    zh, _, en = str(error).partition(" / ")
    return (zh, en) if en else (f"无法识别：{text[:80]}", f"not understood: {text[:80]}")


class _Row:
    """One row being read: its cells, and what was wrong with them."""

    def __init__(self, cells: Mapping[str, str], line: int) -> None:
        self.cells, self.line = cells, line
        self.bad: list[BadRow] = []

    def read(self, column: str, reader: Any) -> Any:
        text = self.cells.get(column, "")
        try:
            return reader(text)
        except (ValueError, KeyError, msgspec.DecodeError) as error:
            self.refuse(column, _told(error, text))
        return None

    def refuse(self, column: str, why: tuple[str, str]) -> None:
        self.bad.append(BadRow(self.line, column, why))

    def limits(self) -> dict[Severity, Limits]:
        found: dict[Severity, Limits] = {}
        for severity in Severity:
            columns = {clock: f"{severity.value}_{clock}" for clock in CLOCKS}
            written = {clock: column for clock, column in columns.items() if self.cells.get(column)}
            read = {clock: self.read(column, parse_limit) for clock, column in written.items()}
            stages = self.read(STAGES[severity], _stages) if self.cells.get(STAGES[severity]) else ()
            if read or stages:
                said = {clock: str(limit) for clock, limit in read.items() if limit is not None}
                found[severity] = Limits(stages=stages or (), **said)
        return found

    def draft(self) -> Draft | None:
        values: dict[str, Any] = {column: self.cells[column] for column in _TEXTS if self.cells.get(column)}
        values |= {column: self.read(column, _READERS[column]) for column in _READERS if self.cells.get(column)}
        values |= {"category": (self.cells.get("category", ""), self.cells.get("subcategory", ""))}
        for column in _NEEDED:
            if not self.cells.get(column):
                self.refuse(column, ("不能为空", "must not be empty"))
        values["limits"] = self.limits()
        return None if self.bad else self._checked(values)

    def _checked(self, values: dict[str, Any]) -> Draft | None:
        try:
            draft = msgspec.convert(values, Draft)
        except msgspec.ValidationError as error:
            what, _, path = str(error).rpartition(" - at `$")
            self.refuse(path.strip("`.").partition("[")[0] or "code", (f"不合要求：{what}", what))
            return None
        for fault in faults(draft):
            self.refuse(_column(fault.field), fault.message)
        return None if self.bad else draft


def _column(field: str) -> str:
    """Return the column that holds a field: `limits.urgent.sign` is `urgent_sign`."""
    if field == "category[1]":
        return "subcategory"
    parts = field.partition("[")[0].split(".")
    if parts[0] != "limits" or len(parts) < 3:
        return "routine_handle" if parts[0] == "limits" else parts[0]
    return STAGES[Severity(parts[1])] if parts[2] == "stages" else f"{parts[1]}_{parts[2]}"


def _sheet(rows: Sequence[Sequence[str]]) -> Sheet:
    if not rows:
        return Sheet([], [BadRow(1, "code", ("文件是空的", "the file is empty"))])
    header = [cell.strip().lstrip("\ufeff") for cell in rows[0]]
    bad = [BadRow(1, name, ("没有这一列", "no such column")) for name in header if name and name not in COLUMNS]
    bad += [BadRow(1, name, ("缺少这一列", "the column is missing")) for name in _NEEDED if name not in header]
    bad += [BadRow(1, n, ("列名重复", "the column occurs twice")) for n in {*header} if n and header.count(n) > 1]
    if len(rows) > MOST_ROWS:
        bad.append(BadRow(MOST_ROWS + 1, "code", ("行数过多", "too many rows")))
    return Sheet([], bad) if bad else _rows(header, rows)


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Sheet:
    drafts: list[Draft] = []
    bad: list[BadRow] = []
    seen: set[str] = set()
    for line, cells in enumerate(rows[1:], 2):
        row = _Row({name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}, line)
        if not any(cells):
            continue
        if len(cells) > len(header) and any(cells[len(header) :]):
            row.refuse(header[-1], ("单元格多于列", "more cells than columns"))
        draft = row.draft()
        code = row.cells.get("code", "")
        if code and code in seen:
            row.refuse("code", (f"编码重复：{code}", f"the code occurs twice: {code}"))
        elif draft is not None:
            drafts.append(draft)
        seen.add(code)
        bad += row.bad
    return Sheet(drafts, bad)


def read_csv(text: str) -> Sheet:
    """Read items from CSV (header of `COLUMNS`, in any order); every bad cell is reported, good rows come along."""
    if "\x00" in text:
        return Sheet([], [BadRow(1, "code", ("含有无法保存的字符", "holds a character that cannot be stored"))])
    try:
        return _sheet(list(csv.reader(StringIO(text, newline=""), strict=True)))
    except csv.Error as error:
        return Sheet([], [BadRow(1, "code", ("不是 CSV 文件", f"not CSV: {error}"))])


def _cell(value: Any) -> str:
    """Return a cell as text; a number that a spreadsheet keeps as 15.0 was written 15."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read(content: bytes) -> Sheet:
    """Read items from the bytes of a CSV (UTF-8) or XLSX file, told apart by how they begin."""
    try:
        if not content.startswith(XLSX):
            return read_csv(content.decode("utf-8-sig"))
        with zipfile.ZipFile(BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > LARGEST:
                return Sheet([], [BadRow(1, "code", ("文件过大", "the file is too large"))])
        found = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
        return _sheet([[_cell(value) for value in row] for row in found])
    except (UnicodeDecodeError, CalamineError, zipfile.BadZipFile) as error:
        why = ("既不是 UTF-8 的 CSV，也不是 XLSX", f"neither CSV in UTF-8 nor XLSX: {type(error).__name__}")
        return Sheet([], [BadRow(1, "code", why)])


def _written(item: Draft) -> list[str]:
    row = {key: value for key, value in structs.asdict(item).items() if key in COLUMNS}
    row |= {key: ";".join(row[key]) for key in ("aliases", "assistants")}
    row |= {key: "yes" if row[key] else "no" for key in ("verification", "call_back", "citizen")}
    row["severity"], (row["category"], row["subcategory"]) = item.severity.value, item.category
    row["ladder"] = "" if item.ladder == escalation.LADDER else escalation.write(item.ladder)
    schema = item.attribute_schema
    row["attribute_schema"] = "" if schema is None else msgspec.json.encode(schema, order="sorted").decode()
    for severity, limits in item.limits.items():
        row |= {f"{severity.value}_{clock}": getattr(limits, clock) or "" for clock in CLOCKS}
        row[STAGES[severity]] = ";".join(f"{stage.name}:{stage.limit}" for stage in limits.stages)
    return [str(row.get(column, "")) for column in COLUMNS]


def write_csv(items: Iterable[Draft]) -> str:
    """Write items as CSV that `read_csv` reads back."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_written(item) for item in items)
    return out.getvalue()


def write_xlsx(items: Iterable[Draft]) -> bytes:
    """Write items as an XLSX workbook that `read` reads back; every cell is text, no formula is made of any."""
    out = BytesIO()
    book: Any = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    page = book.add_worksheet("items")
    page.freeze_panes(1, 2)
    for line, cells in enumerate([list(COLUMNS), *(_written(item) for item in items)]):
        for column, text in enumerate(cells):
            page.write_string(line, column, text)
    book.close()
    return out.getvalue()


def shipped() -> list[Item]:
    """Return the items that come with the product; ValueError if the file is broken."""
    sheet = read(SHIPPED.read_bytes())
    if sheet.bad:
        raise ValueError(f"items.csv: {sheet.bad[:3]}")
    return [versioned(draft, 1, SHIPPED_FROM) for draft in sheet.drafts]
