"""An export of cases as a table: its columns, its words, and cells that no spreadsheet runs as a formula; pure.

Nothing is in it that the list does not show: no reporter, no contact, no description. What looks like a phone or an
identity number in a title or an address is masked, for a file goes where nobody watches.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity import cipher
from app.kernel.clock import SHANGHAI
from tasks.cases.model import STATE_WORDS, State

Cell = str | float | int | datetime | None
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""
BOM = b"\xef\xbb\xbf"
"""Tells Excel that a CSV is UTF-8."""

_NUMBERS = re.compile(r"(?<!\d)(?:1[3-9]\d[ -]\d{4}[ -]\d{4}|\d{7,}[Xx]?)(?!\d)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Names(Struct, frozen=True):
    """Names of what rows hold as codes, and the language (0 Chinese, 1 English) of words."""

    items: Mapping[str, str]
    towns: Mapping[str, str]
    organisations: Mapping[UUID, str]
    language: int


Row = Mapping[str, Any]


class Column(Struct, frozen=True):
    """A column: its title (zh, en), and what a row says in it."""

    title: tuple[str, str]
    value: Callable[[Row, Names], Cell]


def _plain(name: str) -> Callable[[Row, Names], Cell]:
    return lambda row, _: row[name]


def _masked(name: str) -> Callable[[Row, Names], Cell]:
    return lambda row, _: masked(row[name])


_YES = (("是", "yes"), ("否", "no"))
_SEVERITIES = {"routine": ("一般", "routine"), "urgent": ("紧急", "urgent"), "critical": ("特急", "critical")}

COLUMNS: tuple[Column, ...] = (
    Column(("事件编号", "Number"), _plain("number")),
    Column(("状态", "State"), lambda row, names: STATE_WORDS[State(row["state"])][names.language]),
    Column(("标题", "Title"), _masked("title")),
    Column(("事项代码", "Item code"), _plain("item")),
    Column(("事项", "Item"), lambda row, names: names.items.get(row["item"])),
    Column(("等级", "Severity"), lambda row, names: _SEVERITIES[row["severity"]][names.language]),
    Column(("来源", "Source"), _plain("source")),
    Column(("区域代码", "Area code"), _plain("area")),
    Column(("镇街", "Town"), lambda row, names: names.towns.get(row["town"] or "")),
    Column(("地址", "Address"), _masked("address")),
    Column(("经度（WGS-84）", "Longitude (WGS-84)"), _plain("lon")),
    Column(("纬度（WGS-84）", "Latitude (WGS-84)"), _plain("lat")),
    Column(("主办单位", "Lead"), lambda row, names: names.organisations.get(row["last_lead"])),
    Column(("接收时间", "Received"), _plain("received_at")),
    Column(("受理时间", "Accepted"), _plain("accepted_at")),
    Column(("派单时间", "Assigned"), _plain("assigned_at")),
    Column(("办理完成时间", "Handled"), _plain("handled_at")),
    Column(("办结时间", "Closed"), _plain("closed_at")),
    Column(("办理期限", "Due"), _plain("due_at")),
    Column(("是否超期", "Overdue"), lambda row, names: _YES[0 if row["overdue"] else 1][names.language]),
    Column(("退单次数", "Returns"), _plain("returns")),
    Column(("返工次数", "Reworks"), _plain("reworks")),
    Column(("重办次数", "Redos"), _plain("redos")),
    Column(("重开次数", "Reopenings"), _plain("reopens")),
    Column(("评分", "Rating"), _plain("rating")),
)


def masked(text: str) -> str:
    """Return a text with what looks like a phone or an identity number masked, and without control characters."""
    return _NUMBERS.sub(lambda found: cipher.mask(found[0]), _CONTROL.sub("", text))


def titles(language: int) -> list[str]:
    """Return the first line; times are of the district's clock (UTC+8)."""
    return [column.title[language] for column in COLUMNS]


def cells(row: Row, names: Names) -> list[Cell]:
    """Return what a row says, column by column; times without zone, of the district's clock."""
    return [_local(column.value(row, names)) for column in COLUMNS]


def _local(value: Cell) -> Cell:
    return value.astimezone(SHANGHAI).replace(tzinfo=None, microsecond=0) if isinstance(value, datetime) else value


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _written(value: Cell) -> str | float | int:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return guarded(value) if isinstance(value, str) else value


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return rows as CSV (RFC 4180), UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
    return text.getvalue().encode()
