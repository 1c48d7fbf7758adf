"""Routing rules as typed data: conditions, outcome, how specific a rule is, and what is wrong with one; pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, time
from math import isfinite
from typing import Annotated

from msgspec import Meta, Struct

from app.kernel.clock import SHANGHAI
from tasks.cases.deadlines import Calendar, Unit, parse_limit
from tasks.cases.model import Severity
from tasks.cases.selectors import parse_selectors

Text = tuple[str, str]
"""One sentence twice: Chinese, English."""
Value = bool | int | float | str
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
RESERVED = ("item:", "hint")
"""What a decision names where no rule decided: the item's own lead, or the channel."""
Short = Annotated[str, Meta(max_length=200)]


class Moment(Struct, frozen=True, gc=False):
    """An instant as windows look at it: local time of day, and whether the day is a day off (节假日)."""

    time: time
    day_off: bool


def moment(at: datetime, calendar: Calendar) -> Moment:
    """Return how an aware instant looks on the wall in Hangzhou."""
    local = at.astimezone(SHANGHAI)
    return Moment(local.time(), not calendar.hours(local.date()))


class Comparison(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on an attribute: `depth_cm > 15`. It holds for values of its own type only."""

    attribute: Short
    op: str  # one of OPERATORS
    value: Value


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Local hours `since`–`until` (over midnight if `until` is earlier, all day if equal).

    `holiday` true: on days off only (weekends and public holidays); false: on working days only.
    """

    since: time = time(0)
    until: time = time(0)
    holiday: bool | None = None

    def holds(self, now: Moment) -> bool:
        """Tell whether the moment lies inside; the end is exclusive."""
        if self.holiday is not None and self.holiday != now.day_off:
            return False
        if self.since == self.until:
            return True
        if self.since < self.until:
            return self.since <= now.time < self.until
        return now.time >= self.since or now.time < self.until


class OwnLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Clocks that a rule sets instead of the item's, such as `handle = "120 minute"`; the others stay."""

    sign: Short | None = None
    arrive: Short | None = None
    handle: Short | None = None
    verify: Short | None = None
    call_back: Short | None = None
    total: Short | None = None

    def given(self) -> dict[str, str]:
        """Return clock → limit of those that are set."""
        return {clock: limit for clock in self.__struct_fields__ if (limit := getattr(self, clock)) is not None}


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One routing rule; a condition left out holds for every case. `lead` and `assistants` are selectors."""

    id: Annotated[str, Meta(max_length=60)]
    lead: Short
    name: Short = ""
    assistants: Annotated[tuple[Short, ...], Meta(max_length=20)] = ()
    limits: OwnLimits = OwnLimits()
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    item: Short | None = None
    category: Annotated[tuple[Short, ...], Meta(max_length=2)] = ()
    source: Short | None = None
    area: Annotated[str, Meta(max_length=15)] | None = None
    severity: Severity | None = None
    attributes: Annotated[tuple[Comparison, ...], Meta(max_length=20)] = ()
    window: Window | None = None
    keyword: Short | None = None
    """One word, or several with `|`: any of them in title or description."""

    @property
    def specificity(self) -> tuple[int, ...]:
        """(item, category depth, area depth, source, severity, attribute conditions, window, keyword)."""
        return (
            int(self.item is not None),
            len(self.category),
            len(self.area or ""),
            int(self.source is not None),
            int(self.severity is not None),
            len(self.attributes),
            int(self.window is not None),
            int(self.keyword is not None),
        )

    @property
    def keywords(self) -> tuple[str, ...]:
        """The words of `keyword`."""
        return tuple(part.strip() for part in (self.keyword or "").split("|"))


class Fault(Struct, frozen=True):
    """Why rules cannot be used: which (by id), which field of the first, and the reason."""

    rules: tuple[str, ...]
    field: str
    why: Text
    index: int | None = None
    """Position of the first rule in the list as written."""


class RuleError(ValueError):
    """A set of rules that cannot be used; `faults` says which rules and why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        lines = (f"{', '.join(f.rules)} {f.field}: {f.why[0]} / {f.why[1]}".strip() for f in faults)
        super().__init__("\n".join(lines))
        self.faults = tuple(faults)


def faults_of(rule: Rule, index: int, *, published: bool = False) -> list[Fault]:
    """Return everything that is wrong with one rule taken alone.

    One that was `published` before is not held to what is asked since: `clocks_of` knows what of it holds.
    """
    found = [*_identity(rule), *_conditions(rule), *_comparisons(rule), *_outcome(rule)]
    if not published and not found:
        found += _pressing(rule)
    return [Fault((rule.id,), field, why, index) for field, why in found]


def _identity(rule: Rule) -> Iterable[tuple[str, Text]]:
    if not rule.id.strip() or not rule.id.isprintable():
        yield "id", ("规则须有编号", "a rule needs an id")
    elif rule.id.startswith(RESERVED):
        yield "id", (f"编号不能以 {' 或 '.join(RESERVED)} 开头", f"an id does not begin with {' or '.join(RESERVED)}")


def _conditions(rule: Rule) -> Iterable[tuple[str, Text]]:
    for field in ("item", "source"):
        if getattr(rule, field) == "":
            yield field, ("不能为空", "must not be empty")
    if not all(part.strip() for part in rule.category):
        yield "category", ("不能为空", "must not be empty")
    if rule.keyword is not None and not all(rule.keywords):
        yield "keyword", ("关键词不能为空", "a keyword must not be empty")
    if rule.area is not None and not (rule.area.isascii() and rule.area.isdigit() and len(rule.area) in (6, 9, 12, 15)):
        yield "area", ("区域代码应为 6、9、12 或 15 位数字", "an area is a code of 6, 9, 12 or 15 digits")
    window = rule.window
    if window is not None and window.since == window.until and window.holiday is None:
        yield "window", ("时段没有任何限制", "the window restricts nothing")
    if window is not None and (window.since.tzinfo is not None or window.until.tzinfo is not None):
        yield "window", ("时段用当地时间，不带时区", "a window is in local time, without an offset")


def _comparisons(rule: Rule) -> Iterable[tuple[str, Text]]:
    for n, each in enumerate(rule.attributes):
        field = f"attributes[{n}]"
        if not each.attribute:
            yield f"{field}.attribute", ("不能为空", "must not be empty")
        if each.op not in OPERATORS:
            yield f"{field}.op", (f"比较符无法识别：{each.op}", f"unknown comparison: {each.op}")
        elif isinstance(each.value, bool) and each.op not in ("=", "!="):
            yield f"{field}.op", ("是非值只能用 = 或 !=", "a truth value takes = or != only")
        if isinstance(each.value, float) and not isfinite(each.value):
            yield f"{field}.value", ("须为有限的数", "must be a finite number")


def _outcome(rule: Rule) -> Iterable[tuple[str, Text]]:
    for field, text in (("lead", rule.lead), *((f"assistants[{n}]", a) for n, a in enumerate(rule.assistants))):
        yield from _readable(field, text, parse_selectors)
    for clock, limit in rule.limits.given().items():
        yield from _readable(f"limits.{clock}", limit, parse_limit)


def _pressing(rule: Rule) -> Iterable[tuple[str, Text]]:
    """Yield limits in working time or days that could hold for an urgent or critical case."""
    why = (
        "紧急与特急的时限以 minute 计：请写分钟，或将规则限于一般事件（severity = routine）",
        "urgent and critical limits are in minutes: write minutes, or keep the rule to severity = routine",
    )
    if rule.severity is not Severity.ROUTINE:
        for clock, limit in rule.limits.given().items():
            if parse_limit(limit).unit is not Unit.MINUTE:
                yield f"limits.{clock}", why


def _readable(field: str, text: str, read: Callable[[str], object]) -> Iterable[tuple[str, Text]]:
    try:
        read(text)
    except ValueError as error:
        zh, _, en = str(error).partition(" / ")
        yield field, (zh, en or zh)
