"""One evaluation: what counts, what waits, what is late; and that the outcome depends on the order of arrival alone."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.sensing import arrival, series
from tasks.sensing.arrival import Counters
from tasks.sensing.devices import Channel, Incoming
from tasks.sensing.episodes import Phase, State
from tasks.sensing.evaluation import Outcome, Progress, Published, Subject, Told, evaluate, instant, tick
from tasks.sensing.quality import Quality, Reading, Standing, flag, standing
from tasks.sensing.rules import Rule

NOON = datetime(2026, 7, 1, 4, tzinfo=UTC)
DEVICE, CHANNEL, RULE, STATE = (UUID(int=n) for n in range(1, 5))
WATER = Channel(id=CHANNEL, device=DEVICE, name="level", unit="cm", low=0, high=400, spike=50)


def published(rule: Rule, version: int = 1) -> Published:
    return Published(id=UUID(int=100 + version), rule=RULE, version=version, definition=rule, published_at=NOON)


class Watch:
    """A channel and its readings in memory, with the counters and the queries of the real one."""

    def __init__(self, rule: Rule) -> None:
        self.version = published(rule)
        self.counters = Counters()
        self.readings: dict[datetime, Reading] = {}
        self.progress = Progress(
            id=STATE, rule=RULE, version=self.version.id, channel=CHANNEL, state=State(), read_seq=0
        )
        self.told: list[Told] = []

    def receive(self, records: list[tuple[float, float]], now: datetime) -> None:
        """Store (seconds after noon, value) pairs; a time that is taken is left out."""
        incoming = [
            Incoming(device="d", channel="level", at=NOON + timedelta(seconds=s), value=v)
            for s, v in dict(records).items()
        ]
        fresh = [record for record in incoming if record.at not in self.readings]
        stamped = arrival.stamp(WATER, self.counters, fresh, now)
        self.readings |= {reading.at: reading for reading in stamped}
        self.counters = arrival.after(self.counters, stamped, now)

    def evaluate(self, now: datetime, current: Published | None = None) -> Outcome:
        subject = Subject(
            channel=CHANNEL,
            device=DEVICE,
            name="level",
            unit="cm",
            last_seq=self.counters.last_seq,
            max_at=self.counters.max_at,
            last_received_at=self.counters.last_received_at,
        )
        cursor = self.progress.event_cursor
        unread = [
            r for r in self.readings.values() if r.seq > self.progress.read_seq or cursor is None or r.at > cursor
        ]
        Random(len(unread)).shuffle(unread)
        outcome = evaluate(self.progress, subject, unread, self.version, current or self.version, now)
        self.progress = outcome.progress
        self.told += outcome.told
        return outcome

    def phases(self) -> list[tuple[float, str]]:
        return [((instant(each.transition.at) - NOON).total_seconds(), each.transition.target) for each in self.told]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


UNDERPASS = Rule(on=10, off=8, clear_for=60, max_live_age=3600)


def test_a_reading_above_the_threshold_fires_at_once():
    watch = Watch(UNDERPASS)
    watch.receive([(0, 12.0)], at(1))
    watch.evaluate(at(2))
    assert watch.phases() == [(0, "FIRING")]


@pytest.mark.parametrize(
    ("seconds", "received", "value", "expected"),
    [
        (0, 1, 12, Standing.LIVE),
        (120, 0, 12, Standing.LIVE),
        (121, 0, 12, Standing.CLOCK_FUTURE),
        (0, 3600, 12, Standing.LIVE),
        (0, 3601, 12, Standing.BACKFILL),
        (-60, 1, 12, Standing.LATE),  # -30 came before
        (0, 1, 500, Standing.FAILED),  # out of the sensor's range
    ],
)
def test_what_a_reading_means(seconds: float, received: float, value: float, expected: Standing):
    watch = Watch(UNDERPASS)
    watch.receive([(-30, 5)], at(-29))
    watch.receive([(seconds, value)], at(received))
    assert standing(watch.readings[at(seconds)], UNDERPASS, at(-30)) is expected
    watch.evaluate(at(received))
    assert (watch.progress.state.phase is Phase.FIRING) == (expected is Standing.LIVE)


def test_late_and_old_readings_are_counted_once():
    watch = Watch(UNDERPASS)
    watch.receive([(0, 5)], at(0))
    watch.receive([(-10, 12), (-5000, 12)], at(1))
    watch.evaluate(at(1))
    watch.evaluate(at(2))
    assert (watch.progress.late, watch.progress.backfill, watch.phases()) == (1, 1, [])


def test_readings_wait_for_the_lateness_of_their_rule_and_are_due_after_as_much_silence():
    watch = Watch(Rule(on=10, off=8, allowed_lateness=30))
    watch.receive([(0, 12)], at(0))
    assert watch.evaluate(at(0)).told == []
    assert watch.progress.due_at == at(30)
    watch.evaluate(at(30))
    assert watch.phases() == [(0, "FIRING")]
    assert watch.progress.due_at is None


def test_silence_begins_and_ends_once_and_leaves_the_phase_alone():
    watch = Watch(Rule(on=10, off=8, silent_after=600))
    watch.receive([(0, 12)], at(0))
    assert watch.evaluate(at(0)).silence is None
    assert watch.progress.due_at == at(600)
    assert watch.evaluate(at(600)).silence is True
    assert watch.evaluate(at(700)).silence is None
    assert (watch.progress.state.phase, watch.progress.due_at) == (Phase.FIRING, None)
    watch.receive([(800, 12)], at(800))
    assert watch.evaluate(at(800)).silence is False


def test_what_fires_stays_under_its_rule_until_it_closes_and_what_is_pending_starts_anew():
    watch = Watch(Rule(on=10, off=8))
    watch.receive([(0, 12)], at(0))
    watch.evaluate(at(0))
    stricter = published(Rule(on=5, off=4), version=2)
    watch.receive([(1, 9), (2, 7), (3, 6)], at(3))  # 7 clears the old rule; 6 raises under the new one
    watch.evaluate(at(3), stricter)
    assert [(told.transition.target, told.version) for told in watch.told] == [
        (Phase.FIRING, watch.version.id),
        (Phase.CLOSED, watch.version.id),
        (Phase.FIRING, stricter.id),
    ]
    pending = Watch(Rule(on=10, off=8, hold_for=60))
    pending.receive([(0, 12)], at(0))
    pending.evaluate(at(0))
    pending.receive([(61, 12)], at(61))
    pending.evaluate(at(61), published(Rule(on=10, off=8, hold_for=60), version=2))
    assert pending.progress.state.phase is Phase.PENDING


@pytest.mark.parametrize(
    ("value", "before", "given", "expected"),
    [
        (12, 10, None, Quality.PASS),
        (12, None, 2, Quality.NOT_EVALUATED),
        (80, 10, None, Quality.SUSPECT),
        (401, 400, None, Quality.FAIL),
        (-1, 0, 3, Quality.FAIL),
        (80, 10, 1, Quality.SUSPECT),
        (12, 10, 9, Quality.MISSING),
    ],
)
def test_flags_take_the_worse_of_ours_and_the_senders(value: float, before: float, given: int, expected: Quality):
    assert flag(value, before, WATER, given) is expected


def test_a_jump_alone_never_vetoes_a_flood():
    watch = Watch(UNDERPASS)
    watch.receive([(0, 0.0)], at(0))
    watch.receive([(10, 300.0)], at(10))
    assert watch.readings[at(10)].quality == Quality.SUSPECT
    watch.evaluate(at(10))
    assert watch.phases() == [(10, "FIRING")]


@given(st.datetimes(timezones=st.just(UTC)))
def test_ticks_are_exact(when: datetime):
    assert instant(tick(when)) == when


rules = st.builds(
    Rule,
    on=st.just(10.0),
    off=st.just(8.0),
    hold_for=st.sampled_from([0, 20]),
    clear_for=st.sampled_from([0, 30]),
    max_gap=st.sampled_from([None, 25.0]),
    reopen_window=st.sampled_from([0, 60]),
    allowed_lateness=st.sampled_from([0, 40]),
    max_live_age=st.sampled_from([3600, 120]),
)
pairs = st.tuples(st.integers(0, 400), st.sampled_from([5.0, 9.0, 11.0]))
batches = st.lists(st.tuples(st.integers(0, 60), st.lists(pairs, min_size=1, max_size=6)), max_size=12)


@given(rules, batches, st.sets(st.integers(0, 11)))
def test_the_outcome_depends_on_arrival_not_on_when_it_is_evaluated(
    rule: Rule, arrivals: list[tuple[int, list[tuple[int, float]]]], moments: set[int]
):
    always, seldom = Watch(rule), Watch(rule)
    clock = 200
    for number, (pause, records) in enumerate(arrivals):
        clock += pause
        always.evaluate(at(clock))  # as the sweep does
        for watch in (always, seldom):
            watch.receive(list(records), at(clock))
        always.evaluate(at(clock))
        if number in moments:
            seldom.evaluate(at(clock))
    for watch in (always, seldom):
        watch.evaluate(at(clock + 1000))
    assert always.phases() == seldom.phases()
    assert msgspec.structs.replace(always.progress, due_at=None) == msgspec.structs.replace(
        seldom.progress, due_at=None
    )


@given(
    st.lists(pairs, max_size=30, unique_by=lambda pair: pair[0]).map(sorted),
    st.integers(0, 40),
    st.randoms(use_true_random=False),
)
def test_shuffled_within_the_allowed_lateness_comes_out_as_sorted_and_as_simulated(
    records: list[tuple[int, float]], displacement: int, random: Random
):
    rule = Rule(on=10, off=8, hold_for=20, clear_for=30, max_gap=25, reopen_window=60, allowed_lateness=41)
    shuffled = sorted(records, key=lambda pair: pair[0] + random.uniform(0, displacement))
    outcomes: list[list[tuple[float, str]]] = []
    for order in (records, shuffled):
        watch = Watch(rule)
        for number, pair in enumerate(order):
            watch.receive([pair], at(400 + number))  # a second apart: never silent for as long as the lateness
            watch.evaluate(at(400 + number))
        watch.evaluate(at(2000))
        outcomes.append(watch.phases())
    sheet = series.read("at,value\n" + "\n".join(f"{s},{v}" for s, v in records))
    outcomes.append([(float(step.at), step.target) for step in series.simulate(rule, sheet)])
    assert outcomes[0] == outcomes[1] == outcomes[2]
