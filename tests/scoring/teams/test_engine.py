"""The arithmetic of evaluation: the normative example, published figures and the invariants."""

import json
import random
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.teams import engine, scheme
from scoring.teams.engine import Adjustment, Evaluation, IndicatorLine, Score, Tally
from scoring.teams.fact import Fact
from tests.scoring.teams.making import DATA, EXAMPLE, OCTOBER, at, example_facts, example_scheme, facts, invariant, made

SCHEME = example_scheme()


def evaluated(own: list[Fact], **options: object) -> Evaluation:
    return engine.evaluate(own, SCHEME, OCTOBER, **options)


def score(evaluation: Evaluation, subject: str = "team-01") -> Score:
    return next(s for s in evaluation.subjects if s.subject == subject)


def line(evaluation: Evaluation, code: str, subject: str = "team-01") -> IndicatorLine:
    return next(i for i in score(evaluation, subject).indicators if i.code == code)


def total(evaluation: Evaluation, subject: str = "team-01") -> Decimal | None:
    return next((s.total for s in evaluation.subjects if s.subject == subject), None)


def test_the_normative_example_comes_out_to_the_letter():
    document = msgspec.to_builtins(engine.evaluate(example_facts(), example_scheme(), OCTOBER))
    assert json.dumps(document, ensure_ascii=False, indent=1) + "\n" == (DATA / "expected.json").read_text()


@pytest.mark.parametrize(
    ("counted", "population", "value"),
    [
        (911, 972, "0.9372"),  # Tianmen monthly bulletin: 93.72 %
        (737, 972, "0.7582"),  # Tianmen: 75.82 %
        (24165, 29186, "0.8280"),  # Lianyungang, June 2019: closed on time 82.8 %
        (25783, 29186, "0.8834"),  # Lianyungang: closed 88.34 %
    ],
)
def test_published_rates_come_out(counted: int, population: int, value: str):
    ids = tuple(str(n) for n in range(population))
    judged = engine.judge({"t": {"CLOSE_ONTIME": Tally(ids[:counted], ids)}}, SCHEME, OCTOBER)
    assert str(line(judged, "CLOSE_ONTIME", "t").value) == value


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("0.00005", "0.0001"),
        ("0.00004999999999999999999999", "0.0000"),
        ("-0.00005", "-0.0001"),
        ("2.00025", "2.0003"),
        ("0", "0.0000"),
    ],
)
def test_halves_are_rounded_away_from_zero(exact: str, rounded: str):
    assert str(engine.half_up(Fraction(exact))) == rounded


