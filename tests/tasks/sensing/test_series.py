"""A sheet of readings through a draft rule: what is read, what is refused, and a real river."""

import json
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.cli import main
from app.kernel.problem import Invalid
from tasks.sensing.rules import Rule
from tasks.sensing.series import Sample, read, simulate

RIVER = Path(__file__).parent / "data" / "logan_river_stage_2019-05.csv"
WORKED = "on = 10\noff = 8\nfor = 30\nclear_for = 40\nmax_gap = 25\n"
PAIRS = "0:5 10:11 20:12 30:12 40:12 50:9 60:8 70:8 80:11 90:7 100:7 110:7 120:7 130:7 140:7"
SHEET = "at,value\n" + PAIRS.replace(":", ",").replace(" ", "\n")


def zjw(tmp_path: Path, rule: str, sheet: str, *options: str) -> tuple[int, str]:
    (tmp_path / "rule.toml").write_text(rule)
    (tmp_path / "series.csv").write_text(sheet)
    files = ["--rule", str(tmp_path / "rule.toml"), "--series", str(tmp_path / "series.csv")]
    result = CliRunner().invoke(main, ["sensing", "simulate", *files, *options])
    return result.exit_code, result.output


def test_the_worked_example_from_the_command_line(tmp_path: Path):
    code, output = zjw(tmp_path, WORKED, SHEET, "--json")
    assert code == 0
    assert json.loads(output) == [
        {"at": "10", "from": "OK", "to": "PENDING", "episode": None, "value": 11},
        {"at": "40", "from": "PENDING", "to": "FIRING", "episode": 1, "value": 12},
        {"at": "60", "from": "FIRING", "to": "CLEARING", "episode": 1, "value": 8},
        {"at": "80", "from": "CLEARING", "to": "FIRING", "episode": 1, "value": 11},
        {"at": "90", "from": "FIRING", "to": "CLEARING", "episode": 1, "value": 7},
        {"at": "130", "from": "CLEARING", "to": "CLOSED", "episode": 1, "value": 7},
    ]


def test_people_get_a_table(tmp_path: Path):
    code, output = zjw(tmp_path, WORKED, SHEET)
    assert code == 0
    assert "6 transitions" in output


@pytest.mark.parametrize(
    ("rule", "sheet", "named"),
    [
        ("on = 'x'\nfor = -1", SHEET, ["rule.toml", "on:", "off:", "for:"]),
        (
            WORKED,
            "at,value\n1,x\ny,2\nz,nan",
            ["line 2: value", "line 3: at", "line 4: at", "line 4: value"],
        ),
        (WORKED, "time,level\n1,2", ["header.at", "header.value"]),
        (WORKED, "", ["header.at", "header.value"]),
        (WORKED, "at,value\n2019-01-01T00:00Z,1\n2019-01-01 00:15,2", ["line 3: at", "offset"]),
        (WORKED, f"at,value\n1e40,1\n0.{'1' * 13},1", ["line 2: at", "line 3: at"]),
        ("on = ", SHEET, ["rule.toml", "TOML"]),
    ],
)
def test_bad_input_is_named_completely(tmp_path: Path, rule: str, sheet: str, named: list[str]):
    code, output = zjw(tmp_path, rule, sheet, "--json")
    assert code == 1
    assert [part for part in named if part not in output] == []


def test_rows_are_sorted_and_of_equal_times_the_first_counts():
    rule = Rule(on=10, off=8)
    assert simulate(rule, read("at,value\n20,5\n10.0,11\n10,5\n\n")) == simulate(rule, read("at,value\n10.0,11\n20,5"))


def test_equal_instants_of_different_offsets_are_one():
    sheet = "value,at\n11,2026-11-23T10:00+08:00\n5,2026-11-23T02:00Z\n"
    steps = simulate(Rule(on=10, off=8), read(sheet))
    assert [(step.at, step.target) for step in steps] == [("2026-11-23T10:00+08:00", "FIRING")]


def test_seconds_are_exact_however_fine_they_are():
    # 0.7 − 0.4 is less than 0.3 in binary floating point
    steps = simulate(Rule(on=10, off=8, hold_for=0.3), read("at,value\n0.4,11\n0.7,11\n"))
    assert [(step.at, step.target) for step in steps] == [("0.4", "PENDING"), ("0.7", "FIRING")]
    finer = simulate(Rule(on=10, off=8, hold_for=3e-7), read("at,value\n0,11\n0.00000029,11\n0.0000003,11"))
    assert [step.at for step in finer] == ["0", "0.0000003"]


samples = st.lists(
    st.builds(lambda t, v: Sample(str(t), Decimal(t), v), st.integers(0, 300), st.sampled_from([5.0, 9.0, 11.0])),
    max_size=40,
    unique_by=lambda sample: sample.seconds,
)


@given(samples, st.randoms(use_true_random=False))
def test_a_shuffled_sheet_comes_out_as_the_sorted_one(rows: list[Sample], random: Random):
    rule = Rule(on=10, off=8, hold_for=20, clear_for=30, max_gap=25, reopen_window=60)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert simulate(rule, shuffled) == simulate(rule, sorted(rows, key=lambda sample: sample.seconds))


def test_the_logan_river_floods_once_and_a_sensor_out_of_the_water_ends_it_early():
    rule = Rule(on=95, off=90, hold_for=1800, clear_for=7200, max_gap=1800)
    raw = simulate(rule, read(RIVER.read_text()))
    assert [(step.at, step.target, step.episode) for step in raw if step.source != "CLEARING"][:4] == [
        ("2019-05-13 08:45", "PENDING", None),  # one reading of 103.3, a splash: never fires
        ("2019-05-13 09:00", "OK", None),
        ("2019-05-14 01:15", "PENDING", None),
        ("2019-05-14 01:45", "FIRING", 1),
    ]
    assert (raw[-1].at, raw[-1].target) == ("2019-05-30 15:45", "CLOSED")
    assert raw[-2].value == 9.99  # out of the water


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    result = CliRunner().invoke(main, ["sensing", "simulate", "--rule", "no.toml", "--series", "no.csv"])
    assert result.exit_code == 2
    assert "no.toml" in result.output


def test_a_frame_from_the_command_line():
    good = CliRunner().invoke(main, ["jt808", "decode", "7e 0002 0000 0138 0000 0000 0001 3a 7e", "--json"])
    assert json.loads(good.output)["message"] == "heartbeat"
    bad = CliRunner().invoke(main, ["jt808", "decode", "7e0002000001380000000000013b7e", "--json"])
    assert bad.exit_code == 1
    assert "checksum" in bad.output


def test_an_empty_value_is_refused_not_taken_for_zero():
    with pytest.raises(Invalid):
        read("at,value\n1,\n")
