"""The area tree: codes, levels, and which rows of a divisions file are refused, with the reason."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """Level of an area (区域); cells (网格) are the fourth and live in a table of their own."""

    DISTRICT = "district"
    TOWN = "town"
    VILLAGE = "village"
    CELL = "cell"


LENGTHS: Mapping[int, Level] = {
    6: Level.DISTRICT,
    9: Level.TOWN,
    12: Level.VILLAGE,
    15: Level.CELL,
}
"""Digits of a code → level, after the coding of GB/T 30428.1: each code begins with the code of its parent."""

WIDTH: Mapping[Level, int] = {level: length for length, level in LENGTHS.items()}


class Area(Struct, frozen=True, kw_only=True):
    """A district, town or village: `code` is the key (names repeat), `parent` the code above, None for the district."""

    code: str
    level: Level
    name: str
    parent: str | None = None
    kind: str = ""
    retired_reason: str | None = None
    moved_to: str | None = None
    valid_from: datetime
    valid_to: datetime | None = None
    source: str = ""


class Retired(Struct, frozen=True):
    """A code that no longer stands for an area here."""

    zh: str
    en: str
    moved_to: str | None = None

    @property
    def words(self) -> tuple[str, str]:
        """Why it is refused, Chinese and English, with where it moved."""
        to = "" if self.moved_to is None else f" → {self.moved_to}"
        return f"代码已停用：{self.zh}{to}", f"the code is retired: {self.en}{to}"


RETIRED: Mapping[str, Retired] = {
    # Division change of Hangzhou, 2021: five towns of Xiaoshan became part of the new district Qiantang.
    f"330109{town:03d}": Retired("2021年区划调整划入钱塘区", "moved to Qiantang district in 2021", "330114")
    for town in range(7, 12)
}
"""Codes that are refused wherever they appear."""


class RefusedRow(Struct, frozen=True):
    """A row of an import that was not taken; `line` counts from 1, the header being line 1."""

    line: int
    code: str
    reason: str


def level_of(code: str) -> Level | None:
    """The level a code has by its length; None for anything that is not a code."""
    return LENGTHS.get(len(code)) if code.isascii() and code.isdigit() else None


def parent_of(code: str) -> str | None:
    """The code above: 15 → 12 → 9 → 6 digits; None for a district or what is not a code."""
    level = level_of(code)
    return None if level is None or level is Level.DISTRICT else code[: len(code) - 3]


def retired(code: str) -> Retired | None:
    """The entry of the retired town a code belongs to, if any."""
    return RETIRED.get(code[:9])


def absent(code: str, what: tuple[str, str]) -> tuple[str, str]:
    """Why an area that is not there is refused: the reason its code was retired, or else `what`."""
    gone = retired(code)
    return what if gone is None else gone.words


def read(
    rows: Iterable[Mapping[str, str]],
    district: str,
    at: datetime,
    *,
    source: str = "",
    first_line: int = 2,
) -> tuple[list[Area], list[RefusedRow]]:
    """Areas of a divisions file (columns code, parent_code, level, name, note), parents before children, and refusals.

    A row is refused when its code is malformed, of another district, retired or moved, twice, or without its parent.
    """
    parsed = [(line, row) for line, row in enumerate(rows, start=first_line)]
    areas: dict[str, Area] = {}
    refused: list[RefusedRow] = []
    for line, row in sorted(parsed, key=lambda pair: (len(pair[1].get("code", "")), pair[0])):
        code = (row.get("code") or "").strip()
        reason = _refusal(code, row, district, areas)
        if reason is not None:
            refused.append(RefusedRow(line, code, reason))
            continue
        level = LENGTHS[len(code)]
        areas[code] = Area(
            code=code,
            level=level,
            name=(row.get("name") or "").strip(),
            parent=parent_of(code),
            kind=(row.get("level") or "").strip(),
            valid_from=at,
            source=source or (row.get("vintage") or "").strip(),
        )
    return list(areas.values()), sorted(refused, key=lambda each: each.line)


def _refusal(code: str, row: Mapping[str, str], district: str, known: Mapping[str, Area]) -> str | None:
    level = level_of(code)
    if level is None or level is Level.CELL:
        return "代码不是6、9或12位数字 code is not 6, 9 or 12 digits"
    if (gone := retired(code)) is not None:
        return " ".join(gone.words)
    return _misplaced(code, level, row, district, known)


def _misplaced(
    code: str,
    level: Level,
    row: Mapping[str, str],
    district: str,
    known: Mapping[str, Area],
) -> str | None:
    if not code.startswith(district):
        return f"不属于本区 {district} not of this district"
    if not (row.get("name") or "").strip():
        return "没有名称 has no name"
    if code in known:
        return "代码重复 code appears twice"
    stated = (row.get("parent_code") or "").strip()
    if level is not Level.DISTRICT and (stated != parent_of(code) or stated not in known):
        return f"上级 {stated or '—'} 不存在或不符 parent is absent or does not match"
    return None
