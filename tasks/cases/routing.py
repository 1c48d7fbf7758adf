"""Routing: one case, one set of rules, one answer, with its reasons in words for a dispatcher; pure."""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime, time
from itertools import combinations
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel.clock import SHANGHAI
from grid.organisations import Directory
from tasks.cases.catalogue import Item
from tasks.cases.deadlines import Calendar
from tasks.cases.model import Severity
from tasks.cases.selectors import Selector, parse_selectors, pick

Text = tuple[str, str]


class RoutingCase(Struct, frozen=True, kw_only=True):
    """What routing looks at. `area` is the deepest code known; `reason` says why there is no cell, if there is none."""

    item: str
    source: str
    severity: Severity = Severity.ROUTINE
    area: str
    town: str | None = None
    cell: str | None = None
    place: str = "none"  # covered | nearest | outside | between | none
    words: str = ""
    attributes: dict[str, Any] = {}
    sender: UUID | None = None
    complained_about: frozenset[UUID] = frozenset()


class Comparison(Struct, frozen=True):
    """A condition on an attribute: `depth_cm > 15`."""

    attribute: str
    op: str  # = != < <= > >=
    value: int | float | str | bool


class Window(Struct, frozen=True, kw_only=True):
    """Local hours `from`–`to` (over midnight if `to` is earlier); `holiday` restricts to (non-)working days."""

    since: time = time(0)
    until: time = time(0)
    holiday: bool | None = None

    def holds(self, at: datetime, calendar: Calendar) -> bool:
        """Tell whether the instant lies inside."""
        local = at.astimezone(SHANGHAI)
        if self.holiday is not None and self.holiday == bool(calendar.hours(local.date())):
            return False
        now = local.time().replace(tzinfo=None)
        if self.since == self.until:
            return True
        return self.since <= now < self.until if self.since < self.until else now >= self.since or now < self.until


class Rule(Struct, frozen=True, kw_only=True):
    """One routing rule; a condition left out holds for every case. `lead` and `assistants` are selectors."""

    id: str
    lead: str
    assistants: tuple[str, ...] = ()
    priority: int = 0
    item: str | None = None
    category: tuple[str, ...] = ()
    source: str | None = None
    area: str | None = None
    severity: Severity | None = None
    attributes: tuple[Comparison, ...] = ()
    window: Window | None = None
    keyword: str | None = None

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


class RuleError(ValueError):
    """A set of rules that cannot be used; says which rule and why."""


class CompiledRule(Struct, frozen=True):
    """A rule with its selectors read."""

    rule: Rule
    lead: tuple[Selector, ...]
    assistants: tuple[tuple[Selector, ...], ...]


class Look(Struct, frozen=True):
    """One rule looked at: did it match, and why (not)."""

    rule: str
    matched: bool
    why: Text


class Decision(Struct, frozen=True, kw_only=True):
    """Where a case goes. `lead` None: to the desk, `reason` says why. `rule` is the rule's id, or `item:CODE`."""

    lead: UUID | None
    assistants: tuple[UUID, ...] = ()
    desk: UUID | None
    rule: str | None = None
    reason: Text
    looked_at: tuple[Look, ...] = ()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_rules(rules: Sequence[Rule]) -> tuple[CompiledRule, ...]:
    """Check and order a set of rules, most specific first; RuleError names the rule that cannot be used."""
    twice = [rule.id for rule, count in zip(rules, _counts(rules), strict=True) if count > 1]
    if twice:
        raise RuleError(f"规则编号重复 / rule id occurs twice: {twice[0]}")
    compiled = [_compile(rule) for rule in rules]
    compiled.sort(key=lambda c: (c.rule.specificity, c.rule.priority), reverse=True)
    for first, second in combinations(compiled, 2):
        if _tie(first.rule, second.rule):
            names = f"{first.rule.id}, {second.rule.id}"
            raise RuleError(f"两条规则同等具体、可能同时成立 / equally specific and not disjoint: {names}")
    return tuple(compiled)


def _counts(rules: Sequence[Rule]) -> list[int]:
    ids = [rule.id for rule in rules]
    return [ids.count(each) for each in ids]


def _compile(rule: Rule) -> CompiledRule:
    for comparison in rule.attributes:
        if comparison.op not in _COMPARE:
            raise RuleError(f"{rule.id}: 比较符无法识别 / unknown comparison: {comparison.op}")
    try:
        return CompiledRule(rule, parse_selectors(rule.lead), tuple(parse_selectors(a) for a in rule.assistants))
    except ValueError as error:
        raise RuleError(f"{rule.id}: {error}") from error


def _tie(a: Rule, b: Rule) -> bool:
    return (a.specificity, a.priority) == (b.specificity, b.priority) and not _disjoint(a, b)


def _disjoint(a: Rule, b: Rule) -> bool:
    """Whether no case can satisfy both; said only where it can be proved."""
    pairs = ((a.item, b.item), (a.source, b.source), (a.severity, b.severity))
    if any(x is not None and y is not None and x != y for x, y in pairs):
        return True
    depth = min(len(a.category), len(b.category))
    if a.category[:depth] != b.category[:depth]:
        return True
    if a.area and b.area and not (a.area.startswith(b.area) or b.area.startswith(a.area)):
        return True
    equal = {c.attribute: c.value for c in a.attributes if c.op == "="}
    return any(c.op == "=" and c.attribute in equal and equal[c.attribute] != c.value for c in b.attributes)


