"""A set of rules made ready: checked as a whole, ordered most specific first, indexed by what a case is; pure."""

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import msgspec
from msgspec import Struct

from tasks.cases.model import Severity
from tasks.cases.rules import Comparison, Fault, Moment, Rule, RuleError, Text, Window, faults_of
from tasks.cases.rules_proof import disjoint, kind_of, satisfiable
from tasks.cases.selectors import Selector, parse_selectors

MOST = 2_000
"""So many rules a set may have."""
KEPT = 20_000
"""So many looks at the index are kept before they are forgotten."""


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """What the conditions of a rule look at."""

    item: str
    category: tuple[str, ...]
    source: str
    area: str
    severity: Severity
    attributes: dict[str, Any]
    words: str
    moment: Moment


class Look(Struct, frozen=True, gc=False):
    """One rule looked at: did it match, and why (not)."""

    rule: str
    matched: bool
    why: Text


Condition = tuple[Callable[[Facts], bool], Look]
"""A test, and what is said of the rule when it fails."""


class Bound(Struct, frozen=True):
    """A condition the index knows; `group` is what a summary calls the rules that fail it."""

    stage: int
    test: Callable[[Facts], bool]
    look: Look
    group: Text


class CompiledRule(Struct, frozen=True):
    """A rule with its selectors read and its conditions made tests; `said` tells them in words."""

    rule: Rule
    lead: tuple[Selector, ...]
    assistants: tuple[tuple[Selector, ...], ...]
    limits: dict[str, str]
    bound: tuple[Bound, ...]
    """Item and category, source, area down to the town: known for whole kinds of cases."""
    free: tuple[Condition, ...]
    said: Text


class Candidates(Struct, frozen=True):
    """The rules that are left for cases of one item, source and town, in order, and in words how many are not."""

    rules: tuple[CompiledRule, ...]
    counts: dict[Text, int]
    passed_over: tuple[Text, ...]
    local: bool = True
    """Whether some of them are for one area only."""


BY_ITEM, BY_SOURCE, BY_TOWN = range(3)


