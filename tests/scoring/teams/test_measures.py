"""Each measure counts what its description says: a table a clerk can read."""

import csv
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from scoring.teams import measures
from scoring.teams.measures import MEASURES
from scoring.teams.period import parse
from tests.scoring.teams.making import at, made

ROWS = list(csv.DictReader((Path(__file__).parents[1] / "data" / "measures.csv").read_text().splitlines()))
OCTOBER = parse("2026-10").window(ZoneInfo("Asia/Shanghai"))


def hours(text: str):
    return at(float(text)) if text else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['measure']}: {row['case']}")
def test_a_measure_counts_what_it_says(row: dict[str, str]):
    fact = made(
        row["kind"],
        "f",
        occurred_at=hours(row["occurred"]),
        due_at=hours(row["due"]),
        done_at=hours(row["done"]),
        attributes=msgspec.json.decode(row["attributes"] or "{}"),
    )
    measure = MEASURES[row["measure"]]
    population = measures.in_population(fact, measure, OCTOBER)
    counted = population and measures.is_counted(fact, measure, OCTOBER)
    assert (population, counted) == (row["in denominator"] == "yes", row["in numerator"] == "yes")


def test_every_measure_has_rows_that_count_and_rows_that_do_not():
    told = {(row["measure"], row["in numerator"]) for row in ROWS}
    assert told >= {(code, "yes") for code in MEASURES} | {(code, "no") for code in MEASURES}


def test_every_measure_says_what_it_means_in_both_languages_and_where_it_comes_from():
    for measure in MEASURES.values():
        assert all((*measure.name, *measure.meaning, measure.source))
        assert measure.beside is None or measure.beside in MEASURES


def test_the_registry_hash_is_that_of_its_content():
    assert measures.registry_hash() == measures.registry_hash()
    assert len(measures.registry_hash()) == 64


def test_the_reference_lists_every_measure_with_its_predicates():
    table = measures.reference()
    assert all(f"| `{code}` |" in table for code in MEASURES)
    assert "| `case` | due | `deferred is not true` | `done_at ≤ due_at` |" in table
