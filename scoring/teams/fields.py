"""Reads typed fields out of a TOML document, noting all that is wrong instead of stopping at the first."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from types import EllipsisType
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from app.kernel.problem import FieldError

T = TypeVar("T")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(\.[0-9]{1,9})?")
_MONEY_PLACES = 4
_MOST_NUMBER = 999_999
_MOST_MONEY = 1000
_MOST_TABLES = 100


def _written(value: object) -> str:
    """Return a number as it was written; "" for what is none, and for integers no text should be made of."""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) > _MOST_NUMBER):
        return ""
    return str(value) if isinstance(value, int | Decimal | str) else ""


class Fields:
    """One table of the document. A bad field is noted with its path and a stand-in value is returned, so that reading
    goes on; whoever reads the whole raises when `errors` is not empty."""

    def __init__(self, content: dict[str, Any], path: str, errors: list[FieldError] | None = None) -> None:
        self.content = content
        self.path = path
        self.errors: list[FieldError] = [] if errors is None else errors
        self._asked: set[str] = set()

    def wrong(self, name: str, zh: str, en: str) -> None:
        """Note that a field is wrong."""
        self.errors.append(FieldError(f"{self.path}{name}", (zh, en)))

    def close(self) -> None:
        """Note every field nobody asked for: a misspelt name must not pass in silence."""
        for name in self.content.keys() - self._asked:
            self.wrong(name, "没有这个字段", "there is no such field")

    def _get(self, name: str, default: object) -> tuple[bool, Any]:
        self._asked.add(name)
        if name in self.content:
            return True, self.content[name]
        if default is ...:
            self.wrong(name, "缺少这一项", "this field is missing")
        return False, default

    def table(self, name: str) -> "Fields":
        """Return the sub-table of that name."""
        present, value = self._get(name, ...)
        if present and not isinstance(value, dict):
            self.wrong(name, "应为一节 [表]", "expected a [table]")
            value = {}
        return Fields(cast("dict[str, Any]", value) if present else {}, f"{self.path}{name}.", self.errors)

    def tables(self, name: str, required: bool = False) -> list["Fields"]:
        """Return the [[tables]] of that name, at least one when required."""
        present, value = self._get(name, ... if required else None)
        if not present:
            return []
        rows = cast("list[Any]", value) if isinstance(value, list) else []
        if not 0 < len(rows) <= _MOST_TABLES or not all(isinstance(row, dict) for row in rows):
            self.wrong(name, "应为 1 至 100 节 [[表]]", "expected 1 to 100 [[tables]]")
            return []
        return [Fields(row, f"{self.path}{name}[{n}].", self.errors) for n, row in enumerate(rows)]

    def unique(self, name: str, values: Sequence[str]) -> None:
        """Note values that stand twice."""
        for value in sorted({v for v in values if v and values.count(v) > 1}):
            self.wrong(name, f"重复：{value}", f"stands twice: {value}")

    def text(self, name: str, default: str | EllipsisType = ...) -> str:
        """Return a text of 1 to 200 characters."""
        present, value = self._get(name, default)
        if not present:
            return "" if default is ... else str(default)
        if not isinstance(value, str) or not 0 < len(value.strip()) <= 200 or not value.isprintable():
            self.wrong(name, "应为 1 至 200 字的文本", "expected a text of 1 to 200 characters")
            return ""
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, not empty."""
        present, value = self._get(name, ...)
        items = cast("list[Any]", value) if isinstance(value, list) else []
        if present and not (items and all(isinstance(item, str) and item for item in items)):
            self.wrong(name, "应为非空的文本列表", "expected a list of texts")
            return []
        return items

    def code(self, name: str) -> str:
        """Return a code: a letter, then letters, digits, `_ . -`."""
        value = self.text(name)
        if value and not _CODE.fullmatch(value):
            self.wrong(name, "应以字母开头，只含字母、数字和 _ . -", "expected a letter, then letters, digits, _ . -")
        return value

    def choice(self, name: str, options: Sequence[T], default: T | EllipsisType = ...) -> T:
        """Return one of the options."""
        present, value = self._get(name, default)
        if present and value not in options:
            listed = ", ".join(str(option) for option in options)
            self.wrong(name, f"应为其中之一：{listed}", f"expected one of: {listed}")
            present = False
        if present:
            return cast(T, value)
        return options[0] if isinstance(default, EllipsisType) else default

    def number(self, name: str, default: Decimal | EllipsisType = ...) -> Decimal:
        """Return an exact number, written as text ("0.70") or as a TOML number."""
        return cast(Decimal, self._number(name, default))

    def money(self, name: str, default: Any = ...) -> Any:
        """Return an exact number of at most 4 places (points add up exactly), or the default."""
        value = self._number(name, default)
        if value is not None and (cast(int, value.as_tuple().exponent) < -_MONEY_PLACES or abs(value) > _MOST_MONEY):
            self.wrong(name, "最多 4 位小数，不超过 1000", "at most 4 places, at most 1000")
        return value

    def _number(self, name: str, default: Any) -> Decimal | None:
        present, value = self._get(name, default)
        if not present:
            return Decimal(0) if isinstance(default, EllipsisType) else default
        written = _written(value)
        if not _NUMBER.fullmatch(written):
            self.wrong(name, "应为六位以内的数字，如 0.70", "expected a number of 6 digits at most, such as 0.70")
            return Decimal(0)
        return Decimal(written)

    def whole(self, name: str, default: int) -> int:
        """Return a whole number from 1."""
        present, value = self._get(name, default)
        if present and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            self.wrong(name, "应为从 1 起的整数", "expected a whole number from 1")
            return default
        return value

    def day(self, name: str, default: Any = ...) -> Any:
        """Return a calendar day, written as text or as a TOML date, or the default."""
        present, value = self._get(name, default)
        if not present:
            return date.min if isinstance(default, EllipsisType) else default
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.wrong(name, "应为日期，如 2026-01-01", "expected a day such as 2026-01-01")
            return date.min

    def zone(self, name: str) -> str:
        """Return the name of a time zone of the IANA database."""
        value = self.text(name)
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):
            if value:
                self.wrong(name, "没有这个时区", "there is no such time zone")
        return value
