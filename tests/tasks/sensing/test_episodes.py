"""The state machine of episodes: every row of its table, the worked example, and what holds for any series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sensing.episodes import Phase, State, Transition, advance, reset_pending
from tasks.sensing.rules import Rule, compile_rule

OK, PENDING, FIRING, CLEARING, CLOSED = (
    Phase.OK,
    Phase.PENDING,
    Phase.FIRING,
    Phase.CLEARING,
    Phase.CLOSED,
)
WORKED = Rule(on=10, off=8, hold_for=30, clear_for=40, max_gap=25)
RAISE, HOLD, CLEAR = 11.0, 9.0, 8.0


def ticks(*pairs: str) -> list[tuple[int, float]]:
    """Read `t:v` in seconds; one tick is one second in these tests."""
    return [(int(t), float(v)) for t, v in (pair.split(":") for pair in " ".join(pairs).split())]


def run(rule: Rule, *pairs: str) -> tuple[State, list[Transition]]:
    after, transitions, _ = advance(State(), compile_rule(rule, per_second=1), ticks(*pairs))
    return after, transitions


def told(transitions: list[Transition]) -> list[str]:
    return [f"{t.at} {t.source}→{t.target} {t.episode or '-'}" for t in transitions]


def test_the_worked_example_of_the_specification():
    series = "0:5 10:11 20:12 30:12 40:12 50:9 60:8 70:8 80:11 90:7 100:7 110:7 120:7 130:7 140:7 150:7"
    after, transitions = run(WORKED, series)
    assert told(transitions) == [
        "10 OK→PENDING -",
        "40 PENDING→FIRING 1",
        "60 FIRING→CLEARING 1",
        "80 CLEARING→FIRING 1",
        "90 FIRING→CLEARING 1",
        "130 CLEARING→CLOSED 1",
    ]
    assert (after.phase, after.flaps, after.peak, after.episode) == (OK, 1, 12.0, 1)


@pytest.mark.parametrize(
    ("change", "series", "expected"),
    [
        # OK
        ({"hold_for": 0}, "0:11", ["0 OK→FIRING 1"]),
        ({"hold_for": 0, "min_samples": 5}, "0:11", ["0 OK→FIRING 1"]),
        ({}, "0:11", ["0 OK→PENDING -"]),
        ({}, "0:10 10:9 20:5", []),
        # PENDING
        ({}, "0:11 15:11 30:11", ["0 OK→PENDING -", "30 PENDING→FIRING 1"]),
        (
            {"min_samples": 4},
            "0:11 15:11 30:11 40:11",
            ["0 OK→PENDING -", "40 PENDING→FIRING 1"],
        ),
        ({}, "0:11 25:11 50:11", ["0 OK→PENDING -", "50 PENDING→FIRING 1"]),
        ({}, "0:11 26:11 40:11 55:11 60:11", ["0 OK→PENDING -", "60 PENDING→FIRING 1"]),
        (
            {"max_gap": None},
            "0:11 9999:11",
            ["0 OK→PENDING -", "9999 PENDING→FIRING 1"],
        ),
        ({}, "0:11 10:9", ["0 OK→PENDING -", "10 PENDING→OK -"]),
        ({}, "0:11 10:8", ["0 OK→PENDING -", "10 PENDING→OK -"]),
        # FIRING
        (
            {"hold_for": 0, "clear_for": 0},
            "0:11 10:8",
            ["0 OK→FIRING 1", "10 FIRING→CLOSED 1"],
        ),
        ({"hold_for": 0}, "0:11 10:8", ["0 OK→FIRING 1", "10 FIRING→CLEARING 1"]),
        ({"hold_for": 0}, "0:11 10:9 20:11 9999:9", ["0 OK→FIRING 1"]),
        # CLEARING
        (
            {"hold_for": 0},
            "0:11 10:8 20:11",
            ["0 OK→FIRING 1", "10 FIRING→CLEARING 1", "20 CLEARING→FIRING 1"],
        ),
        (
            {"hold_for": 0},
            "0:11 10:8 20:9",
            ["0 OK→FIRING 1", "10 FIRING→CLEARING 1", "20 CLEARING→FIRING 1"],
        ),
        (
            {"hold_for": 0},
            "0:11 10:8 36:8 56:8 66:8 76:8",  # the gap of 26 starts the clearing anew at 36
            ["0 OK→FIRING 1", "10 FIRING→CLEARING 1", "76 CLEARING→CLOSED 1"],
        ),
        (
            {"hold_for": 0},
            "0:11 10:8 30:8 49:8 50:8",
            ["0 OK→FIRING 1", "10 FIRING→CLEARING 1", "50 CLEARING→CLOSED 1"],
        ),
        # CLOSED takes the next reading as OK does
        (
            {"hold_for": 0, "clear_for": 0},
            "0:11 10:8 20:11",
            ["0 OK→FIRING 1", "10 FIRING→CLOSED 1", "20 CLOSED→FIRING 2"],
        ),
        (
            {"clear_for": 0},
            "0:11 15:11 30:11 40:8 50:11 60:9",
            [
                "0 OK→PENDING -",
                "30 PENDING→FIRING 1",
                "40 FIRING→CLOSED 1",
                "50 CLOSED→PENDING -",
                "60 PENDING→OK -",
            ],
        ),
        (
            {"hold_for": 0, "clear_for": 0},
            "0:11 10:8 20:8 30:11",
            ["0 OK→FIRING 1", "10 FIRING→CLOSED 1", "30 OK→FIRING 2"],
        ),
        # an episode goes on when t(FIRING) − t(CLOSED) ≤ reopen_window
        (
            {"hold_for": 0, "clear_for": 0, "reopen_window": 20},
            "0:11 10:8 30:11 40:8 61:11",
            [
                "0 OK→FIRING 1",
                "10 FIRING→CLOSED 1",
                "30 CLOSED→FIRING 1",
                "40 FIRING→CLOSED 1",
                "61 CLOSED→FIRING 2",
            ],
        ),
    ],
)
def test_each_row_of_the_table(change: dict[str, float], series: str, expected: list[str]):
    rule = Rule(**{"on": 10, "off": 8, "hold_for": 30, "clear_for": 40, "max_gap": 25} | change)
    assert told(run(rule, series)[1]) == expected


def test_a_hold_while_clearing_is_not_a_flap_and_a_raise_is():
    rule = Rule(on=10, off=8, clear_for=40)
    assert run(rule, "0:11 10:8 20:9")[0].flaps == 0
    assert run(rule, "0:11 10:8 20:11 30:8 40:11")[0].flaps == 2


def test_flaps_and_peak_start_anew_with_an_episode_and_go_on_with_a_resumed_one():
    series = "0:50 10:8 20:11 30:8 100:8 150:12"
    anew, _ = run(Rule(on=10, off=8, clear_for=40), series)
    resumed, transitions = run(Rule(on=10, off=8, clear_for=40, reopen_window=60), series)
    assert (anew.episode, anew.flaps, anew.peak) == (2, 0, 12.0)
    assert (resumed.episode, resumed.flaps, resumed.peak) == (1, 1, 50.0)
    assert transitions[-1].resumed
    assert not transitions[0].resumed


def test_readings_must_come_in_rising_order_of_time():
    with pytest.raises(ValueError, match="out of order"):
        run(WORKED, "10:1 10:2")


def test_editing_a_rule_forgets_what_is_pending_and_leaves_what_fires():
    pending, _ = run(WORKED, "0:11")
    firing, _ = run(WORKED, "0:11 20:11 40:11")
    assert reset_pending(pending).phase is OK
    assert reset_pending(firing) == firing


def test_it_stops_where_it_is_asked_to():
    rule = compile_rule(Rule(on=10, off=8), per_second=1)
    after, transitions, fed = advance(State(), rule, ticks("0:11 10:8 20:11"), until=CLOSED)
    assert (after.phase, after.last, fed, len(transitions)) == (CLOSED, 10, 2, 2)


seconds = st.integers(0, 60)
rules = st.builds(
    Rule,
    on=st.just(10.0),
    off=st.sampled_from([8.0, 10.0]),
    hold_for=seconds,
    min_samples=st.integers(1, 4),
    clear_for=seconds,
    max_gap=st.one_of(st.none(), seconds),
    reopen_window=seconds,
)
values = st.sampled_from([5.0, 8.0, 9.0, 10.0, 11.0, 20.0])
serieses = st.dictionaries(st.integers(0, 1000), values, max_size=80).map(lambda d: sorted(d.items()))


@given(rules, serieses, st.data())
def test_readings_in_any_batches_come_out_as_in_one(rule: Rule, series: list[tuple[int, float]], data: st.DataObject):
    compiled = compile_rule(rule, per_second=1)
    whole, expected, _ = advance(State(), compiled, series)
    state, transitions = State(), []
    while series:
        size = data.draw(st.integers(1, len(series)))
        state, more, _ = advance(state, compiled, series[:size])
        transitions += more
        series = series[size:]
    assert (state, transitions) == (whole, expected)


@given(rules, serieses)
def test_transitions_form_a_chain_and_episodes_count_without_gaps(rule: Rule, series: list[tuple[int, float]]):
    state, transitions, _ = advance(State(), compile_rule(rule, per_second=1), series)
    phase, episode = OK, 0
    for step in transitions:
        assert step.source in ({phase, OK} if phase is CLOSED else {phase})
        assert step.source is not step.target
        if step.target in (OK, PENDING):
            assert step.episode is None
        else:
            assert step.episode in (
                episode,
                episode + (step.target is FIRING and step.source is not CLEARING),
            )
            episode = step.episode
        phase = step.target
    assert state.episode == episode


@given(rules, serieses)
def test_the_clock_may_be_shifted_and_scaled_without_changing_anything(rule: Rule, series: list[tuple[int, float]]):
    plain = advance(State(), compile_rule(rule, per_second=1), series)[1]
    moved = advance(State(), compile_rule(rule), [(t * 1_000_000 - 7, v) for t, v in series])[1]
    assert [(t.at * 1_000_000 - 7, t.source, t.target, t.episode) for t in plain] == [
        (t.at, t.source, t.target, t.episode) for t in moved
    ]


@given(rules, serieses)
def test_nothing_fires_without_a_raise_held_long_enough(rule: Rule, series: list[tuple[int, float]]):
    for step in advance(State(), compile_rule(rule, per_second=1), series)[1]:
        if step.target is FIRING and step.source is PENDING:
            held = [(t, v) for t, v in series if step.at - rule.hold_for <= t <= step.at]
            assert all(v > rule.on for _, v in held)
