"""What the database counts is what the pure engine counts."""

import csv
import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from scoring.teams import countstore, emissions, engine, measures, scheme
from scoring.teams.aggregation import Selection
from scoring.teams.fact import Fact
from scoring.teams.scheme import Scheme
from tests.scoring.teams.making import EXAMPLE, OCTOBER, at, example_facts, example_scheme, made, store_facts

EVER = datetime(2099, 1, 1, tzinfo=UTC)
ALL_MEASURES = EXAMPLE[: EXAMPLE.index("[[indicator]]")] + "".join(
    f'[[indicator]]\ncode = "I{n}"\nname = "{m}"\nmeasure = "{m}"\n'
    'direction = "up"\nfloor = 0\ntarget = 1\nweight = 1\n'
    f'[[points]]\ncode = "P{n}"\nname = "{m}"\nmeasure = "{m}"\nvalue = 1\ncap = 3\ndedupe = "{key}"\n'
    for n, (m, key) in enumerate(
        zip(sorted(measures.MEASURES), ["attributes.case", "person", "item", "fact", "town"] * 9, strict=False)
    )
)
"""A scheme in which every measure is an indicator and a point rule."""


def selection(rules: Scheme, watermark: datetime = EVER, **options: object) -> Selection:
    return Selection(window=OCTOBER.window(rules.zone()), watermark=watermark, **options)


def random_facts(seed: int, number: int = 400) -> list[Fact]:
    """Facts of every kind with every sort of attribute value, in several versions, some withdrawn."""
    chance = random.Random(seed)
    kinds = sorted({kind for m in measures.MEASURES.values() for kind in m.kinds})
    values = [True, False, None, 0, 1, 2, 1.5, "day", "night", "met", "agreed", "true", "", "1", {"a": 1}, [1]]
    names = ["deferred", "reworks", "founded", "answered", "satisfied", "planned", "kind", "outcome", "case"]
    facts: list[Fact] = []
    for n in range(number):
        occurred = chance.randrange(-100, 800)
        for version in range(1, chance.choice((1, 1, 1, 2, 3)) + 1):
            likely = {"planned": True, "kind": "night", "answered": True} if chance.random() < 0.3 else {}
            facts.append(
                made(
                    chance.choice(kinds),
                    f"f{n}" if n % 2 else f"F{n}",
                    team=chance.choice(("team-1", "team-2", "Team-3", "", None)),
                    version=version,
                    force=chance.choice(("grid", "grid", "police", None)),
                    town=chance.choice(("330109001", "330109002", None)),
                    person=chance.choice(("p1", "p2", None)),
                    item=chance.choice(("E1", None)),
                    occurred_at=at(occurred),
                    due_at=None if chance.random() < 0.2 else at(occurred + 40),
                    done_at=None if chance.random() < 0.2 else at(occurred + chance.randrange(80)),
                    attributes={k: chance.choice(values) for k in chance.sample(names, 5)} | likely,
                    recorded_at=at(occurred + 10 * version),
                    superseded_at=at(occurred + 60) if chance.random() < 0.1 else None,
                )
            )
    return facts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("watermark", [EVER, at(300)])
async def test_the_database_counts_what_the_engine_counts(district: str, seed: int, watermark: datetime):
    own, rules = random_facts(seed), scheme.read(ALL_MEASURES)
    await store_facts(own)
    struck = ["f1", "F2", "f3"]
    expected = engine.tally(own, rules, OCTOBER, watermark=watermark, overturned=struck)
    counted = await countstore.count(rules, selection(rules, watermark, struck=struck))
    assert counted.tallies == expected
    assert any(tally.counted for lines in expected.values() for tally in lines.values())


async def test_the_normative_example_comes_out_of_the_database_too(district: str):
    own, rules = example_facts(), example_scheme()
    await store_facts(own)
    counted = await countstore.count(rules, selection(rules))
    assert engine.judge(counted.tallies, rules, OCTOBER) == engine.evaluate(own, rules, OCTOBER)
    assert counted.towns["team-02"] == "330109002"


async def test_every_row_of_the_measures_table_is_counted_the_same_in_sql(district: str):
    rows = list(csv.DictReader((Path(__file__).parents[1] / "data" / "measures.csv").read_text().splitlines()))
    for number, row in enumerate(rows):
        own = made(
            row["kind"],
            f"f{number}",
            team=f"team-{number}",
            occurred_at=at(float(row["occurred"])),
            due_at=at(float(row["due"])) if row["due"] else None,
            done_at=at(float(row["done"])) if row["done"] else None,
            attributes=msgspec.json.decode(row["attributes"] or "{}"),
        )
        await store_facts([own])
    rules = scheme.read(ALL_MEASURES)
    counted = await countstore.count(rules, selection(rules))
    lines = {i.measure: i.code for i in rules.indicators}
    for number, row in enumerate(rows):
        tally = counted.tallies[f"team-{number}"].get(lines[row["measure"]], engine.Tally())
        told = (row["in denominator"] == "yes", row["in numerator"] == "yes")
        assert (bool(tally.population), bool(tally.counted)) == told, row


async def test_one_subject_is_counted_alone_as_among_all(district: str):
    own, rules = random_facts(7), scheme.read(ALL_MEASURES)
    await store_facts(own)
    everybody = await countstore.count(rules, selection(rules))
    alone = await countstore.count(rules, selection(rules, subjects=["team-1", "nobody"]))
    assert alone.tallies == {"team-1": everybody.tallies["team-1"]}
    assert alone.towns["team-1"] == everybody.towns["team-1"]


async def test_a_measure_shown_beside_is_counted_for_one_subject(district: str):
    own, rules = example_facts(), example_scheme()
    await store_facts(own)
    answered = measures.MEASURES["survey.answered"]
    surveys = [
        f
        for f in own
        if f.kind == "survey"
        and f.team == "team-02"
        and f.force == "grid"
        and f.occurred_at >= at(0)
        and f.occurred_at < at(31 * 24)
    ]
    newest = {f.fact_id: f for f in sorted(surveys, key=lambda f: f.version)}.values()
    expected = sum(f.attributes.get("answered") is True for f in newest), len(newest)
    assert await countstore.count_beside(rules, answered, "team-02", selection(rules)) == expected


def test_emission_rows_hold_as_many_points_as_facts_counted():
    own, rules = random_facts(1), scheme.read(ALL_MEASURES)
    tallies = engine.tally(own, rules, OCTOBER)
    for row in emissions.emissions(tallies, engine.judge(tallies, rules, OCTOBER).subjects, rules):
        assert len(row.points) == len(row.counted) <= len(row.population)
