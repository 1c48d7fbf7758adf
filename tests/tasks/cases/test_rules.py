"""Sets of routing rules: what is refused when saved, what may stand side by side, and what holds for every set."""

import tomllib
from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.cases import deadlines, rules_checks, rules_files
from tasks.cases.model import Severity
from tasks.cases.routing import RoutingCase, route
from tasks.cases.rules import Comparison, Moment, OwnLimits, Rule, RuleError, Window, moment
from tasks.cases.rules_compiled import Facts, compile_rules, first_failing, read_rules, rules_of
from tasks.cases.rules_proof import disjoint, satisfiable
from tests.tasks.cases import stage

CALENDAR = deadlines.national()
ITEMS = {"E0504": ("城市管理", "街面秩序"), "E0505": ("城市管理", "街面秩序"), "H008": ("生态环境", "群众诉求")}
SOURCES = ("citizen", "12345")
AREAS = (stage.CELL, "330109003001002", "330109004001001")
DEPTHS: tuple[Any, ...] = (None, -1, 0, 0.5, 1, 1.5, 2, 3, True, False, "0", "1", "10", "")
HOURS = (0, 5, 6, 12, 21, 22, 23)
WORDS = ("", "水", "火", "水火")

comparisons = st.builds(
    Comparison,
    attribute=st.sampled_from(["depth", "kind"]),
    op=st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    value=st.sampled_from([0, 1, 2, "0", "1"]),
) | st.builds(Comparison, attribute=st.just("depth"), op=st.sampled_from(["=", "!="]), value=st.booleans())
windows = st.builds(
    Window,
    since=st.sampled_from([time(0), time(6), time(22)]),
    until=st.sampled_from([time(0), time(6), time(22), time(23)]),
    holiday=st.sampled_from([None, True, False]),
).filter(lambda w: w.since != w.until or w.holiday is not None)
what = st.fixed_dictionaries({"item": st.sampled_from([*ITEMS])}) | st.fixed_dictionaries(
    {"category": st.sampled_from([(), ("城市管理",), ("城市管理", "街面秩序"), ("生态环境",)])}
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """A rule whose conditions come from small worlds, so that two of them meet often."""
    return Rule(
        id=draw(st.uuids()).hex,
        lead=draw(st.sampled_from(["town", "station", "squad", "force:police"])),
        priority=draw(st.integers(0, 1)),
        source=draw(st.sampled_from([None, None, *SOURCES])),
        area=draw(st.sampled_from([None, None, "330109", "330109003", "330109004", stage.CELL])),
        severity=draw(st.sampled_from([None, None, *Severity])),
        attributes=tuple(draw(st.lists(comparisons, max_size=2))),
        window=draw(st.none() | windows),
        keyword=draw(st.sampled_from([None, None, "水", "火", "水|火"])),
        **dict[str, Any](draw(what)),
    )


def routing_case(**changes: Any) -> RoutingCase:
    plain: dict[str, Any] = {"item": "E0504", "area": stage.CELL, "place": "covered", "source": "citizen"} | changes
    return RoutingCase(entry=stage.CATALOGUE.at(plain["item"], stage.NOW), **plain)


cases = st.builds(
    routing_case,
    item=st.sampled_from([*ITEMS]),
    source=st.sampled_from(SOURCES),
    area=st.sampled_from(AREAS),
    severity=st.sampled_from(list(Severity)),
    words=st.sampled_from(WORDS),
    attributes=st.fixed_dictionaries({}, optional={n: st.sampled_from(DEPTHS[1:]) for n in ("depth", "kind")}),
)
moments = st.integers(0, 17 * 24 * 60).map(lambda n: datetime(2026, 9, 25, tzinfo=UTC) + timedelta(minutes=n))


def holding(rule: Rule, case: RoutingCase, at: datetime) -> bool:
    """Whether a rule holds, asked of it alone."""
    return route(case, compile_rules([rule]), stage.DIRECTORY, at, CALENDAR).rule == rule.id


def taken(several: list[Rule]) -> list[Rule]:
    """As many of the rules, in order, as can stand side by side."""
    kept: list[Rule] = []
    for rule in several:
        try:
            compile_rules([*kept, rule])
        except RuleError:
            continue
        kept.append(rule)
    return kept


@settings(max_examples=150, deadline=None)
@given(st.lists(rules(), min_size=1, max_size=8), cases, moments)
def test_the_rule_chosen_is_never_less_specific_than_another_that_holds(
    several: list[Rule], case: RoutingCase, at: datetime
):
    together = taken(several)
    chosen = route(case, compile_rules(together), stage.DIRECTORY, at, CALENDAR).rule
    hold = [rule for rule in together if holding(rule, case, at)]
    best = max(hold, key=lambda rule: (rule.specificity, rule.priority), default=None)
    assert chosen == (f"item:{case.item}" if best is None else best.id)


LEAST: tuple[dict[str, Any], ...] = (
    {"item": "E0504"},
    {"category": ("城市管理", "街面秩序")},
    {"category": ("城市管理",)},
    {"area": stage.CELL},
    {"area": stage.TOWN},
    {"source": "citizen"},
    {"severity": Severity.ROUTINE},
    {"attributes": (Comparison("depth", ">", 1), Comparison("depth", "<", 9))},
    {"attributes": (Comparison("depth", ">", 1),)},
    {"window": Window(since=time(0), until=time(23))},
    {"keyword": "水"},
    {"priority": 1000},
)
"""Conditions from the heaviest to the lightest: each outweighs all that stand after it together."""


@pytest.mark.parametrize("heavier", range(len(LEAST) - 1))
def test_item_category_area_source_severity_attributes_window_and_keyword_count_in_that_order(heavier: int):
    others: dict[str, Any] = {}
    for lighter in reversed(LEAST[heavier + 1 :]):
        others |= {name: value for name, value in lighter.items() if name not in LEAST[heavier]} | {"priority": 1000}
    one, several = Rule(id="one", lead="town", **LEAST[heavier]), Rule(id="several", lead="station", **others)
    case = routing_case(words="水", attributes={"depth": 5})
    for rule in (one, several):
        assert holding(rule, case, stage.NOW)
    assert route(case, compile_rules([several, one]), stage.DIRECTORY, stage.NOW, CALENDAR).rule == "one"


def test_deeper_categories_areas_and_more_attributes_are_more_specific_and_priority_decides_the_rest():
    case = routing_case(words="水", attributes={"depth": 5})
    for deep, flat in ((1, 2), (3, 4), (7, 8)):
        a, b = Rule(id="deep", lead="town", **LEAST[deep]), Rule(id="flat", lead="station", **LEAST[flat], priority=9)
        assert route(case, compile_rules([b, a]), stage.DIRECTORY, stage.NOW, CALENDAR).rule == "deep"
    low, high = Rule(id="low", lead="town", keyword="水"), Rule(id="high", lead="town", keyword="水", priority=1)
    assert route(case, compile_rules([low, high]), stage.DIRECTORY, stage.NOW, CALENDAR).rule == "high"


@settings(max_examples=80, deadline=None)
@given(st.lists(rules(), min_size=2, max_size=6), cases, moments, st.randoms())
def test_the_order_of_the_file_does_not_matter(several: list[Rule], case: RoutingCase, at: datetime, random: Any):
    together = taken(several)
    shuffled = random.sample(together, len(together))
    one, other = (route(case, compile_rules(each), stage.DIRECTORY, at, CALENDAR) for each in (together, shuffled))
    assert one == other


def worlds(a: Rule, b: Rule) -> list[Facts]:
    """Every case of the small worlds: whatever two rules can meet on, they meet on here."""
    items = [code for code in ITEMS if code in (a.item or code, b.item or code)]
    named = {c.attribute for c in (*a.attributes, *b.attributes)}
    values = product(*(DEPTHS if name in named else (None,) for name in ("depth", "kind")))
    hours = HOURS if a.window or b.window else (12,)
    offs = (True, False) if a.window or b.window else (False,)
    clocks = [Moment(time(hour), off) for hour, off in product(hours, offs)]
    return [
        Facts(
            item=item, category=ITEMS[item], source=source, area=area, severity=severity, words="水火", moment=clock,
            attributes={n: v for n, v in zip(("depth", "kind"), pair, strict=True) if v is not None},
        )
        for item, source, area, severity, clock, pair in product(items, SOURCES, AREAS, Severity, clocks, [*values])
    ]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(rules(), rules())
def test_two_rules_are_refused_exactly_when_they_tie_and_some_case_meets_both(a: Rule, b: Rule):
    if not (satisfiable(a.attributes) and satisfiable(b.attributes)):
        return  # one of them contradicts itself: refused for that
    tie = (a.specificity, a.priority) == (b.specificity, b.priority)
    meet = not disjoint(a, b)
    both = [next(iter(compile_rules([each]))) for each in (a, b)]
    if tie:
        assert meet == any(
            all(first_failing([*((b.test, b.look) for b in c.bound), *c.free], facts) is None for c in both)
            for facts in worlds(a, b)
        )
    assert refused(a, b) == ({a.id, b.id} if tie and meet else set[str]())


def refused(*several: Rule) -> set[str]:
    """The rules named when they are refused as a set; nobody when they are not."""
    try:
        compile_rules(several)
    except RuleError as error:
        return set(error.faults[0].rules)
    return set()


def depth(op: str, value: Any) -> dict[str, Any]:
    return {"attributes": (Comparison("depth", op, value),)}


NIGHT, DAY = Window(since=time(22), until=time(6)), Window(since=time(6), until=time(22))


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ({"window": NIGHT}, {"window": DAY}, True),
        ({"window": NIGHT}, {"window": Window(since=time(5), until=time(7))}, False),
        ({"window": Window(holiday=True)}, {"window": Window(holiday=False)}, True),
        ({"window": Window(holiday=True)}, {"window": NIGHT}, False),
        ({"window": Window(since=time(23, 59), until=time(0))}, {"window": NIGHT}, False),
        (depth(">", 15), depth("<=", 15), True),
        (depth(">=", 15), depth("<=", 15), False),
        (depth("=", 5), depth(">", 5), True),
        (depth("=", 5), depth("!=", 5), True),
        (depth("=", 5), depth("=", "5"), True),
        (depth("=", True), depth("=", 1), True),
        (depth("!=", 5), depth("!=", 6), False),
        (depth(">", "a"), depth("<", "b"), False),
        ({"keyword": "水"}, {"keyword": "火"}, False),
        ({"category": ("城市管理",)}, {"category": ("生态环境",)}, True),
    ],
)
def test_what_cannot_hold_at_once_is_seen(first: dict[str, Any], second: dict[str, Any], apart: bool):
    a, b = Rule(id="a", lead="town", **first), Rule(id="b", lead="station", **second)
    assert disjoint(a, b) is disjoint(b, a) is apart


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "item:E0504"}, "id"),
        ({"item": ""}, "item"),
        ({"category": ("",)}, "category"),
        ({"area": "33010"}, "area"),
        ({"area": "甲镇"}, "area"),
        ({"keyword": "水|"}, "keyword"),
        ({"window": Window()}, "window"),
        ({"attributes": (Comparison("depth", "~", 1),)}, "attributes[0].op"),
        ({"attributes": (Comparison("depth", "<", True),)}, "attributes[0].op"),
        ({"attributes": (Comparison("depth", "<", float("nan")),)}, "attributes[0].value"),
        ({"attributes": (Comparison("d", ">", 5), Comparison("d", "<", 4))}, "attributes"),
        ({"lead": "department"}, "lead"),
        ({"lead": "item_department:x"}, "lead"),
        ({"assistants": ("town", "force:navy")}, "assistants[1]"),
        ({"limits": OwnLimits(handle="soon")}, "limits.handle"),
        ({"limits": OwnLimits(handle="2 work_hour")}, "limits.handle"),  # it could hold for an urgent case
        ({"limits": OwnLimits(total="1 calendar_day"), "severity": Severity.CRITICAL}, "limits.total"),
    ],
)
def test_a_rule_that_cannot_compile_is_refused_with_its_field(wrong: dict[str, Any], field: str):
    plain: dict[str, Any] = {"id": "a", "lead": "town"}
    with pytest.raises(RuleError) as caught:
        compile_rules([Rule(**(plain | wrong))])
    fault = caught.value.faults[0]
    assert fault.field == field
    assert all(fault.why)


