"""The catalogue (事项目录): what a case can be about and how it is handled; versions are never changed; pure."""

import csv
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from msgspec import Struct, convert, structs

from tasks.cases.deadlines import Limit, parse_limit
from tasks.cases.model import Severity

SHIPPED = Path(__file__).parent / "data" / "items.csv"
SHIPPED_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""The shipped items count from here on, so that past cases of an import find one."""
CLOCKS = ("sign", "arrive", "handle", "verify", "call_back", "total")


class Stage(Struct, frozen=True):
    """A named part of handling with a limit of its own, counted from assignment (停工、处罚、拆除)."""

    name: str
    limit: str


class Limits(Struct, frozen=True, kw_only=True):
    """The clocks of one severity, each written as a limit such as `4 work_hour`; None where no clock runs."""

    sign: str | None = None
    arrive: str | None = None
    handle: str | None = None
    stages: tuple[Stage, ...] = ()
    verify: str | None = None
    call_back: str | None = None
    total: str | None = None

    def of(self, clock: str) -> Limit | None:
        """Return the limit of one of `CLOCKS`."""
        text: str | None = getattr(self, clock)
        return None if text is None else parse_limit(text)


class Item(Struct, frozen=True, kw_only=True):
    """One kind of matter (事项) in one version; `lead` and `assistants` are selectors (see routing)."""

    code: str
    version: int = 1
    name: str
    category: tuple[str, str]
    aliases: tuple[str, ...] = ()
    domain: str = ""
    lead: str
    assistants: tuple[str, ...] = ()
    severity: Severity = Severity.ROUTINE
    attribute_schema: dict[str, Any] | None = None
    evidence_at_report: int = 0
    evidence_at_handling: int = 0
    limits: dict[Severity, Limits]
    verification: bool = True
    call_back: bool = False
    reopen_days: int = 15
    reopen_count: int = 1
    return_limit: int = 2
    extension_limit: int = 1
    privacy: str = "handlers"  # who sees the reporter: handlers | desk
    citizen: bool = True
    closing: str = ""
    source: str = ""
    effective_from: datetime = SHIPPED_FROM
    effective_to: datetime | None = None

    def clocks(self, severity: Severity) -> Limits:
        """Return the limits that hold for a severity; those of `routine` where it has none of its own."""
        return self.limits.get(severity) or self.limits[Severity.ROUTINE]


class BadRow(Struct, frozen=True):
    """Why a row of a file cannot be taken: row (2 = the first below the header), column, reason (zh, en)."""

    row: int
    column: str
    why: tuple[str, str]


class Catalogue:
    """All versions of all items; answers which one holds at a moment. Immutable once built."""

    def __init__(self, items: Iterable[Item], revision: int = 0) -> None:
        self.revision = revision
        self._versions: dict[tuple[str, int], Item] = {}
        self._by_code: dict[str, list[Item]] = {}
        for item in sorted(items, key=lambda each: (each.code, each.effective_from, each.version)):
            self._versions[item.code, item.version] = item
            self._by_code.setdefault(item.code, []).append(item)

    def version(self, code: str, version: int) -> Item:
        """Return one version; KeyError if there never was one."""
        return self._versions[code, version]

    def at(self, code: str, moment: datetime) -> Item | None:
        """Return the version in force at a moment; None for an unknown or ended item."""
        for item in reversed(self._by_code.get(code, ())):
            if item.effective_from <= moment:
                return item if item.effective_to is None or moment < item.effective_to else None
        return None

    def present(self, moment: datetime) -> list[Item]:
        """Return every item in force at a moment, by code."""
        return [item for code in self._by_code if (item := self.at(code, moment)) is not None]


FLAGS = {"yes": True, "no": False, "": False}
COLUMNS = (
    "code", "name", "category", "subcategory", "aliases", "domain", "lead", "assistants", "severity",
    "evidence_at_report", "evidence_at_handling", "verification", "call_back", "citizen", "privacy",
    "return_limit", "extension_limit", "reopen_days", "reopen_count", "closing", "stages",
    *(f"{severity}_{clock}" for severity in ("routine", "urgent", "critical") for clock in CLOCKS), "source",
)  # fmt: skip


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def _stages(text: str) -> tuple[Stage, ...]:
    parts = [part.rpartition(":") for part in _several(text)]
    return tuple(Stage(name.strip(), str(parse_limit(limit))) for name, _, limit in parts)


def _limits(row: Mapping[str, str]) -> dict[Severity, Limits]:
    found: dict[Severity, Limits] = {}
    for severity in Severity:
        written = {clock: row.get(f"{severity}_{clock}", "").strip() for clock in CLOCKS}
        for text in filter(None, written.values()):
            parse_limit(text)
        if any(written.values()):
            limits = {clock: text or None for clock, text in written.items()}
            stages = _stages(row.get("stages", "")) if severity is Severity.ROUTINE else ()
            found[severity] = Limits(stages=stages, **limits)
    if Severity.ROUTINE not in found:
        raise ValueError("一般事件须有时限 / limits for routine cases are missing")
    return found


_READERS: dict[str, Any] = {
    "aliases": _several,
    "assistants": _several,
    "severity": Severity,
    **dict.fromkeys(("verification", "call_back", "citizen"), FLAGS.__getitem__),
    **dict.fromkeys(
        (
            "evidence_at_report",
            "evidence_at_handling",
            "return_limit",
            "extension_limit",
            "reopen_days",
            "reopen_count",
        ),
        int,
    ),
}
_TEXTS = ("code", "name", "domain", "lead", "privacy", "closing", "source")


def _read(row: Mapping[str, str], line: int, bad: list[BadRow]) -> Item | None:
    values: dict[str, Any] = {"category": (row.get("category", ""), row.get("subcategory", ""))}
    before = len(bad)
    for column in (*_TEXTS, *_READERS):
        text = (row.get(column) or "").strip()
        if column in ("code", "name", "lead") and not text:
            bad.append(BadRow(line, column, ("不能为空", "must not be empty")))
        elif text or column not in _READERS:
            try:
                values[column] = _READERS.get(column, str)(text)
            except (ValueError, KeyError):
                bad.append(BadRow(line, column, (f"无法识别：{text}", f"not understood: {text}")))
    try:
        values["limits"] = _limits(row)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        bad.append(BadRow(line, "limits", (zh, en or zh)))
    return convert(values, Item) if len(bad) == before else None


def read_csv(text: str) -> tuple[list[Item], list[BadRow]]:
    """Read items from CSV (header = `COLUMNS`); every bad cell is reported, good rows come along."""
    bad: list[BadRow] = []
    items: list[Item] = []
    seen: set[str] = set()
    for line, row in enumerate(csv.DictReader(StringIO(text)), 2):
        item = _read({key: value or "" for key, value in row.items() if key}, line, bad)
        if item is not None and item.code in seen:
            bad.append(BadRow(line, "code", (f"编码重复：{item.code}", f"the code occurs twice: {item.code}")))
        elif item is not None:
            seen.add(item.code)
            items.append(item)
    return items, bad


def write_csv(items: Iterable[Item]) -> str:
    """Write items as CSV that `read_csv` reads back."""
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for item in items:
        row = {key: value for key, value in structs.asdict(item).items() if key in COLUMNS}
        row |= {key: ";".join(row[key]) for key in ("aliases", "assistants")}
        row |= {key: "yes" if row[key] else "no" for key in ("verification", "call_back", "citizen")}
        row["severity"], (row["category"], row["subcategory"]) = item.severity.value, item.category
        row["stages"] = ";".join(f"{s.name}:{s.limit}" for s in item.clocks(Severity.ROUTINE).stages)
        for severity, limits in item.limits.items():
            row |= {f"{severity}_{clock}": getattr(limits, clock) or "" for clock in CLOCKS}
        writer.writerow(row)
    return out.getvalue()


def shipped() -> list[Item]:
    """Return the items that come with the product; ValueError if the file is broken."""
    items, bad = read_csv(SHIPPED.read_text(encoding="utf-8"))
    if bad:
        raise ValueError(f"items.csv: {bad[:3]}")
    return items
