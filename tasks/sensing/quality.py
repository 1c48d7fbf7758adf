"""Is a reading to be believed, and does it count now? Flags after QARTOD, and the gate before a rule (spec §1)."""

from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from msgspec import Struct

from tasks.sensing.devices import Channel
from tasks.sensing.rules import Rule

CLOCK_FUTURE = timedelta(seconds=120)
"""A device's clock may be this much ahead; beyond, its reading is stored and not evaluated."""


class Quality(IntEnum):
    """QARTOD flags (IOOS, Manual for Real-Time Quality Control)."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


_WORSE = (Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT, Quality.FAIL, Quality.MISSING)
_NOT_A_HAZARD = (Quality.FAIL, Quality.MISSING)


def flag(value: float, before: float | None, channel: Channel, given: int | None = None) -> Quality:
    """Return the flag of a value: out of range fails, a jump is suspect; the worse of that and `given`.

    A jump alone never fails: a flood rises in one reading, and the spike test must not veto it.
    """
    own = Quality.PASS
    if channel.spike is not None and before is not None and abs(value - before) > channel.spike:
        own = Quality.SUSPECT
    low, high = channel.low, channel.high
    if (low is not None and value < low) or (high is not None and value > high):
        own = Quality.FAIL
    return max(own, Quality(given or Quality.PASS), key=_WORSE.index)


class Standing(StrEnum):
    """What a stored reading means for a rule."""

    LIVE = "live"
    LATE = "late"
    BACKFILL = "backfill"
    CLOCK_FUTURE = "clock_future"
    FAILED = "failed"


class Reading(Struct, frozen=True, kw_only=True):
    """A stored reading. `max_before` and `heard_before` are the newest event time and the last arrival of its channel
    when it came: with them lateness follows from the order of arrival, whenever the evaluation runs.
    """

    at: datetime
    value: float
    quality: int
    seq: int
    received_at: datetime
    max_before: datetime | None
    heard_before: datetime | None


def clock_future(at: datetime, received_at: datetime) -> bool:
    """Say whether a reading is too far ahead of the server's clock to be evaluated."""
    return at - received_at > CLOCK_FUTURE


def standing(reading: Reading, rule: Rule, passed: datetime | None) -> Standing:
    """Return what a reading means for a rule; the first that fits of future, backfill, late, failed, else live.

    `passed`: up to which event time all had been evaluated when the reading came.
    """
    if clock_future(reading.at, reading.received_at):
        return Standing.CLOCK_FUTURE
    if reading.received_at - reading.at > timedelta(seconds=rule.max_live_age):
        return Standing.BACKFILL
    if passed is not None and reading.at <= passed:
        return Standing.LATE
    return Standing.FAILED if reading.quality in _NOT_A_HAZARD else Standing.LIVE


def watermark(newest: datetime | None, heard: datetime | None, rule: Rule, now: datetime) -> datetime | None:
    """Return up to which event time all has been evaluated: `allowed_lateness` behind the newest, or after that much
    silence the newest itself.
    """
    if newest is None or heard is None:
        return None
    wait = timedelta(seconds=rule.allowed_lateness)
    return newest if now - heard >= wait else newest - wait