class RuleSet:
    """Compiled rules, most specific first. Immutable; remembers which rules concern which kind of case."""

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self._rules = tuple(rules)
        self._kept: dict[tuple[Any, ...], Candidates] = {}

    def __iter__(self) -> Iterator[CompiledRule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def candidates(self, facts: Facts) -> Candidates:
        """Return the rules that concern the item, source and town of a case."""
        key = (facts.item, facts.category, facts.source)
        of_source = self._kept.get(key)
        if of_source is None:
            everything = Candidates(self._rules, {}, ())
            of_item = self._narrowed(key[:2], everything, BY_ITEM, facts)
            of_source = self._narrowed(key, of_item, BY_SOURCE, facts)
        if not of_source.local:
            return of_source
        return self._narrowed((*key, facts.area[:9]), of_source, BY_TOWN, facts)

    def _narrowed(self, key: tuple[Any, ...], wider: Candidates, stage: int, facts: Facts) -> Candidates:
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            found = self._kept[key] = _narrow(wider, stage, facts)
        return found


def _narrow(wider: Candidates, stage: int, facts: Facts) -> Candidates:
    left: list[CompiledRule] = []
    counts = dict(wider.counts)
    for each in wider.rules:
        for bound in each.bound:
            if bound.stage == stage and not bound.test(facts):
                counts[bound.group] = counts.get(bound.group, 0) + 1
                break
        else:
            left.append(each)
    words = tuple((f"{n} 条规则{zh}", f"{n} rule{'s' * (n > 1)} {en}") for (zh, en), n in counts.items())
    local = any(b.stage == BY_TOWN for each in left for b in each.bound)
    return Candidates(tuple(left), counts, words, local)


def first_failing(conditions: Sequence[Condition], facts: Facts) -> Look | None:
    """Return what to say of the first condition that does not hold; None when all do."""
    for test, look in conditions:
        if not test(facts):
            return look
    return None


NO_RULES = RuleSet(())


def compile_rules(rules: Sequence[Rule], *, published: bool = False) -> RuleSet:
    """Check and order a set of rules; RuleError names every rule that cannot be used, and both of two that tie.

    A set that was `published` goes on as it is, whatever is asked of new ones since.
    """
    faults = [fault for n, rule in enumerate(rules) for fault in faults_of(rule, n, published=published)]
    if len(rules) > MOST:
        faults.append(Fault((), "rule", (f"规则不能超过 {MOST} 条", f"at most {MOST} rules")))
    faults += _twice(rules)
    if not faults:
        faults = [*_impossible(rules), *_ties(rules)]
    if faults:
        raise RuleError(faults)
    ordered = sorted(rules, key=lambda rule: (*(-n for n in rule.specificity), -rule.priority, rule.id))
    return RuleSet([_compile(rule) for rule in ordered])


def _twice(rules: Sequence[Rule]) -> list[Fault]:
    counts = Counter(rule.id for rule in rules)
    return [Fault((id_,), "id", ("规则编号重复", "rule id occurs twice")) for id_, n in counts.items() if n > 1]


def _impossible(rules: Sequence[Rule]) -> list[Fault]:
    why = ("属性条件互相矛盾，永远不会成立", "the attribute conditions contradict each other")
    return [Fault((r.id,), "attributes", why, n) for n, r in enumerate(rules) if not satisfiable(r.attributes)]


def _ties(rules: Sequence[Rule]) -> Iterator[Fault]:
    """Yield two rules at a time that are equally specific and may both hold."""
    groups: dict[tuple[object, ...], list[tuple[int, Rule]]] = {}
    for n, rule in enumerate(rules):
        same = (rule.specificity, rule.priority, rule.item, rule.source, rule.severity)
        groups.setdefault(same, []).append((n, rule))
    why = ("两条规则同等具体、可能同时成立", "equally specific and not disjoint")
    for group in groups.values():
        for (n, first), (_, second) in combinations(group, 2):
            if not disjoint(first, second):
                yield Fault(tuple(sorted((first.id, second.id))), "", why, n)


def read_rules(document: dict[str, Any], *, published: bool = False) -> RuleSet:
    """Read `{"rule": [...]}` (TOML or JSON) and compile it; RuleError for anything that is not understood."""
    return compile_rules(rules_of(document), published=published)


def rules_of(document: dict[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a document; `{}` has none. RuleError for anything that is not understood."""
    if document and "rule" not in document:
        raise RuleError([Fault((), "rule", ("没有 [[rule]] 段", "there is no [[rule]]"))])
    try:
        return msgspec.convert(document.get("rule", []), tuple[Rule, ...])
    except msgspec.ValidationError as error:
        raise RuleError([Fault((), "rule", (f"无法识别：{error}", str(error)))]) from error


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {"truth": (bool,), "number": (int, float), "text": (str,)}


def _compile(rule: Rule) -> CompiledRule:
    bound, free = _bound(rule), _free(rule)
    said = [each[-1] for each in (*bound, *free)] or [("适用于所有事件", "for every case")]
    zh, en = "，".join(each[0] for each in said), ", ".join(each[1] for each in said)
    return CompiledRule(
        rule=rule,
        lead=parse_selectors(rule.lead),
        assistants=tuple(parse_selectors(each) for each in rule.assistants),
        limits=rule.limits.given(),
        bound=tuple(Bound(n, test, Look(rule.id, False, _unlike(said)), group) for n, test, group, said in bound),
        free=tuple((test, Look(rule.id, False, why)) for test, why, _ in free),
        said=(f"{rule.name}：{zh}" if rule.name else zh, en),
    )


def _unlike(said: Text) -> Text:
    """Return the opposite of a condition in words."""
    zh, en = said
    return zh.replace("为", "不是", 1).replace("在", "不在", 1), en.replace(" is ", " is not ", 1)


Told = tuple[Callable[[Facts], bool], Text, Text]
"""A test, what is said when it fails, what is said when it holds."""


def _bound(rule: Rule) -> list[tuple[int, *Told]]:
    found: list[tuple[int, *Told]] = []
    if rule.item is not None:
        code = rule.item
        said = (f"事项为 {code}", f"the item is {code}")
        found.append((BY_ITEM, lambda f: f.item == code, ("针对其他事项", "for other items"), said))
    if rule.category:
        category, depth = rule.category, len(rule.category)
        name = "/".join(category)
        said = (f"类别为 {name}", f"the category is {name}")
        found.append(
            (BY_ITEM, lambda f: f.category[:depth] == category, ("针对其他类别", "for other categories"), said)
        )
    if rule.source is not None:
        source = rule.source
        said = (f"来源为 {source}", f"the source is {source}")
        found.append((BY_SOURCE, lambda f: f.source == source, ("针对其他来源", "for other sources"), said))
    if rule.area is not None:
        area = rule.area[:9]
        said = (f"地点在 {rule.area} 内", f"the place is in {rule.area}")
        found.append((BY_TOWN, lambda f: f.area.startswith(area), ("针对其他区域", "for other areas"), said))
    return found


def _free(rule: Rule) -> list[Told]:
    found: list[Told] = []
    if rule.area is not None and len(rule.area) > 9:
        area = rule.area
        why = (f"地点不在 {area} 内", f"the place is not in {area}")
        found.append((lambda f: f.area.startswith(area), why, (f"属 {area}", f"within {area}")))
    if rule.severity is not None:
        severity = rule.severity
        why = (f"等级不是 {severity}", f"the severity is not {severity}")
        found.append((lambda f: f.severity is severity, why, (f"等级为 {severity}", f"the severity is {severity}")))
    found += [_comparing(each) for each in rule.attributes]
    if rule.window is not None:
        window = rule.window
        zh, en = _hours(window)
        why = (f"不在规定时段内（{zh}）", f"not within its hours ({en})")
        found.append((lambda f: window.holds(f.moment), why, (f"时段为{zh}", f"the time is {en}")))
    if rule.keyword is not None:
        words = rule.keywords
        zh, en = "”或“".join(words), "” or “".join(words)
        why = (f"没有“{zh}”字样", f"no “{en}” in its words")
        found.append((lambda f: any(w in f.words for w in words), why, (f"有“{zh}”字样", f"its words say “{en}”")))
    return found


def _comparing(each: Comparison) -> Told:
    compare, value, name = _COMPARE[each.op], each.value, each.attribute
    types = _TYPES[kind_of(value)]
    written = f"{name} {each.op} {value}"

    def holds(facts: Facts) -> bool:
        given = facts.attributes.get(name)
        return type(given) in types and compare(given, value)

    return holds, (f"属性不满足 {written}", f"not so: {written}"), (f"属性 {written}", written)


def _hours(window: Window) -> Text:
    days = {None: ("", ""), True: ("节假日", "days off"), False: ("工作日", "working days")}[window.holiday]
    if window.since == window.until:
        return days
    hours = f"{window.since:%H:%M}–{window.until:%H:%M}"
    return f"{days[0]} {hours}".strip(), f"{days[1]} {hours}".strip()
