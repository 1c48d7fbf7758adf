"""Places among peers and how sure a rate is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.teams.ranking import rank, wilson


@pytest.mark.parametrize(
    ("totals", "places"),
    [
        ({}, {}),
        ({"a": "90", "b": "90", "c": "80"}, {"a": 1, "b": 1, "c": 3}),
        ({"a": "70", "b": "90", "c": "80"}, {"a": 3, "b": 1, "c": 2}),
        ({"a": "90.0000", "b": "90"}, {"a": 1, "b": 1}),
    ],
)
def test_equal_totals_share_a_place_and_the_next_are_skipped(totals: dict[str, str], places: dict[str, int]):
    assert rank({subject: Decimal(total) for subject, total in totals.items()}) == places


def test_wilson_gives_the_published_interval():
    low, high = wilson(6, 32) or (0, 0)
    assert (round(low, 8), round(high, 8)) == (0.08889545, 0.35309155)


def test_a_month_of_one_person_says_little():
    low, high = wilson(26, 28) or (0, 0)
    assert (round(low, 2), round(high, 2)) == (0.77, 0.98)


def test_no_population_no_interval():
    assert wilson(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_stays_within_0_and_1(sample: tuple[int, int]):
    low, high = wilson(*sample) or (2, -1)
    assert 0 <= low <= sample[0] / sample[1] + 1e-12
    assert sample[0] / sample[1] - 1e-12 <= high <= 1
