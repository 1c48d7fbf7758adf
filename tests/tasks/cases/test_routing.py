"""Where cases go and why: rules from the table of a clerk, the selectors, and what must hold for every set of rules."""

import tomllib
from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from grid.organisations import Directory
from tasks.cases import deadlines
from tasks.cases.model import Severity
from tasks.cases.routing import Decision, RoutingCase, route
from tasks.cases.rules import OwnLimits, Rule, RuleError
from tasks.cases.rules_compiled import NO_RULES, compile_rules, read_rules
from tests.tasks.cases import stage

TABLE = tomllib.loads((Path(__file__).parent / "tables" / "routing.toml").read_text(encoding="utf-8"))
RULES = read_rules(TABLE)
NAMES = {"town": stage.TOWN_CENTRE, "transport": stage.TRANSPORT, "police": stage.POLICE, "squad": stage.SQUAD}
NAMES |= {"enforcement": stage.ENFORCEMENT, "station": stage.STATION, "market": stage.MARKET}
CALENDAR = deadlines.national()


def routing_case(**changes: Any) -> RoutingCase:
    given: dict[str, Any] = {"item": "E0504", "area": stage.CELL, "place": "covered", "source": "citizen", **changes}
    return RoutingCase(entry=stage.CATALOGUE.at(given["item"], stage.NOW), **given)


def decide(
    case: RoutingCase, rules: Any = RULES, at: datetime = stage.NOW, directory: Directory = stage.DIRECTORY
) -> Decision:
    return route(case, rules, directory, at, CALENDAR)


@pytest.mark.parametrize("row", TABLE["case"], ids=lambda row: row["name"])
def test_a_case_goes_where_the_table_says(row: dict[str, Any]):
    given = row.get("given", {})
    if "severity" in given:
        given = given | {"severity": Severity(given["severity"])}
    at = datetime.fromisoformat(row["at"]) if "at" in row else stage.NOW
    decision = decide(routing_case(**given), at=at)
    assert decision.lead == (NAMES[row["lead"]] if row["lead"] else None)
    assert decision.rule == row.get("rule")
    assert {NAMES[name] for name in row.get("assistants", [])} == set(decision.assistants)
    assert all(decision.reason)


def test_the_explanation_lists_each_rule_looked_at_with_its_reason_in_both_languages():
    decision = decide(routing_case())
    assert [look.rule for look in decision.explanation.looked_at][-1] == decision.rule
    assert all(zh and en for zh, en in (look.why for look in decision.explanation.looked_at))
    assert [look.matched for look in decision.explanation.looked_at] == [False] * (
        len(decision.explanation.looked_at) - 1
    ) + [True]


def test_the_order_in_which_rules_are_written_does_not_matter():
    rules = [compiled.rule for compiled in RULES][:4]
    for order in permutations(rules):
        assert [c.rule.id for c in compile_rules(order)] == [c.rule.id for c in compile_rules(rules)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"item": "E0504"}, {"item": "E0504"}),
        ({"area": "330109003", "priority": 3}, {"area": "330109003", "priority": 3}),
        ({"keyword": "水"}, {"keyword": "火"}),  # a text can hold both
    ],
)
def test_two_rules_that_could_tie_are_refused_naming_both(first: dict[str, Any], second: dict[str, Any]):
    with pytest.raises(RuleError, match="a, b"):
        compile_rules([Rule(id="a", lead="town", **first), Rule(id="b", lead="station", **second)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"item": "E0504"}, {"item": "E0101"}),
        ({"item": "E0504"}, {"item": "E0504", "priority": 1}),
        ({"area": "330109003"}, {"area": "330109004"}),
        ({"item": "E0504"}, {"source": "desk"}),
        ({"severity": Severity.URGENT}, {"severity": Severity.CRITICAL}),
    ],
)
def test_rules_that_cannot_tie_are_taken(first: dict[str, Any], second: dict[str, Any]):
    assert compile_rules([Rule(id="a", lead="town", **first), Rule(id="b", lead="station", **second)])


@pytest.mark.parametrize("lead", ["", "nobody", "department", "town:x", "force:navy", "organisation:1", "town |"])
def test_a_selector_that_is_not_understood_is_refused_when_saved(lead: str):
    with pytest.raises(RuleError):
        compile_rules([Rule(id="a", lead=lead)])


def test_an_organisation_that_ended_hands_over_to_its_successor():
    ended = [
        replace(each, ended_at=stage.NOW, successor=stage.MARKET) if each.id == stage.TRANSPORT else each
        for each in stage.ORGANISATIONS
    ]
    rule = Rule(id="a", lead=f"organisation:{stage.TRANSPORT}")
    decision = decide(routing_case(), compile_rules([rule]), directory=Directory(ended, stage.NOW))
    assert decision.lead == stage.MARKET


