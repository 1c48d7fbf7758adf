"""Quiet hours to the second, over midnight and without."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.clock import SHANGHAI
from app.notices import quiet

NIGHT = quiet.parse("22:00-07:00")
NOON = quiet.parse("12:00-13:30")


def at(text: str) -> datetime:
    """An instant in Hangzhou's time, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@pytest.mark.parametrize(
    ("window", "ready", "goes_out"),
    [
        (NIGHT, "2026-11-23T21:59:59", "2026-11-23T21:59:59"),
        (NIGHT, "2026-11-23T22:00:00", "2026-11-24T07:00:00"),
        (NIGHT, "2026-11-23T23:59:59", "2026-11-24T07:00:00"),
        (NIGHT, "2026-11-24T00:00:00", "2026-11-24T07:00:00"),
        (NIGHT, "2026-11-24T06:59:59", "2026-11-24T07:00:00"),
        (NIGHT, "2026-11-24T07:00:00", "2026-11-24T07:00:00"),
        (NOON, "2026-11-24T11:59:59", "2026-11-24T11:59:59"),
        (NOON, "2026-11-24T12:00:00", "2026-11-24T13:30:00"),
        (NOON, "2026-11-24T13:30:00", "2026-11-24T13:30:00"),
        (quiet.parse("00:00-00:00"), "2026-11-24T00:00:00", "2026-11-24T00:00:00"),
    ],
)
def test_what_is_ready_in_quiet_hours_goes_out_when_they_end(window: quiet.Quiet, ready: str, goes_out: str) -> None:
    assert quiet.earliest(at(ready), window, critical=False) == at(goes_out)
    assert quiet.earliest(at(ready), window, critical=True) == at(ready)
    assert window.holds(at(ready)) == (ready != goes_out)


@given(st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)), st.times(), st.times())
def test_nothing_goes_out_early_or_in_quiet_hours_or_a_day_late(ready: datetime, begins: time, ends: time) -> None:
    window = quiet.Quiet(begins.replace(microsecond=0), ends.replace(microsecond=0))
    goes_out = quiet.earliest(ready, window, critical=False)
    assert ready <= goes_out <= ready + timedelta(days=1)
    assert not window.holds(goes_out)
