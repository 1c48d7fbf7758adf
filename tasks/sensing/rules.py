"""Rules that turn readings into episodes: typed, checked whole (every bad field is listed), compiled to whole ticks."""

import math
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from app.kernel.problem import FieldError, Invalid, Text, Unreadable

MICROSECONDS = 1_000_000
"""Ticks per second of stored time: PostgreSQL keeps microseconds."""

Severity = Literal["routine", "urgent", "critical"]


class Rule(Struct, frozen=True, kw_only=True, rename={"hold_for": "for"}):
    """When a series of readings is a hazard (预警规则). Thresholds in the channel's unit, all durations in seconds.

    A reading raises above `on`, clears at or below `off`, and holds between (hysteresis). `hold_for` is the key `for`.
    `max_gap` None = unlimited. `allowed_lateness` is how long out-of-order readings are waited for, `max_live_age`
    how old a reading may be on arrival and still open a case, `silent_after` how long silence is normal.
    """

    on: float
    off: float
    hold_for: float = 0
    min_samples: int = 1
    clear_for: float = 0
    max_gap: float | None = None
    reopen_window: float = 0
    allowed_lateness: float = 0
    max_live_age: float = 3600
    silent_after: float | None = None
    name: str | None = None
    kind: str | None = None
    channel: str | None = None
    item: str | None = None
    severity: Severity = "urgent"
    title: str | None = None


class Thresholds(Struct, frozen=True):
    """What the state machine needs of a rule, durations in whole ticks: comparisons are exact."""

    on: float
    off: float
    hold_for: int
    min_samples: int
    clear_for: int
    max_gap: float  # ticks, or infinity
    reopen_window: int


def ticks(seconds: float, per_second: int = MICROSECONDS) -> int:
    """Return a duration as whole ticks, by its shortest decimal form (0.1 s is 100,000 microseconds exactly)."""
    return round(Decimal(repr(seconds)) * per_second)


def compile_rule(rule: Rule, per_second: int = MICROSECONDS) -> Thresholds:
    """Return the rule in ticks of 1/`per_second` s."""
    return Thresholds(
        on=rule.on,
        off=rule.off,
        hold_for=ticks(rule.hold_for, per_second),
        min_samples=rule.min_samples,
        clear_for=ticks(rule.clear_for, per_second),
        max_gap=math.inf if rule.max_gap is None else ticks(rule.max_gap, per_second),
        reopen_window=ticks(rule.reopen_window, per_second),
    )


Check = Callable[[Any], Text | None]
"""Says what is wrong with a value, or None."""


def _number(value: Any) -> Text | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ("应为数字", "must be a number")
    # An integer of TOML or JSON has no bound; beyond a float's it cannot be compared with a reading.
    if abs(value) > 1e300 or not math.isfinite(value):
        return ("应为有限的数", "must be a finite number")
    return None


YEAR = 366 * 86400


def _duration(value: Any) -> Text | None:
    wrong = _number(value)
    if wrong is None and not 0 <= value <= YEAR:
        return ("应为 0 到一年之间的秒数", "must be seconds from 0 to a year")
    return wrong


def _count(value: Any) -> Text | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return ("应为整数", "must be a whole number")
    return None if 1 <= value <= 1_000_000 else ("应在 1 到 1000000 之间", "must be from 1 to 1000000")


def _word(value: Any) -> Text | None:
    if isinstance(value, str) and value.strip() and len(value) <= 200:
        return None
    return ("应为 1 到 200 个字的文字", "must be a text of 1 to 200 characters")


def _severity(value: Any) -> Text | None:
    if value in ("routine", "urgent", "critical"):
        return None
    return ("应为 routine、urgent 或 critical", "must be routine, urgent or critical")


FIELDS: dict[str, Check] = {
    "on": _number,
    "off": _number,
    "for": _duration,
    "min_samples": _count,
    "clear_for": _duration,
    "max_gap": _duration,
    "reopen_window": _duration,
    "allowed_lateness": _duration,
    "max_live_age": _duration,
    "silent_after": _duration,
    "name": _word,
    "kind": _word,
    "channel": _word,
    "item": _word,
    "severity": _severity,
    "title": _word,
}
REQUIRED = ("on", "off")
TO_PUBLISH = ("name", "kind", "channel", "item")
"""What a rule needs besides to run on a district's devices and open cases."""


def faults(document: Mapping[str, Any], required: tuple[str, ...] = REQUIRED) -> list[FieldError]:
    """Return everything wrong with a rule document, in its own order; empty when it is a rule."""
    found = [FieldError(key, ("必填", "is required")) for key in required if key not in document]
    for key, value in document.items():
        check = FIELDS.get(key)
        wrong = ("没有这个字段", "is not a field of a rule") if check is None else check(value)
        if wrong is not None:
            found.append(FieldError(key, wrong))
    bad = {error.field for error in found}
    if not bad & {"on", "off"} and document["off"] > document["on"]:
        found.append(FieldError("off", ("不得高于 on", "must not be above on")))
    return found


def parse(document: Mapping[str, Any], required: tuple[str, ...] = REQUIRED) -> Rule:
    """Return the rule a document (of TOML or JSON) states; Invalid with every bad field."""
    found = faults(document, required)
    if found:
        raise Invalid(found)
    return msgspec.convert(dict(document), Rule, strict=False)


def loads(text: str) -> Rule:
    """Return the rule of a TOML or JSON text; Unreadable when it is neither, Invalid with every bad field."""
    try:
        document: Any = msgspec.json.decode(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as fault:
        raise Unreadable(
            (
                f"规则不是有效的 TOML 或 JSON：{fault}",
                f"the rule is not valid TOML or JSON: {fault}",
            )
        ) from None
    return parse(document)


def document(rule: Rule) -> dict[str, Any]:
    """Return the rule as the document it is stored as."""
    return msgspec.to_builtins(rule)
