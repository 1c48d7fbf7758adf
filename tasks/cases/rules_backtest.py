"""Back-test (回测): where past cases would go by a draft of rules, beside where they went; pure."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from grid.organisations import Directory, Kind
from tasks.cases.catalogue import Catalogue, Item
from tasks.cases.deadlines import Calendar
from tasks.cases.model import Severity
from tasks.cases.routing import Decision, RoutingCase, route
from tasks.cases.rules_compiled import RuleSet

STEP = 500
"""After so many cases progress is told."""
Progress = Callable[[int, int], None]
"""Told how many cases are done, of how many."""


class Past(Struct, frozen=True, kw_only=True):
    """A case as it was known when it came in, what routing decided then, and who led first."""

    id: UUID
    number: str
    received_at: datetime
    item: str
    item_version: int
    severity: Severity
    source: str
    cell: str | None
    place: str
    words: str
    attributes: dict[str, Any]
    sender: UUID | None
    complained_about: tuple[UUID, ...] = ()
    unsorted: bool = False
    rule: str | None
    lead: UUID | None
    first_lead: UUID | None


class Moved(Struct, frozen=True, kw_only=True):
    """A case that would go elsewhere; None is the desk. `first_lead`: who led first, whoever chose."""

    case: UUID
    number: str
    item: str
    received_at: datetime
    then: UUID | None
    then_rule: str | None
    now: UUID | None
    now_rule: str | None
    first_lead: UUID | None
    why: tuple[str, str]


class Flow(Struct, frozen=True):
    """One field of the matrix: so many cases went to `then` and would go to `now`; None is the desk."""

    then: UUID | None
    now: UUID | None
    cases: int


class BackTest(Struct, frozen=True, kw_only=True):
    """What a draft would change. `named` cases went where their source said, then and now."""

    cases: int
    same: int
    moved: int
    named: int
    matrix: tuple[Flow, ...]
    list: tuple[Moved, ...]
    rules: dict[str, int]
    """Rule → how many cases it would decide; 0 for one that decides none."""
    since: datetime | None
    until: datetime | None


def compare(
    past: Sequence[Past],
    rules: RuleSet,
    catalogue: Catalogue,
    directory: Directory,
    calendar: Calendar,
    progress: Progress | None = None,
) -> BackTest:
    """Route every case again as of its intake, among the organisations of today, and compare."""
    flows: Counter[tuple[UUID | None, UUID | None]] = Counter()
    used: Counter[str] = Counter({each.rule.id: 0 for each in rules})
    moved: list[Moved] = []
    named = 0
    for n, (case, decision) in enumerate(_decided(past, rules, catalogue, directory, calendar), 1):
        then = None if case.lead is None else _today(case.lead, directory)
        now = then if decision is None else decision.lead
        named += decision is None
        if decision is not None:
            used[decision.rule or "desk"] += 1
        flows[then, now] += 1
        if then != now and decision is not None:
            moved.append(_moved(case, then, decision))
        if progress is not None and (n % STEP == 0 or n == len(past)):
            progress(n, len(past))
    times = [case.received_at for case in past]
    return BackTest(
        cases=len(past),
        same=len(past) - len(moved),
        moved=len(moved),
        named=named,
        matrix=tuple(Flow(*pair, cases) for pair, cases in flows.most_common()),
        list=tuple(moved),
        rules=dict(used),
        since=min(times, default=None),
        until=max(times, default=None),
    )


def _decided(
    past: Sequence[Past], rules: RuleSet, catalogue: Catalogue, directory: Directory, calendar: Calendar
) -> Iterator[tuple[Past, Decision | None]]:
    for case in past:
        if case.rule == "hint":
            yield case, None
        else:
            asked = routing_case(case, _entry(case, catalogue), directory)
            yield case, route(asked, rules, directory, case.received_at, calendar)


def _entry(case: Past, catalogue: Catalogue) -> Item | None:
    try:
        return catalogue.version(case.item, case.item_version)
    except KeyError:
        return catalogue.at(case.item, case.received_at)


def routing_case(case: Past, entry: Item | None, directory: Directory) -> RoutingCase:
    """Return a past case as routing saw it at its intake."""
    centre = directory.centre()
    return RoutingCase(
        item=case.item,
        entry=entry,
        source=case.source,
        severity=case.severity,
        area=case.cell or ("" if centre is None else centre.area),
        place=case.place,
        words=case.words,
        attributes=case.attributes,
        sender=case.sender,
        complained_about=frozenset(case.complained_about),
        unsorted=case.unsorted,
    )


def _today(organisation: UUID, directory: Directory) -> UUID:
    """Return who does its work today, so that a change of name is no change of routing."""
    now = directory.current(organisation)
    return organisation if now is None else now.id


def _moved(case: Past, then: UUID | None, decision: Decision) -> Moved:
    return Moved(
        case=case.id,
        number=case.number,
        item=case.item,
        received_at=case.received_at,
        then=then,
        then_rule=case.rule,
        now=decision.lead,
        now_rule=decision.rule,
        first_lead=case.first_lead,
        why=decision.reason,
    )


KIND_WORDS = {
    Kind.CENTRE: "区中心 district centre",
    Kind.TOWN_CENTRE: "镇街中心 town centres",
    Kind.STATION: "村社站 stations",
    Kind.FORCE_UNIT: "镇街力量 forces",
    Kind.TEAM: "班组 teams",
    Kind.SQUAD: "小分队 squads",
}


def group_of(organisation: UUID | None, directory: Directory) -> str:
    """Return what an organisation counts as in a matrix people can read: departments by name, others by kind."""
    if organisation is None:
        return "席位 desk"
    found = directory.get(organisation)
    if found is None:
        return "?"
    if found.kind is Kind.DEPARTMENT:
        return found.name
    return KIND_WORDS[found.kind] + (f" {found.force.value}" if found.force is not None else "")
