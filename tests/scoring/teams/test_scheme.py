"""A scheme is read whole or refused with everything that is wrong with it."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from app.kernel.problem import Invalid
from scoring.teams import scheme
from scoring.teams.measures import MEASURES
from tests.scoring.teams.making import EXAMPLE

SHIPPED = sorted(Path(scheme.__file__).with_name("schemes").glob("*.toml"))


def wrong_fields(document: str) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        scheme.read(document)
    return sorted(error.field for error in refusal.value.errors)


def test_the_example_is_read_exactly():
    read = scheme.read(EXAMPLE)
    assert (read.code, read.force, read.level, read.length) == ("example-grid-monthly", "grid", "team", "month")
    assert read.indicators[0].floor == Fraction(7, 10)
    assert read.points[0].cap == Decimal("-1.5")
    assert [grade.name for grade in read.grades] == ["优", "良", "待提升"]
    assert len(read.sha256) == 64


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('force = "grid"', 'force = "fire"', "scheme.force"),
        ('force = "grid"', 'force = "any"', "scheme.force"),
        ('level = "team"', 'level = "person"', "scheme.level"),
        ('period = "month"', 'period = "fortnight"', "scheme.period"),
        ('"Asia/Shanghai"', '"Asia/Xiaoshan"', "scheme.timezone"),
        ('"2026-01-01"', '"2026-02-30"', "scheme.effective"),
        ('"half_up:4"', '"half_even:2"', "scheme.rounding"),
        ('"case.closed_on_time"', '"select 1"', "indicator[0].measure"),
        ('floor = "0.70"', 'floor = "0.99"', "indicator[0].target"),
        ('target = "0.02"', 'target = "0.20"', "indicator[1].target"),
        ('weight = "40"', 'weight = "0"', "indicator[0].weight"),
        ('weight = "40"', 'weight = "many"', "indicator[0].weight"),
        ('weight = "40"', 'wait = "40"', "indicator[0].wait"),
        ('cap = "-1.5"', 'cap = "1.5"', "points[0].cap"),
        ('value = "-0.5"', 'value = "-0.00005"', "points[0].value"),
        ('dedupe = "attributes.case"', 'dedupe = "attributes.case; drop"', "points[0].dedupe"),
        ('from = "75"', 'from = "90"', "grade.from"),
        ('code = "REWORK"', 'code = "CLOSE_ONTIME"', "indicator and points code"),
        ('code = "REWORK"', 'code = "返工"', "indicator[1].code"),
        ('on_missing = "reweight"', 'on_missing = "guess"', "scheme.on_missing"),
        ('name = "优"', 'name = ""', "grade[0].name"),
        ('name = "优"', 'name = "\\u0000"', "grade[0].name"),
        ('weight = "40"', 'weight = "1e9"', "indicator[0].weight"),
        ('weight = "40"', f"weight = 0x{'f' * 5000}", "indicator[0].weight"),
        ('weight = "40"', "weight = nan", "indicator[0].weight"),
        ('weight = "40"', "weight = true", "indicator[0].weight"),
        ('value = "-0.5"', 'value = "-1000.5"', "points[0].value"),
    ],
)
def test_a_bad_field_is_named(old: str, new: str, field: str):
    assert old in EXAMPLE
    assert field in wrong_fields(EXAMPLE.replace(old, new, 1))


def test_all_bad_fields_are_named_at_once():
    bad = EXAMPLE.replace('"grid"', '"fire"').replace('"0.98"', '"high"').replace('"-0.5"', "true")
    assert {"scheme.force", "indicator[0].target", "points[0].value"} <= set(wrong_fields(bad))


@pytest.mark.parametrize("document", ["[scheme", "x = " + "[" * 20_000, "x = " + "9" * 5000, "\x00"])
def test_what_is_not_toml_is_said_to_be_so(document: str):
    assert wrong_fields(document) == ["document"]


def test_an_empty_document_names_the_missing_sections():
    assert {"scheme", "indicator"} <= set(wrong_fields(""))


def test_numbers_may_be_toml_numbers_and_stay_exact():
    assert scheme.read(EXAMPLE.replace('"0.70"', "0.70")).indicators[0].floor == Fraction(7, 10)


def test_any_change_of_the_text_changes_the_digest():
    assert scheme.read(EXAMPLE + "\n").sha256 != scheme.read(EXAMPLE).sha256


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_schemes_are_sound(path: Path):
    read = scheme.read(path.read_text())
    assert read.code == path.stem
    assert sum(i.weight for i in read.indicators) == 100
    assert {line.measure for line in (*read.indicators, *read.points)} <= MEASURES.keys()


def test_every_force_has_a_monthly_scheme_for_its_teams():
    shipped = [scheme.read(path.read_text()) for path in SHIPPED]
    teams = {s.force for s in shipped if (s.level, s.length) == ("team", "month")}
    assert teams == {"grid", "enforcement", "police"}