def test_a_rule_for_routine_cases_may_set_working_time():
    assert compile_rules([Rule(id="a", lead="town", severity=Severity.ROUTINE, limits=OwnLimits(handle="2 work_day"))])


@pytest.mark.parametrize(
    "document",
    [
        {"rules": []},
        {"rule": [{"id": "a"}]},
        {"rule": [{"id": "a", "lead": "town", "itme": "E0504"}]},
        {"rule": [{"id": "a", "lead": "town", "severity": "huge"}]},
    ],
)
def test_what_is_not_understood_is_refused_and_not_skipped(document: dict[str, Any]):
    with pytest.raises(RuleError):
        read_rules(document)


def test_rules_that_speak_of_what_there_is_not_are_named():
    wrong = [
        Rule(id="a", lead="town", item="X1"),
        Rule(id="b", lead="town", category=("城市管理", "没有")),
        Rule(id="c", lead="department:没有的局 | town", area="330110001"),
        Rule(id="d", lead="organisation:019a0000-0000-7000-8000-00000000ffff"),
    ]
    items = stage.CATALOGUE.present(stage.NOW)
    found = rules_checks.unknown(wrong, items, stage.DIRECTORY, stage.DISTRICT)
    assert [(f.rules, f.field) for f in found] == [
        (("a",), "item"), (("b",), "category"), (("c",), "area"), (("c",), "lead"), (("d",), "lead"),
    ]  # fmt: skip
    assert rules_checks.errors_of(found)[0].field == "rules[0].item"


