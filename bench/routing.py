"""Pure routing with the shipped rules and with 500, beside finding the town alone; a back-test of 10,000 cases."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from app.demo.district import organisations as demo_organisations
from app.demo.district import places
from bench.figure import Figure
from bench.platform import Context
from grid.organisations import Directory, Kind
from tasks.cases import catalogue_files, deadlines, rules_backtest, rules_files
from tasks.cases.catalogue import Catalogue
from tasks.cases.model import Severity
from tasks.cases.routing import RoutingCase, route
from tasks.cases.rules import Comparison, Rule
from tasks.cases.rules_backtest import Past
from tasks.cases.rules_compiled import RuleSet, compile_rules, rules_of

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
CASES = 20_000
TRIED = 10_000
WORDS = ("路灯不亮，晚上很黑", "楼下店铺音响很响，有人打架", "消防通道被堵住了，救护车进不来", "小区门口积水")
SOURCES = ("citizen", "12345", "110", "12315", "police_post", "desk")


async def run(context: Context) -> list[Figure]:
    """Cases a second, each at an hour of its own. Raises AssertionError when a case of a cell finds no lead."""
    made = places.build()
    directory = Directory(demo_organisations.build(made), NOW)
    catalogue = Catalogue(catalogue_files.shipped())
    random = Random(3)
    past = _cases(random, catalogue, [cell.code for cell in made.cells])
    cases = [rules_backtest.routing_case(one, catalogue.at(one.item, NOW), directory) for one in past]
    shipped = compile_rules(rules_of(rules_files.shipped()))
    many = compile_rules(_many(random, catalogue, sorted({cell.code[:9] for cell in made.cells})))
    bare = _bare(cases, directory)
    floor = "only finding the town"
    compared = time.perf_counter()
    tested = rules_backtest.compare(past[:TRIED], many, catalogue, directory, deadlines.national())
    took = time.perf_counter() - compared
    assert tested.cases == TRIED
    return [
        Figure(
            name=f"routing, the {len(shipped)} shipped rules",
            value=_rate(cases, past, shipped, directory),
            unit="cases/s",
            floor=bare,
            floor_name=floor,
        ),
        Figure(
            name=f"routing, {len(many)} rules",
            value=_rate(cases, past, many, directory),
            unit="cases/s",
            floor=bare,
            floor_name=floor,
        ),
        Figure(name=f"back-test of {TRIED:,} cases by {len(many)} rules", value=took, unit="s"),
    ]


def _rate(cases: Sequence[RoutingCase], past: Sequence[Past], rules: RuleSet, directory: Directory) -> float:
    calendar = deadlines.national()
    times = [one.received_at for one in past]
    for case, at in zip(cases, times, strict=True):  # which rules concern which kind of case is learnt once
        route(case, rules, directory, at, calendar)
    started = time.perf_counter()
    decisions = [route(case, rules, directory, at, calendar) for case, at in zip(cases, times, strict=True)]
    took = time.perf_counter() - started
    assert all(each.lead is not None for each in decisions)
    return len(cases) / took


def _bare(cases: Sequence[RoutingCase], directory: Directory) -> float:
    started = time.perf_counter()
    for case in cases:
        directory.find(Kind.TOWN_CENTRE, case.area)
    return len(cases) / (time.perf_counter() - started)


def _cases(random: Random, catalogue: Catalogue, cells: Sequence[str]) -> list[Past]:
    items = catalogue.present(NOW)
    return [_case(random, random.choice(items).code, random.choice(cells), n) for n in range(CASES)]


def _case(random: Random, item: str, cell: str, n: int) -> Past:
    return Past(
        id=UUID(int=random.getrandbits(128)),
        number=str(n),
        received_at=NOW + timedelta(minutes=random.randrange(60 * 24 * 30)),
        item=item,
        item_version=1,
        severity=random.choice(list(Severity)),
        source=random.choice(SOURCES),
        cell=cell,
        place="covered",
        words=random.choice(WORDS),
        attributes={"depth_cm": random.randrange(40), "people": random.randrange(20)},
        sender=None,
        rule=None,
        lead=None,
        first_lead=None,
    )


def _many(random: Random, catalogue: Catalogue, towns: Sequence[str]) -> list[Rule]:
    """The shipped rules, two bands of an attribute for each item, and further ones by town, source and word."""
    rules = list(rules_of(rules_files.shipped()))
    for item in catalogue.present(NOW):
        for n, (op, bound) in enumerate((("<", 10), (">=", 10))):
            band = (Comparison("people", op, bound), Comparison("depth_cm", ">", 30))
            rules.append(Rule(id=f"band-{item.code}-{n}", item=item.code, attributes=band, lead="town"))
    for n in range(500 - len(rules)):
        town, source = towns[n % len(towns)], SOURCES[n // len(towns) % len(SOURCES)]
        word = f"第{n // (len(towns) * len(SOURCES))}号"
        rules.append(Rule(id=f"local-{n}", area=town, source=source, keyword=word, priority=n, lead="town"))
    random.shuffle(rules)
    return rules
