"""Proof that two rules can never hold for one case; where there is no proof they count as able to; pure."""

from collections.abc import Iterable, Sequence
from datetime import time
from typing import Any

from tasks.cases.rules import Comparison, Rule, Window

_DAY = 24 * 3600 * 1_000_000


def disjoint(a: Rule, b: Rule) -> bool:
    """Tell whether no case can satisfy both; said only where it can be proved. Words never exclude each other."""
    return (
        _differ(a.item, b.item)
        or _differ(a.source, b.source)
        or _differ(a.severity, b.severity)
        or not _one_line(a.category, b.category)
        or not _one_line(a.area or "", b.area or "")
        or not satisfiable((*a.attributes, *b.attributes))
        or _apart(a.window, b.window)
    )


def _differ(x: object, y: object) -> bool:
    return x is not None and y is not None and x != y


def _one_line(x: Sequence[str], y: Sequence[str]) -> bool:
    """Whether one lies below the other in a tree."""
    depth = min(len(x), len(y))
    return x[:depth] == y[:depth]


def _apart(a: Window | None, b: Window | None) -> bool:
    if a is None or b is None:
        return False
    return _differ(a.holiday, b.holiday) or not any(
        begin < other_end and other_begin < end for begin, end in _spans(a) for other_begin, other_end in _spans(b)
    )


def _spans(window: Window) -> tuple[tuple[int, int], ...]:
    """Return the hours of a window as spans of one day, in microseconds from midnight."""
    since, until = _since_midnight(window.since), _since_midnight(window.until)
    if since == until:
        return ((0, _DAY),)
    if since < until:
        return ((since, until),)
    return ((since, _DAY), (0, until))


def _since_midnight(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000 + at.microsecond


def satisfiable(comparisons: Iterable[Comparison]) -> bool:
    """Tell whether some attributes can satisfy all comparisons; between two bounds there is always a value."""
    by_attribute: dict[str, list[Comparison]] = {}
    for each in comparisons:
        by_attribute.setdefault(each.attribute, []).append(each)
    return all(_some_value(group) for group in by_attribute.values())


def kind_of(value: Any) -> str:
    """Return what a value compares with: truth values, numbers and texts are three worlds; anything else is none."""
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else ""


def _some_value(group: Sequence[Comparison]) -> bool:
    kinds = {kind_of(each.value) for each in group}
    if len(kinds) > 1:
        return False
    equal = {each.value for each in group if each.op == "="}
    unequal = {each.value for each in group if each.op == "!="}
    if kinds == {"truth"}:
        return bool((equal or {True, False}) - unequal) and len(equal) < 2
    bounds = [(each.op, each.value) for each in group if each.op not in ("=", "!=")]
    if equal:
        value = next(iter(equal))
        return len(equal) == 1 and value not in unequal and all(_within(value, *bound) for bound in bounds)
    return _between(bounds, unequal)


def _within(value: Any, op: str, bound: Any) -> bool:
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[op]


def _between(bounds: Sequence[tuple[str, Any]], unequal: set[Any]) -> bool:
    lowest = max((value for op, value in bounds if op[0] == ">"), default=None)
    highest = min((value for op, value in bounds if op[0] == "<"), default=None)
    if lowest is None or highest is None or lowest < highest:
        return True
    return lowest == highest and lowest not in unequal and all(_within(lowest, *bound) for bound in bounds)
