"""One evaluation as a decision: what is remembered and what was read go in, the next state and what to tell come out.

The result depends on the order of arrival alone, not on when or how often the evaluation ran: a worker may die at any
point and the next one comes to the same episodes.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from tasks.sensing import episodes
from tasks.sensing.episodes import Phase, State, Transition
from tasks.sensing.quality import Reading, Standing, standing, watermark
from tasks.sensing.rules import Rule, compile_rule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def tick(at: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (at - _EPOCH) // _TICK


def instant(at: int) -> datetime:
    """Return the instant of a tick."""
    return _EPOCH + at * _TICK


class Published(Struct, frozen=True, kw_only=True):
    """A published version of a rule."""

    id: UUID
    rule: UUID
    version: int
    definition: Rule
    published_at: datetime


class Progress(Struct, frozen=True, kw_only=True):
    """What is remembered of one (rule, subject): `read_seq` = fetched so far, `event_cursor` = evaluated so far."""

    id: UUID
    rule: UUID
    version: UUID
    channel: UUID
    state: State
    read_seq: int
    event_cursor: datetime | None = None
    alert: UUID | None = None
    no_data: bool = False
    due_at: datetime | None = None
    late: int = 0
    backfill: int = 0


class Subject(Struct, frozen=True, kw_only=True):
    """The channel under watch as it stands: its newest reading, when it was last heard of."""

    channel: UUID
    device: UUID
    name: str
    unit: str
    last_seq: int
    max_at: datetime | None
    last_received_at: datetime | None


class Told(NamedTuple):
    """A transition with the version of the rule it happened under."""

    transition: Transition
    version: UUID


class Outcome(Struct, frozen=True):
    """The state after, the transitions, and whether silence began (True), ended (False) or neither (None)."""

    progress: Progress
    told: list[Told]
    silence: bool | None


def evaluate(
    progress: Progress, subject: Subject, readings: Iterable[Reading], old: Published, current: Published, now: datetime
) -> Outcome:
    """Advance one (rule, subject) over readings that were not evaluated yet (any order).

    `old` is the version the state is under, `current` the one in force: what fires stays under the old until closed.
    """
    rule = _in_force(progress.state, old, current).definition
    sorted_out = _sort(progress, readings, rule)
    until = _later(sorted_out.passed, watermark(subject.max_at, subject.last_received_at, rule, now))
    due = [(tick(r.at), r.value) for r in sorted_out.live if until is not None and r.at <= until]
    state, version, told = _advance(progress.state, due, old, current)
    silent = _silent(subject, rule, now)
    after = msgspec.structs.replace(
        progress,
        version=version.id,
        state=state,
        read_seq=max(progress.read_seq, subject.last_seq),
        event_cursor=until,
        no_data=silent,
        due_at=_due(subject, rule, held=len(due) < len(sorted_out.live), silent=silent),
        late=progress.late + sorted_out.late,
        backfill=progress.backfill + sorted_out.backfill,
    )
    return Outcome(after, told, silent if silent is not progress.no_data else None)


class _Sorted(NamedTuple):
    live: list[Reading]
    late: int
    backfill: int
    passed: datetime | None  # the cursor as the last arrival found it


def _sort(progress: Progress, readings: Iterable[Reading], rule: Rule) -> _Sorted:
    """Sort out what counts, as they arrived; what does not is counted once. Held readings are above the cursor."""
    live: list[Reading] = []
    counted = dict.fromkeys(Standing, 0)
    passed = progress.event_cursor
    for reading in sorted(readings, key=lambda reading: reading.seq):
        fresh = reading.seq > progress.read_seq
        if fresh:
            passed = _later(passed, watermark(reading.max_before, reading.heard_before, rule, reading.received_at))
        fate = standing(reading, rule, passed if fresh else progress.event_cursor)
        if fate is Standing.LIVE:
            live.append(reading)
        elif fresh:
            counted[fate] += 1
    live.sort(key=lambda reading: reading.at)
    return _Sorted(live, counted[Standing.LATE], counted[Standing.BACKFILL], passed)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _in_force(state: State, old: Published, current: Published) -> Published:
    return old if state.phase in (Phase.FIRING, Phase.CLEARING) else current


def _advance(
    state: State, due: Sequence[tuple[int, float]], old: Published, current: Published
) -> tuple[State, Published, list[Told]]:
    """Run the machine; under an old version only until it closes, then under the current one."""
    told: list[Told] = []
    version = _in_force(state, old, current)
    if version.id != old.id:
        state = episodes.reset_pending(state)
    elif version.id != current.id:
        state, transitions, fed = episodes.advance(state, compile_rule(version.definition), due, until=Phase.CLOSED)
        told += [Told(each, version.id) for each in transitions]
        if state.phase is not Phase.CLOSED:
            return state, version, told
        version, due = current, due[fed:]
    state, transitions, _ = episodes.advance(state, compile_rule(version.definition), due)
    return state, version, [*told, *(Told(each, version.id) for each in transitions)]


def _silent(subject: Subject, rule: Rule, now: datetime) -> bool:
    if rule.silent_after is None or subject.last_received_at is None:
        return False
    return now - subject.last_received_at >= timedelta(seconds=rule.silent_after)


def _due(subject: Subject, rule: Rule, *, held: bool, silent: bool) -> datetime | None:
    """Return when to look again though nothing comes: for readings held back, or for silence growing too long."""
    if subject.last_received_at is None:
        return None
    waits: list[float] = []
    if held:
        waits.append(rule.allowed_lateness)
    if rule.silent_after is not None and not silent:
        waits.append(rule.silent_after)
    return subject.last_received_at + timedelta(seconds=min(waits)) if waits else None
