"""When a household found absent is tried again."""

from datetime import date, datetime

import pytest

from app.kernel.clock import SHANGHAI
from tests.visits.test_rounds import ROUND
from visits.proposal import retry_days, with_room
from visits.rounds import Half


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("absent_at", "half", "now", "first", "count"),
    [
        ("2026-11-24T10:00", Half.DAY, "2026-11-24T10:15", 24, 4),  # the same evening
        ("2026-11-24T19:00", Half.NIGHT, "2026-11-24T19:15", 25, 3),  # tomorrow by day
        ("2026-11-24T10:00", Half.DAY, "2026-11-24T21:00", 25, 3),  # told too late for the evening
        ("2026-11-24T19:00", Half.NIGHT, "2026-11-26T17:30", 27, 1),  # told days later, after the hours of the day
        ("2026-11-27T10:00", Half.DAY, "2026-11-27T10:15", 27, 1),
        ("2026-11-27T19:00", Half.NIGHT, "2026-11-27T19:15", None, 0),  # the round's last evening
    ],
)
def test_an_absent_household_is_tried_again_on_the_other_half_while_the_round_lasts(
    absent_at: str, half: Half, now: str, first: int | None, count: int
) -> None:
    found = retry_days(local(absent_at), half, ROUND, local(now))
    assert (found[0].day if found else None, len(found)) == (first, count)


def test_the_first_day_with_room_is_taken() -> None:
    days = [date(2026, 11, n) for n in (24, 25, 26)]
    assert with_room(days, {days[0]: 3, days[1]: 2}, 3) == days[1]
    assert with_room(days, dict.fromkeys(days, 3), 3) is None
