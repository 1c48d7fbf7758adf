"""Routing: one case, one set of rules, one answer, with its reasons in words for a dispatcher; pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from grid.organisations import Directory, Kind
from tasks.cases.catalogue import Item
from tasks.cases.deadlines import Calendar, national
from tasks.cases.model import Severity
from tasks.cases.rules import Text, moment
from tasks.cases.rules_compiled import CompiledRule, Facts, Look, RuleSet, first_failing
from tasks.cases.selectors import Picked, Selector, Where, parse_selectors, pick

__all__ = ["Decision", "Explanation", "RoutingCase", "route"]


class RoutingCase(Struct, frozen=True, kw_only=True):
    """What routing looks at. `area` is the deepest code known; `place` says how good the place is.

    `entry` is the item in the version that holds for the case, None if the catalogue has none. `desk` is the desk that
    was named; without one it is that of the town, where the town is known, else the district's.
    """

    item: str
    entry: Item | None
    source: str
    severity: Severity = Severity.ROUTINE
    area: str
    place: str = "none"  # covered | nearest | outside | between | none
    words: str = ""
    attributes: dict[str, Any] = {}
    sender: UUID | None = None
    desk: UUID | None = None
    complained_about: frozenset[UUID] = frozenset()
    unsorted: bool = False
    """The item only stands in: a rule may decide all the same, the item's own lead not."""


class Explanation(Struct, frozen=True, kw_only=True, gc=False):
    """Why, in words (zh, en): each rule looked at, how many were passed over and why, who was left out and why."""

    reason: Text
    looked_at: tuple[Look, ...] = ()
    passed_over: tuple[Text, ...] = ()
    left_out: tuple[Text, ...] = ()


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """Where a case goes. `lead` None: to the `desk`, the explanation says why. `rule` is its id, or `item:CODE`.

    `limits` are clocks that hold instead of the item's, such as `{"handle": "120 minute"}`.
    """

    lead: UUID | None
    assistants: tuple[UUID, ...] = ()
    limits: dict[str, str] = {}
    rule: str | None = None
    desk: UUID | None
    explanation: Explanation

    @property
    def reason(self) -> Text:
        """The reason alone."""
        return self.explanation.reason


PLACE_WORDS: dict[str, Text] = {
    "none": ("没有地点", "no place is given"),
    "outside": ("地点在本区之外", "the place is outside the district"),
    "between": ("地点附近没有网格", "no cell is near the place"),
}
UNSORTED: Text = ("说不准属于哪个事项，由席位分类", "no item fits for certain: a clerk sorts it")
NOBODY_ELSE: Text = ("没有更具体的规则，按事项的默认单位", "no rule holds: the item's own lead")


def route(
    case: RoutingCase,
    rules: RuleSet,
    directory: Directory,
    now: datetime,
    calendar: Calendar | None = None,
    *,
    every: bool = False,
) -> Decision:
    """Decide who leads and who assists: the most specific rule that holds, else the item's own; else the desk.

    Never raises and never loses a case: whatever cannot be decided goes to a desk with the reason. Rules for other
    items, sources or towns are only counted, unless `every` asks for each by name. `calendar` is for days off.
    """
    entry = case.entry
    if entry is None:
        why = (f"目录中没有事项 {case.item}", f"the catalogue has no item {case.item}")
        return _to_desk(case, directory, Explanation(reason=why))
    if case.place in PLACE_WORDS:
        return _to_desk(case, directory, Explanation(reason=PLACE_WORDS[case.place]))
    facts = Facts(
        item=case.item,
        category=entry.category,
        source=case.source,
        area=case.area,
        severity=case.severity,
        attributes=case.attributes,
        words=case.words,
        moment=moment(now, calendar or national()),
    )
    chosen, looked, passed_over = _look(facts, rules, every)
    if chosen is None and case.unsorted:
        said = Explanation(reason=UNSORTED, looked_at=tuple(looked), passed_over=passed_over)
        return _to_desk(case, directory, said)
    where = Where(case.area, now, case.sender, entry.lead)
    if chosen is not None:
        picked, others = _pick(chosen.lead, chosen.assistants, where, directory, case)
        looked.append(Look(chosen.rule.id, True, chosen.said))
        rule, limits = chosen.rule.id, chosen.limits
    else:
        assistants = tuple(parse_selectors(each) for each in entry.assistants)
        picked, others = _pick(parse_selectors(entry.lead), assistants, where, directory, case)
        rule, limits = f"item:{entry.code}", {}
        looked.append(Look(rule, True, NOBODY_ELSE))
    explanation = Explanation(
        reason=picked.why,
        looked_at=tuple(looked),
        passed_over=passed_over,
        left_out=_left_out((picked, *others), directory),
    )
    if picked.organisation is None:
        return _to_desk(case, directory, explanation, rule, limits)
    found = dict.fromkeys(each.organisation for each in others)
    return Decision(
        lead=picked.organisation,
        assistants=tuple(each for each in found if each is not None and each != picked.organisation),
        limits=limits,
        rule=rule,
        desk=_desk(case, directory),
        explanation=explanation,
    )


def _look(facts: Facts, rules: RuleSet, every: bool) -> tuple[CompiledRule | None, list[Look], tuple[Text, ...]]:
    """Return the first rule that holds, what was said of those before it, and what of those not looked at."""
    looked: list[Look] = []
    if every:
        for compiled in rules:
            failed = next((b.look for b in compiled.bound if not b.test(facts)), None)
            failed = failed or first_failing(compiled.free, facts)
            if failed is None:
                return compiled, looked, ()
            looked.append(failed)
        return None, looked, ()
    candidates = rules.candidates(facts)
    for compiled in candidates.rules:
        failed = first_failing(compiled.free, facts)
        if failed is None:
            return compiled, looked, candidates.passed_over
        looked.append(failed)
    return None, looked, candidates.passed_over


def _pick(
    lead: tuple[Selector, ...],
    assistants: tuple[tuple[Selector, ...], ...],
    where: Where,
    directory: Directory,
    case: RoutingCase,
) -> tuple[Picked, list[Picked]]:
    out = directory.line_of_all(case.complained_about)
    return pick(lead, where, directory, out), [pick(each, where, directory, out) for each in assistants]


def _left_out(picked: tuple[Picked, ...], directory: Directory) -> tuple[Text, ...]:
    """Say who was left out, each once."""
    if not any(one.left_out for one in picked):
        return ()
    found = dict.fromkeys(each for one in picked for each in one.left_out)
    named = (directory.get(each) for each in found)
    return tuple((f"{o.name}被投诉，回避", f"{o.name} is complained about: left out") for o in named if o is not None)


def _to_desk(
    case: RoutingCase, directory: Directory, explanation: Explanation, rule: str | None = None, limits: Any = None
) -> Decision:
    desk = _desk(case, directory)
    return Decision(lead=None, rule=rule, limits=limits or {}, desk=desk, explanation=explanation)


def _desk(case: RoutingCase, directory: Directory) -> UUID | None:
    """Return the desk of the right level: the one named, else the town's where a town is known, else the district's.

    A town complained about is no desk of that case.
    """
    if case.desk is not None:
        return case.desk
    town = directory.find(Kind.TOWN_CENTRE, case.area) if len(case.area) >= 9 else None
    if town is not None and town.id not in directory.line_of_all(case.complained_about):
        return town.id
    centre = directory.centre()
    return None if centre is None else centre.id
