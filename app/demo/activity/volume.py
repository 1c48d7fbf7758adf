"""How much happened and when: days, cases a day and how they spread over its hours; pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random

from msgspec import Struct

from app.kernel.clock import SHANGHAI

BATCH = 500
"""Cases of one transaction."""

HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 8, 15, 18, 17, 14, 9, 11, 15, 16, 15, 13, 10, 9, 8, 7, 5, 3)
"""Arrivals by local hour: two peaks at the desks' hours, a long evening, a quiet night."""
WEEKEND = 0.6
"""A Saturday's arrivals to a Tuesday's."""


class Volume(Struct, frozen=True, kw_only=True):
    """A kind of demo: how many days, cases on an average day, visits in all, minutes between readings."""

    days: int
    cases_a_day: int
    visits: int
    reading_every: int


KINDS: Mapping[str, Volume] = {
    "small": Volume(days=7, cases_a_day=400, visits=600, reading_every=30),
    "month": Volume(days=30, cases_a_day=4_000, visits=25_000, reading_every=10),
}
"""Of the reference district (brief.md): about 4,000 events a day; `small` is a week at one tenth."""


class Batch(Struct, frozen=True):
    """What one transaction loads: its name (kept as the marker that it is loaded), its seed and its arrivals."""

    name: str
    seed: int
    arrivals: tuple[datetime, ...]


def days_of(volume: Volume, anchor: datetime) -> list[tuple[date, int]]:
    """Return the local days that end with the anchor's and how many cases came in on each."""
    today = anchor.astimezone(SHANGHAI).date()
    days = [today - timedelta(days=n) for n in reversed(range(volume.days))]
    weights = [WEEKEND if day.weekday() >= 5 else 1.0 for day in days]
    total = volume.cases_a_day * volume.days
    counts = [round(total * weight / sum(weights)) for weight in weights]
    counts[0] += total - sum(counts)
    return list(zip(days, counts, strict=True))


def batches(kind: str, volume: Volume, anchor: datetime, seed: int) -> list[Batch]:
    """Return everything that came in, oldest first; today's is squeezed into its hours before the anchor."""
    found: list[Batch] = []
    for number, (day, count) in enumerate(days_of(volume, anchor)):
        random = Random(seed + number)
        arrivals = sorted(_arrival(random, day, anchor) for _ in range(count))
        for part, start in enumerate(range(0, count, BATCH)):
            name = marker(kind, anchor, f"{day:%Y%m%d}-{part}")
            found.append(Batch(name, seed * 1_000 + number * 100 + part, tuple(arrivals[start : start + BATCH])))
    return found


def _arrival(random: Random, day: date, anchor: datetime) -> datetime:
    midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
    (hour,) = random.choices(range(24), HOUR_WEIGHTS)
    at = midnight + timedelta(hours=hour, seconds=random.randrange(3600), microseconds=random.randrange(10**6))
    if at < anchor - timedelta(minutes=1):
        return at
    past = max(60.0, (anchor - midnight).total_seconds() - 60)
    return midnight + timedelta(seconds=random.uniform(0, past))


PREFIX = "demo"


def marker(kind: str, anchor: datetime, part: str) -> str:
    """Return the name of a batch: it tells the moment the load was made for, so that it can be gone on with later."""
    return f"{PREFIX}:{kind}:{anchor.isoformat()}|{part}"


def read_marker(name: str) -> tuple[str, datetime]:
    """Return kind and anchor of a batch's name."""
    _, kind, rest = name.split(":", 2)
    return kind, datetime.fromisoformat(rest.partition("|")[0])