@invariant
@given(facts(), st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(own: list[Fact], chance: random.Random):
    shuffled = list(own)
    chance.shuffle(shuffled)
    assert engine.canonical(evaluated(shuffled)) == engine.canonical(evaluated(own))


@invariant
@given(facts())
def test_a_duplicate_fact_changes_nothing(own: list[Fact]):
    assert evaluated(own + own[:5]) == evaluated(own)


@invariant
@given(facts())
def test_one_more_closure_on_time_never_lowers_closure_on_time(own: list[Fact]):
    before = evaluated(own)
    after = evaluated([*own, made("case", "new", done_at=at(35), attributes={"reworks": 0})])
    if total(before) is not None and line(before, "CLOSE_ONTIME").value is not None:
        assert line(after, "CLOSE_ONTIME").value >= line(before, "CLOSE_ONTIME").value


@invariant
@given(facts())
def test_one_more_late_supervision_never_raises_the_total(own: list[Fact]):
    before = evaluated(own)
    if total(before) is not None:
        after = evaluated([*own, made("supervision", "new", attributes={"case": "c9"})])
        assert total(after) <= total(before)


@invariant
@given(facts())
def test_one_more_missed_report_never_raises_the_total(own: list[Fact]):
    with_missed = scheme.read(EXAMPLE.replace("supervision.late", "missed_report.found"))
    before = engine.evaluate(own, with_missed, OCTOBER)
    if total(before) is not None:
        after = engine.evaluate([*own, made("missed_report", "new")], with_missed, OCTOBER)
        assert total(after) <= total(before)


def test_nothing_to_count_is_no_data_and_never_0_or_100():
    evaluation = evaluated([made("survey", "s", attributes={"answered": True, "satisfied": True})])
    closing = line(evaluation, "CLOSE_ONTIME")
    assert (closing.numerator, closing.denominator, str(closing.weight)) == (0, 0, "0.0000")
    assert (closing.value, closing.normalised, closing.points) == (None, None, None)
    assert str(line(evaluation, "SATISFIED").weight) == "100.0000"


def test_a_team_without_any_indicator_data_has_neither_total_nor_grade_nor_rank():
    evaluation = evaluated([made("supervision", "late", "team-09"), made("case", "c", done_at=at(35))])
    empty = score(evaluation, "team-09")
    assert (empty.total, empty.grade, empty.rank) == (None, None, None)
    assert empty.point_rules[0].count == 1


@invariant
@given(facts(), st.integers(2, 9))
def test_scaling_all_weights_keeps_the_ranks_of_a_scheme_without_points(own: list[Fact], factor: int):
    plain = EXAMPLE[: EXAMPLE.index("[[points]]")]
    scaled = plain
    for weight in ("40", "30"):
        scaled = scaled.replace(f'weight = "{weight}"', f'weight = "{int(weight) * factor}"')
    before, after = (engine.evaluate(own, scheme.read(text), OCTOBER) for text in (plain, scaled))
    exact = {s.subject: s.total for s in before.subjects if s.total is not None}
    if len({int(t * 100) for t in exact.values()}) == len(exact):  # totals further apart than rounding can blur
        assert [(s.subject, s.rank) for s in before.subjects] == [(s.subject, s.rank) for s in after.subjects]


@invariant
@given(facts())
def test_adding_a_peer_leaves_other_totals_as_they_are(own: list[Fact]):
    after = evaluated([*own, made("case", "new", "team-99", done_at=at(35))])
    assert all(total(after, s.subject) == s.total for s in evaluated(own).subjects)


@invariant
@given(facts())
def test_equal_totals_share_a_rank_and_higher_totals_stand_before(own: list[Fact]):
    ranked = [s for s in evaluated(own).subjects if s.total is not None]
    for one in ranked:
        assert one.rank == 1 + sum(other.total > one.total for other in ranked)


@invariant
@given(facts())
def test_a_fact_recorded_after_the_watermark_changes_nothing(own: list[Fact]):
    watermark = at(400)
    seen = [fact for fact in own if fact.recorded_at <= watermark]
    assert evaluated(own, watermark=watermark) == evaluated(seen)


@invariant
@given(facts())
def test_moving_work_between_members_keeps_the_score_of_the_team(own: list[Fact]):
    moved = [msgspec.structs.replace(fact, person="p9") for fact in own]
    assert evaluated(moved) == evaluated(own)


@invariant
@given(facts(), st.sets(st.integers(0, 39).map(lambda n: f"f{n:03}"), max_size=5))
def test_an_overturned_fact_is_as_if_it_had_never_been(own: list[Fact], struck: set[str]):
    assert evaluated(own, overturned=struck) == evaluated([f for f in own if f.fact_id not in struck])


@invariant
@given(facts())
def test_no_numerator_exceeds_its_denominator(own: list[Fact]):
    for own_tallies in engine.tally(own, SCHEME, OCTOBER).values():
        for tally in own_tallies.values():
            assert set(tally.counted) <= set(tally.population)


@invariant
@given(facts())
def test_one_subject_at_a_time_gives_what_all_at_once_give(own: list[Fact]):
    batch = evaluated(own)
    single = [score(evaluated([f for f in own if f.team == s.subject]), s.subject) for s in batch.subjects]
    assert engine.ranked(single, SCHEME) == batch.subjects


def test_the_newest_version_counts_and_a_superseded_one_does_not():
    first = made("case", "c", done_at=at(35), attributes={"reworks": 1})
    second = msgspec.structs.replace(first, version=2, attributes={"reworks": 0}, recorded_at=at(60))
    withdrawn = msgspec.structs.replace(second, superseded_at=at(70))
    assert line(evaluated([second, first]), "REWORK").numerator == 0
    assert line(evaluated([second, first], watermark=at(55)), "REWORK").numerator == 1
    assert line(evaluated([withdrawn, first]), "REWORK").numerator == 1
    assert line(evaluated([withdrawn, first], watermark=at(65)), "REWORK").numerator == 0


def test_a_correction_that_moves_a_fact_takes_it_from_its_former_team():
    first = made("case", "c", "team-01", done_at=at(35))
    moved = msgspec.structs.replace(first, version=2, team="team-02")
    assert [s.subject for s in evaluated([first, moved]).subjects] == ["team-02"]


@pytest.mark.parametrize(("hours", "inside"), [(0, True), (-0.001, False), (31 * 24, False), (31 * 24 - 0.001, True)])
def test_the_month_begins_and_ends_at_midnight_of_the_schemes_zone(hours: float, inside: bool):
    evaluation = evaluated([made("case", "c", due_at=at(hours))])
    assert line(evaluation, "CLOSE_ONTIME").denominator == int(inside)


def test_other_forces_facts_do_not_count():
    evaluation = evaluated([made("case", "c", done_at=at(35)), made("case", "d", force="police")])
    assert line(evaluation, "CLOSE_ONTIME").denominator == 1


def late(case: str | None, name: str) -> Fact:
    return made("supervision", name, attributes={} if case is None else {"case": case})


@pytest.mark.parametrize(
    ("cases", "count", "points"),
    [
        (["c1", "c1"], 1, "-0.5000"),
        (["c1", "c2"], 2, "-1.0000"),
        (["c1", "c2", "c3", "c4", "c5"], 5, "-1.5000"),
        ([None, None], 2, "-1.0000"),
    ],
)
def test_point_rules_count_each_key_once_and_stop_at_the_cap(cases: list[str | None], count: int, points: str):
    evaluation = evaluated([late(case, f"s{n}") for n, case in enumerate(cases)])
    rule = score(evaluation).point_rules[0]
    assert (rule.count, str(rule.points)) == (count, points)


def test_two_teams_supervised_for_one_case_are_both_charged():
    two = [late("c1", "a"), msgspec.structs.replace(late("c1", "b"), team="team-02")]
    assert [s.point_rules[0].count for s in evaluated(two).subjects] == [1, 1]


def test_base_and_adjustments_are_lines_of_the_sum():
    based = scheme.read(EXAMPLE.replace('rounding = "half_up:4"', 'rounding = "half_up:4"\nbase = "5"'))
    own = [made("case", "c", done_at=at(35), attributes={"reworks": 0}), late("c1", "s")]
    result = score(engine.evaluate(own, based, OCTOBER, adjustments=[Adjustment("team-01", "a1", Decimal("1.25"))]))
    assert (str(result.base), str(result.adjustments[0].points)) == ("5.0000", "1.2500")
    assert str(result.total) == "105.7500"  # 5 + 100 (two indicators carry the weight of all) − 0.5 + 1.25


@pytest.mark.parametrize(("bottoms", "grade"), [(("90", "75", "0"), "C"), (("90", "75", "60"), "C")])
def test_a_total_below_every_band_takes_the_lowest(bottoms: tuple[str, ...], grade: str):
    head = EXAMPLE[: EXAMPLE.index("[[grade]]")]
    bands = "".join(f'[[grade]]\nname = "{n}"\nfrom = "{b}"\n' for n, b in zip("ABC", bottoms, strict=True))
    result = engine.evaluate([made("case", "c", done_at=at(90))], scheme.read(head + bands), OCTOBER)
    assert score(result).grade == grade


@pytest.mark.parametrize(("rule", "rank"), [("reweight", 1), ("not_ranked", None)])
def test_a_small_sample_is_reweighted_or_left_out_of_the_ranking(rule: str, rank: int | None):
    text = EXAMPLE.replace('on_missing = "reweight"', f'on_missing = "reweight"\nsmall_sample = "{rule}"')
    small = scheme.read(text.replace('weight = "40"', 'weight = "40"\nmin_denominator = 5'))
    evaluation = engine.evaluate([made("case", "c", done_at=at(35))], small, OCTOBER)
    assert line(evaluation, "CLOSE_ONTIME").denominator == 1
    assert line(evaluation, "CLOSE_ONTIME").points is None
    assert score(evaluation).rank == rank


def test_peer_groups_are_ranked_among_themselves():
    grouped = scheme.read(EXAMPLE + '[[peer_group]]\ncode = "far"\nname = "远郊"\nsubjects = ["team-02"]\n')
    own = [made("case", "a", "team-01", done_at=at(35)), made("case", "b", "team-02", done_at=at(90))]
    own.append(made("case", "c", "team-03", done_at=at(90)))
    ranks = {s.subject: (s.peer_group, s.rank) for s in engine.evaluate(own, grouped, OCTOBER).subjects}
    assert ranks == {"team-01": ("", 1), "team-03": ("", 2), "team-02": ("far", 1)}


def test_the_same_facts_give_the_same_bytes():
    first, again = (engine.canonical(evaluated(example_facts())) for _ in range(2))
    assert first == again
    assert b'"total":"89.4444"' in first


def test_goalposts_hold_whatever_the_others_do():
    alone = evaluated([made("case", "c", done_at=at(35) + timedelta(hours=n)) for n in (0,)])
    assert str(line(alone, "CLOSE_ONTIME").normalised) == "1.0000"