@pytest.mark.parametrize(
    ("lead", "ended", "heir"),
    [
        ("department:交通运输局 | town", stage.TRANSPORT, stage.MARKET),
        ("force:enforcement | town", stage.ENFORCEMENT, stage.POLICE),
        ("town", stage.TOWN_CENTRE, stage.OTHER_TOWN),
        ("station | town", stage.STATION, stage.TEAM),
        ("squad | town", stage.SQUAD, stage.TEAM),
    ],
)
def test_a_selector_that_names_what_was_renamed_or_ended_points_to_its_successor(lead: str, ended: UUID, heir: UUID):
    organisations = [
        replace(each, ended_at=stage.NOW, successor=heir) if each.id == ended else each for each in stage.ORGANISATIONS
    ]
    rules, directory = compile_rules([Rule(id="a", lead=lead)]), Directory(organisations, stage.NOW)
    assert decide(routing_case(), rules, directory=directory).lead == heir


def test_who_is_complained_about_is_left_out_and_the_reason_says_so():
    decision = decide(routing_case(complained_about=frozenset({stage.ENFORCEMENT})), rules=NO_RULES)
    assert decision.lead == stage.TOWN_CENTRE
    assert "left out" in decision.reason[1]


@pytest.mark.parametrize("place", ["none", "outside", "between"])
def test_without_a_cell_the_desk_gets_the_case_with_the_reason(place: str):
    decision = decide(routing_case(place=place, area=stage.DISTRICT))
    assert (decision.lead, decision.desk) == (None, stage.CENTRE)
    assert decision.reason[0]


def test_an_item_the_catalogue_does_not_know_goes_to_the_desk():
    assert decide(routing_case(item="XXX")).lead is None


def test_every_shipped_item_finds_a_lead_at_a_covered_place():
    for item in stage.CATALOGUE.present(stage.NOW):
        assert decide(routing_case(item=item.code, sender=stage.STATION)).lead is not None, item.name


@pytest.mark.parametrize(
    ("case", "desk"),
    [
        ({"source": "12315", "item": "G001"}, stage.TOWN_CENTRE),  # the rule's department does not exist
        ({"source": "12315", "item": "G001", "desk": stage.OTHER_TOWN}, stage.OTHER_TOWN),  # as the channel said
        ({"source": "12315", "item": "G001", "complained_about": frozenset({stage.TOWN_CENTRE})}, stage.CENTRE),
        ({"place": "outside", "area": stage.DISTRICT}, stage.CENTRE),
        ({"place": "between", "area": stage.TOWN}, stage.TOWN_CENTRE),  # in a town, but in which cell?
    ],
)
def test_what_cannot_be_decided_goes_to_the_desk_of_the_right_level(case: dict[str, Any], desk: UUID):
    decision = decide(routing_case(**case))
    assert (decision.lead, decision.desk) == (None, desk)
    assert all(decision.reason)


def test_a_rule_sets_limits_and_the_items_own_department_assists():
    rule = Rule(id="a", lead="force:police", assistants=("item_department",), limits=OwnLimits(sign="5 minute"))
    decision = decide(routing_case(item="E0406"), compile_rules([rule]))
    assert (decision.limits, decision.assistants) == ({"sign": "5 minute"}, (stage.TRANSPORT,))
    assert decide(routing_case(), compile_rules([rule])).assistants == ()  # this item names no department


def test_rules_for_other_cases_are_counted_or_named_when_asked_for():
    rules = compile_rules([Rule(id=n, item=n, lead="town") for n in ("H008", "E0406")] + [Rule(id="z", lead="town")])
    brief = route(routing_case(), rules, stage.DIRECTORY, stage.NOW, CALENDAR)
    assert [look.rule for look in brief.explanation.looked_at] == ["z"]
    assert brief.explanation.passed_over == (("2 条规则针对其他事项", "2 rules for other items"),)
    full = route(routing_case(), rules, stage.DIRECTORY, stage.NOW, CALENDAR, every=True)
    assert [look.rule for look in full.explanation.looked_at] == ["E0406", "H008", "z"]
    assert full.explanation.looked_at[0].why == ("事项不是 E0406", "the item is not E0406")


def test_who_is_left_out_is_said_by_name_for_lead_and_assistants():
    rule = Rule(id="a", lead="force:enforcement | town", assistants=("force:police",))
    shunned = frozenset({stage.ENFORCEMENT, stage.POLICE})
    decision = decide(routing_case(complained_about=shunned), compile_rules([rule]))
    assert (decision.lead, decision.assistants) == (stage.TOWN_CENTRE, ())
    assert [zh for zh, _ in decision.explanation.left_out] == [
        "甲镇执法中队（演示）被投诉，回避", "甲镇派出所（演示）被投诉，回避",
    ]  # fmt: skip