def read_rules(document: dict[str, Any]) -> tuple[CompiledRule, ...]:
    """Read `{"rule": [...]}` (TOML or JSON) and compile it; RuleError for anything that is not understood."""
    try:
        return compile_rules(msgspec.convert(document.get("rule", []), list[Rule]))
    except msgspec.ValidationError as error:
        raise RuleError(str(error)) from error


def _compares(comparison: Comparison, case: RoutingCase) -> bool:
    value = case.attributes.get(comparison.attribute)
    try:
        return value is not None and _COMPARE[comparison.op](value, comparison.value)
    except TypeError:
        return False


def _mismatch(rule: Rule, case: RoutingCase, item: Item | None, now: datetime, calendar: Calendar) -> Text | None:
    """Return why the rule does not hold for the case; None if it does."""
    category = () if item is None else item.category
    checks: tuple[tuple[bool, Text], ...] = (
        (rule.item in (None, case.item), (f"事项不是 {rule.item}", f"the item is not {rule.item}")),
        (
            rule.category == tuple(category[: len(rule.category)]),
            (f"类别不是 {'/'.join(rule.category)}", f"the category is not {'/'.join(rule.category)}"),
        ),
        (rule.source in (None, case.source), (f"来源不是 {rule.source}", f"the source is not {rule.source}")),
        (
            rule.area is None or case.area.startswith(rule.area),
            (f"地点不在 {rule.area} 内", f"the place is not in {rule.area}"),
        ),
        (rule.severity in (None, case.severity), (f"等级不是 {rule.severity}", f"the severity is not {rule.severity}")),
        *(
            (
                _compares(c, case),
                (f"属性不满足 {c.attribute} {c.op} {c.value}", f"not so: {c.attribute} {c.op} {c.value}"),
            )
            for c in rule.attributes
        ),
        (rule.window is None or rule.window.holds(now, calendar), ("不在规定时段内", "not within its hours")),
        (rule.keyword is None or rule.keyword in case.words, (f"没有“{rule.keyword}”字样", f"no “{rule.keyword}”")),
    )
    return next((why for holds, why in checks if not holds), None)


PLACE_WORDS: dict[str, Text] = {
    "none": ("没有地点", "no place is given"),
    "outside": ("地点在本区之外", "the place is outside the district"),
    "between": ("地点附近没有网格", "no cell is near the place"),
}


def _choose(
    compiled: CompiledRule, case: RoutingCase, directory: Directory
) -> tuple[UUID | None, tuple[UUID, ...], Text]:
    """Return lead and assistants of a rule that matched; without lead, the reason."""
    lead, why = pick(compiled.lead, case.area, case.town, case.cell, case.sender, directory, case.complained_about)
    if lead is None:
        return None, (), why
    others = (
        pick(selectors, case.area, case.town, case.cell, case.sender, directory, case.complained_about)[0]
        for selectors in compiled.assistants
    )
    return lead, tuple(dict.fromkeys(each for each in others if each is not None and each != lead)), why


def route(
    case: RoutingCase,
    item: Item | None,
    rules: Sequence[CompiledRule],
    directory: Directory,
    calendar: Calendar,
    now: datetime,
    desk: UUID | None = None,
) -> Decision:
    """Decide who leads and who assists: the most specific rule that holds, else the item's own; else the desk.

    `rules` as `compile_rules` orders them. Never raises and never loses a case: whatever cannot be decided goes to
    `desk` (the district centre if None) with the reason.
    """
    centre = directory.centre()
    home = desk or (None if centre is None else centre.id)
    looked: list[Look] = []
    if item is None:
        why = (f"目录中没有事项 {case.item}", f"the catalogue has no item {case.item}")
        return Decision(lead=None, desk=home, reason=why)
    if case.place in PLACE_WORDS:
        return Decision(lead=None, desk=home, reason=PLACE_WORDS[case.place])
    for compiled in rules:
        why_not = _mismatch(compiled.rule, case, item, now, calendar)
        if why_not is not None:
            looked.append(Look(compiled.rule.id, False, why_not))
            continue
        return _decided(compiled, compiled.rule.id, case, directory, home, looked)
    own = CompiledRule(
        Rule(id=f"item:{item.code}", lead=item.lead, assistants=item.assistants),
        parse_selectors(item.lead),
        tuple(parse_selectors(each) for each in item.assistants),
    )
    return _decided(own, own.rule.id, case, directory, home, looked)


def _decided(
    compiled: CompiledRule, rule: str, case: RoutingCase, directory: Directory, desk: UUID | None, looked: list[Look]
) -> Decision:
    lead, assistants, why = _choose(compiled, case, directory)
    looked.append(Look(rule, True, why))
    return Decision(lead=lead, assistants=assistants, desk=desk, rule=rule, reason=why, looked_at=tuple(looked))
