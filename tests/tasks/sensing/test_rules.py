"""Rules: read from TOML and JSON, refused with every bad field."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.problem import Invalid, Unreadable
from tasks.sensing.rules import (
    TO_PUBLISH,
    Rule,
    compile_rule,
    document,
    loads,
    parse,
    ticks,
)

WATER = """
on = 10
off = 8
for = 0
min_samples = 1
clear_for = 600
max_gap = 900.5
reopen_window = 1800
"""


def test_toml_and_json_say_the_same():
    json = '{"on": 10, "off": 8, "for": 0, "min_samples": 1, "clear_for": 600, "max_gap": 900.5, "reopen_window": 1800}'
    assert loads(WATER) == loads(json) == Rule(on=10, off=8, clear_for=600, max_gap=900.5, reopen_window=1800)


def test_thresholds_alone_are_a_rule_that_fires_and_clears_at_once():
    assert loads("on = 10\noff = 8") == Rule(on=10.0, off=8.0, hold_for=0, min_samples=1, clear_for=0, max_gap=None)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", ["on", "off"]),
        ("on = 'high'\noff = 8", ["on"]),
        ("on = true\noff = 8", ["on"]),
        ("on = nan\noff = inf", ["on", "off"]),
        ("on = 8\noff = 10", ["off"]),
        (
            "on = 10\noff = 8\nfor = -1\nclear_for = '5m'\nmax_gap = 1e12",
            ["for", "clear_for", "max_gap"],
        ),
        ("on = 10\noff = 8\nmin_samples = 0", ["min_samples"]),
        ("on = 10\noff = 8\nmin_samples = 1.5", ["min_samples"]),
        ("on = 10\noff = 8\nhold_for = 3\nthreshold = 1", ["hold_for", "threshold"]),
        ("on = 10\noff = 8\nseverity = 'huge'\nchannel = ''", ["severity", "channel"]),
        (f"on = 1{'0' * 400}\noff = 8", ["on"]),
    ],
)
def test_every_bad_field_is_listed(text: str, fields: list[str]):
    with pytest.raises(Invalid) as refusal:
        loads(text)
    assert [error.field for error in refusal.value.errors] == fields
    assert all(all(error.message) for error in refusal.value.errors)


@pytest.mark.parametrize("text", ["on = ", "{", '{"on": 1,}', "[1]\non"])
def test_what_is_neither_toml_nor_json_is_unreadable(text: str):
    with pytest.raises(Unreadable):
        loads(text)


def test_a_rule_for_a_district_needs_its_name_kind_channel_and_item():
    with pytest.raises(Invalid) as refusal:
        parse({"on": 1, "off": 1}, ("on", "off", *TO_PUBLISH))
    assert [error.field for error in refusal.value.errors] == [
        "name",
        "kind",
        "channel",
        "item",
    ]


@given(st.floats(0, 1e6, allow_nan=False).map(lambda s: round(s, 3)))
def test_durations_become_whole_ticks(seconds: float):
    assert ticks(seconds, 1000) == round(seconds * 1000)


def test_an_absent_gap_is_unlimited():
    assert compile_rule(Rule(on=1, off=1)).max_gap == math.inf


@given(
    st.builds(
        Rule,
        on=st.floats(5, 9),
        off=st.floats(0, 5),
        max_gap=st.one_of(st.none(), st.integers(0, 99)),
    )
)
def test_a_rule_is_stored_and_read_back_the_same(rule: Rule):
    stored = {key: value for key, value in document(rule).items() if value is not None}
    assert parse(stored) == rule