def test_the_shipped_rules_compile_and_name_items_there_are():
    shipped = rules_of(rules_files.shipped())
    assert len(compile_rules(shipped)) >= 36
    found = rules_checks.unknown(shipped, stage.CATALOGUE.present(stage.NOW), stage.DIRECTORY, stage.DISTRICT)
    assert {fault.field for fault in found} <= {
        "lead",
        "assistants[0]",
        "assistants[1]",
    }  # the stage has two departments


def test_by_the_shipped_rules_every_item_finds_a_lead_by_day_and_night_whatever_its_severity():
    shipped = read_rules(rules_files.shipped())
    for item, hour, severity in product(stage.CATALOGUE.present(stage.NOW), (2, 15), Severity):
        case = routing_case(item=item.code, severity=severity, sender=stage.STATION)
        assert route(case, shipped, stage.DIRECTORY, stage.NOW + timedelta(hours=hour), CALENDAR).lead, item.name


@settings(max_examples=100, deadline=None)
@given(st.lists(rules(), max_size=4))
def test_rules_written_as_toml_or_stored_read_back_the_same(several: list[Rule]):
    document = rules_files.document_of(several)
    assert rules_of(document | {"rule": document["rule"]}) == tuple(several)
    if several:
        assert rules_of(tomllib.loads(rules_files.toml_of(several))) == tuple(several)


def test_limits_and_odd_texts_survive_toml():
    rule = Rule(id='a"b\\', name="行\n二", lead="town", limits=OwnLimits(handle="30 minute"))
    assert rules_of(tomllib.loads(rules_files.toml_of([rule]))) == (rule,)


def test_days_off_follow_the_calendar_of_the_state():
    holiday = Window(holiday=True)
    for day, off in (("2026-10-01", True), ("2026-10-10", False), ("2026-11-22", True), ("2026-11-23", False)):
        at = datetime.fromisoformat(f"{day}T10:00:00+08:00")
        assert holiday.holds(moment(at, CALENDAR)) is off, day
