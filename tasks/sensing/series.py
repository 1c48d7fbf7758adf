"""A series of readings on a sheet (CSV `at,value`) through a draft rule: what `zjw sensing simulate` prints."""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from msgspec import Struct

from app.kernel.problem import FieldError, Invalid, Text
from tasks.sensing import episodes
from tasks.sensing.rules import MICROSECONDS, Rule, compile_rule

FINEST = 12
"""Most decimals a time may have."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sample(NamedTuple):
    """One row: the time as written, as exact seconds, and the value."""

    written: str
    seconds: Decimal
    value: float


class Step(Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One transition as it is printed; `at` as given in the file."""

    at: str
    source: str
    target: str
    episode: int | None
    value: float


class Row(NamedTuple):
    """A row of the file before it is checked."""

    line: int
    at: str
    value: str


def _rows(text: str) -> Iterator[Row]:
    reader = csv.reader(text.removeprefix("\ufeff").splitlines())
    header = [name.strip().lower() for name in next(reader, list[str]())]
    missing = [
        FieldError(f"header.{name}", ("缺少这一列", "this column is missing"))
        for name in ("at", "value")
        if name not in header
    ]
    if missing:
        raise Invalid(missing)
    at, value = header.index("at"), header.index("value")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            padded = cells + [""] * len(header)
            yield Row(reader.line_num, padded[at].strip(), padded[value].strip())


def _number(text: str) -> Decimal | None:
    """Return a plain decimal number, or None."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _instant(text: str) -> Decimal | datetime | Text:
    """Return seconds, an ISO 8601 time, or what is wrong."""
    number = _number(text)
    if number is not None:
        if abs(number) >= 10**15 or -int(number.as_tuple().exponent) > FINEST:
            return (
                "时间过大或小数位过多",
                f"the time is too large or has over {FINEST} decimals",
            )
        return number
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return ("应为秒数或 ISO 8601 时间", "must be seconds or an ISO 8601 time")


def _value(text: str) -> float | Text:
    try:
        value = float(text)
    except ValueError:
        return ("应为数字", "must be a number")
    return value if math.isfinite(value) else ("应为有限的数", "must be a finite number")


def _seconds(at: datetime) -> Decimal:
    since = at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH
    return Decimal(since.days * 86400 + since.seconds) + Decimal(since.microseconds).scaleb(-6)


def read(text: str) -> list[Sample]:
    """Return the samples of a CSV text, in its order.

    Times without an offset are taken as one and the same clock, and refused beside times with one.
    Invalid lists every bad cell by line.
    """
    samples: list[Sample] = []
    errors: list[FieldError] = []
    clocks: dict[bool, int] = {}
    for row in _rows(text):
        at, value = _instant(row.at), _value(row.value)
        if isinstance(at, tuple):
            errors.append(FieldError(f"line {row.line}: at", at))
        if isinstance(value, tuple):
            errors.append(FieldError(f"line {row.line}: value", value))
        if isinstance(at, datetime):
            clocks.setdefault(at.tzinfo is None, row.line)
            at = _seconds(at)
        if isinstance(at, Decimal) and isinstance(value, float):
            samples.append(Sample(row.at, at, value))
    if len(clocks) > 1:
        line = max(clocks.values())
        errors.append(
            FieldError(
                f"line {line}: at",
                (
                    "有的时间带时区，有的不带",
                    "some times have an offset and some have none",
                ),
            )
        )
    if errors:
        raise Invalid(errors)
    return samples


def simulate(rule: Rule, samples: list[Sample]) -> list[Step]:
    """Return every transition of the samples, by the real state machine; of equal times the first counts."""
    per_second = _resolution(rule, samples)
    first: dict[int, Sample] = {}
    for sample in samples:
        first.setdefault(int(sample.seconds * per_second), sample)
    readings = [(tick, sample.value) for tick, sample in sorted(first.items())]
    _, transitions, _ = episodes.advance(episodes.State(), compile_rule(rule, per_second), readings)
    return [Step(first[t.at].written, t.source, t.target, t.episode, t.value) for t in transitions]


def _resolution(rule: Rule, samples: list[Sample]) -> int:
    """Return ticks per second that keep every time and duration whole."""
    durations = (rule.hold_for, rule.clear_for, rule.max_gap or 0, rule.reopen_window)
    numbers = [
        *(sample.seconds for sample in samples),
        *(Decimal(repr(seconds)) for seconds in durations),
    ]
    decimals = max((-int(number.as_tuple().exponent) for number in numbers), default=0)
    return max(MICROSECONDS, 10**decimals)
