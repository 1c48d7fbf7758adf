"""From readings to episodes: one state machine for live evaluation, simulation and back-test (specification §2).

Time is whole ticks (any unit, see `rules.compile_rule`), so every comparison is exact. `TABLE` is the machine; what it
does not list changes nothing.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from tasks.sensing.rules import Thresholds


class Phase(StrEnum):
    """Where the alert of one (rule, subject) stands."""

    OK = "OK"
    PENDING = "PENDING"
    FIRING = "FIRING"
    CLEARING = "CLEARING"
    CLOSED = "CLOSED"


class State(Struct, frozen=True, kw_only=True):
    """All the machine remembers. `last` is the time of the reading before; `since` and `n` belong to the phase.

    `episode` numbers the episodes of this subject from 1 (0 before the first); `closed_at` is when it last closed.
    """

    phase: Phase = Phase.OK
    since: int = 0
    n: int = 0
    last: int | None = None
    episode: int = 0
    flaps: int = 0
    closed_at: int | None = None
    peak: float | None = None


class Transition(NamedTuple):
    """A change of phase at a reading. `episode` is None before FIRING; `resumed`: an earlier episode goes on."""

    at: int
    source: Phase
    target: Phase
    episode: int | None
    value: float
    flaps: int = 0
    resumed: bool = False


class _Run:
    """The state while readings pass through it; lives inside `advance` only."""

    __slots__ = (
        "closed_at",
        "episode",
        "flaps",
        "gap",
        "n",
        "peak",
        "phase",
        "resumed",
        "rule",
        "since",
    )

    def __init__(self, state: State, rule: Thresholds) -> None:
        self.phase, self.since, self.n = state.phase, state.since, state.n
        self.episode, self.flaps, self.closed_at, self.peak = (
            state.episode,
            state.flaps,
            state.closed_at,
            state.peak,
        )
        self.rule = rule
        self.gap: float = 0
        self.resumed = False

    def state(self, last: int | None) -> State:
        """Return what is to be remembered, the last reading having come at `last`."""
        return State(
            phase=self.phase,
            since=self.since,
            n=self.n,
            last=last,
            episode=self.episode,
            flaps=self.flaps,
            closed_at=self.closed_at,
            peak=self.peak,
        )


def _begin(run: _Run, t: int) -> Phase:
    """A raise in OK or CLOSED."""
    run.since, run.n = t, 1
    return _fire(run, t) if run.rule.hold_for == 0 else Phase.PENDING


def _persist(run: _Run, t: int) -> Phase:
    """A raise in PENDING."""
    if run.gap > run.rule.max_gap:
        run.since, run.n = t, 1
        return Phase.PENDING
    run.n += 1
    if t - run.since >= run.rule.hold_for and run.n >= run.rule.min_samples:
        return _fire(run, t)
    return Phase.PENDING


def _fire(run: _Run, t: int) -> Phase:
    run.resumed = run.closed_at is not None and t - run.closed_at <= run.rule.reopen_window
    if not run.resumed:
        run.episode += 1
        run.flaps, run.peak = 0, None
    return Phase.FIRING


def _drop(run: _Run, t: int) -> Phase:
    """Hold or clear in PENDING."""
    return Phase.OK


def _subside(run: _Run, t: int) -> Phase:
    """A clear in FIRING."""
    run.since = t
    return _close(run, t) if run.rule.clear_for == 0 else Phase.CLEARING


def _settle(run: _Run, t: int) -> Phase:
    """A clear in CLEARING."""
    if run.gap > run.rule.max_gap:
        run.since = t
        return Phase.CLEARING
    return _close(run, t) if t - run.since >= run.rule.clear_for else Phase.CLEARING


def _close(run: _Run, t: int) -> Phase:
    run.closed_at = t
    return Phase.CLOSED


def _flap(run: _Run, t: int) -> Phase:
    """A raise in CLEARING."""
    run.flaps += 1
    return Phase.FIRING


def _stay(run: _Run, t: int) -> Phase:
    """A raise in FIRING: no change, but the peak may move."""
    return Phase.FIRING


def _hold(run: _Run, t: int) -> Phase:
    """A hold in CLEARING: not over yet, and not a flap."""
    return Phase.FIRING


Act = Callable[[_Run, int], Phase]


class Row(NamedTuple):
    """What a phase does at a reading that raises (above `on`), holds, or clears (at or below `off`)."""

    raises: Act | None
    holds: Act | None
    clears: Act | None


TABLE: Final[dict[Phase, Row]] = {
    Phase.OK: Row(_begin, None, None),
    Phase.PENDING: Row(_persist, _drop, _drop),
    Phase.FIRING: Row(_stay, None, _subside),
    Phase.CLEARING: Row(_flap, _hold, _settle),
    Phase.CLOSED: Row(_begin, None, None),  # as OK: that CLOSED becomes OK is not reported
}

_ACTIVE = (Phase.FIRING, Phase.CLEARING)


def advance(
    state: State,
    rule: Thresholds,
    readings: Iterable[tuple[int, float]],
    until: Phase | None = None,
) -> tuple[State, list[Transition], int]:
    """Feed readings (time in ticks, value) in rising order of time; return the state after, transitions, how many fed.

    With `until` it stops after the first transition into that phase. ValueError when time does not rise.
    """
    run, fed, last = _Run(state, rule), 0, state.last
    transitions: list[Transition] = []
    (raises, holds, clears), on, off = TABLE[run.phase], rule.on, rule.off
    for t, value in readings:
        if last is not None and t <= last:
            raise ValueError(f"readings out of order: {t} after {last}")
        fed += 1
        act = raises if value > on else clears if value <= off else holds
        if act is not None:
            run.gap = 0 if last is None else t - last
            moved = _act(run, act, t, value)
            raises, holds, clears = TABLE[run.phase]
            if moved is not None:
                transitions.append(moved)
                if moved.target is until:
                    last = t
                    break
        elif run.phase is Phase.CLOSED:
            run.phase = Phase.OK
        last = t
    return run.state(last), transitions, fed


def _act(run: _Run, act: Act, t: int, value: float) -> Transition | None:
    """Let one reading act; return the transition if the phase changed."""
    source, run.phase = run.phase, act(run, t)
    if run.phase in _ACTIVE and (run.peak is None or value > run.peak):
        run.peak = value
    return None if source is run.phase else _report(run, t, source, run.phase, value)


def _report(run: _Run, t: int, source: Phase, target: Phase, value: float) -> Transition:
    numbered = target in (Phase.FIRING, Phase.CLEARING, Phase.CLOSED)
    resumed = target is Phase.FIRING and source is not Phase.CLEARING and run.resumed
    return Transition(t, source, target, run.episode if numbered else None, value, run.flaps, resumed)


def reset_pending(state: State) -> State:
    """Return the state after its rule was edited: what was pending starts anew, what fires goes on."""
    return msgspec.structs.replace(state, phase=Phase.OK, n=0) if state.phase is Phase.PENDING else state
