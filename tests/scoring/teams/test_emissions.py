"""What each fact brought adds up to the score, to the last place."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from scoring.teams import emissions, engine
from scoring.teams.engine import Adjustment
from scoring.teams.fact import Fact
from tests.scoring.teams.making import OCTOBER, example_facts, example_scheme, facts, invariant, made

SCHEME = example_scheme()
ZERO = Decimal(0)


def check(own: list[Fact], adjustments: list[Adjustment]) -> None:
    tallies = engine.tally(own, SCHEME, OCTOBER)
    evaluation = engine.judge(tallies, SCHEME, OCTOBER, adjustments)
    rows = emissions.emissions(tallies, evaluation.subjects, SCHEME)
    for score in evaluation.subjects:
        mine = [row for row in rows if row.subject == score.subject]
        shared = sum((sum(row.points, row.baseline + row.cap) for row in mine), ZERO)
        if score.total is not None:
            assert shared + sum((a.points for a in score.adjustments), ZERO) == score.total
    assert all(len(row.points) == len(row.counted) for row in rows)


@invariant
@given(facts(), st.decimals("-5", "5", places=4))
def test_emissions_baselines_caps_and_adjustments_are_the_total_exactly(own: list[Fact], points: Decimal):
    check(own, [Adjustment("team-01", "appeal", points)])


def test_the_example_adds_up():
    check(example_facts(), [])


@invariant
@given(st.decimals("-100", "100", places=4), st.integers(1, 60))
def test_shares_differ_by_one_unit_at_most_and_the_first_get_the_rest(total: Decimal, parts: int):
    shares = emissions.share(total, parts)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= engine.UNIT
    assert list(shares) == sorted(shares, key=abs, reverse=True)


def test_full_points_for_never_reworked_stand_on_the_baseline():
    own = [made("case", "c", done_at=made("case", "x").occurred_at, attributes={"reworks": 0})]
    tallies = engine.tally(own, SCHEME, OCTOBER)
    rows = emissions.emissions(tallies, engine.judge(tallies, SCHEME, OCTOBER).subjects, SCHEME)
    rework = next(row for row in rows if row.code == "REWORK")
    assert (rework.counted, rework.points) == ((), ())
    assert rework.baseline > 0


def test_the_cap_of_a_point_rule_is_a_part_of_its_own():
    own = [made("supervision", f"s{n}", attributes={"case": f"c{n}"}) for n in range(5)]
    tallies = engine.tally(own, SCHEME, OCTOBER)
    rows = emissions.emissions(tallies, engine.judge(tallies, SCHEME, OCTOBER).subjects, SCHEME)
    assert [str(p) for p in rows[0].points] == ["-0.5000"] * 5
    assert str(rows[0].cap) == "1.0000"
