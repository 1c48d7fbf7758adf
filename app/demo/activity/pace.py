"""When people do things: some share of their term, in working hours unless it is urgent, later where they are late."""

from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random

from app.kernel.clock import SHANGHAI
from tasks.cases import deadlines

OPENS, CLOSES = time(8, 30), time(17, 30)
LEAST = timedelta(minutes=2)


@cache
def _works(day: date) -> bool:
    return bool(deadlines.national().hours(day))


def working(at: datetime) -> bool:
    """Tell whether desks are open."""
    local = at.astimezone(SHANGHAI)
    return OPENS <= local.time() < CLOSES and _works(local.date())


def opening(random: Random, at: datetime) -> datetime:
    """Return the instant, or some time in the first working morning after it."""
    if working(at):
        return at
    local = at.astimezone(SHANGHAI)
    day = local.date() if local.time() < OPENS else local.date() + timedelta(days=1)
    while not _works(day):
        day += timedelta(days=1)
    return datetime.combine(day, OPENS, SHANGHAI) + timedelta(seconds=random.uniform(120, 5_400))


def soon(random: Random, after: datetime, hours: float, *, desks: bool = True) -> datetime:
    """Return a moment some hours on, half of `hours` to twice as many."""
    at = after + max(LEAST, timedelta(hours=hours * random.uniform(0.25, 1.6)))
    return opening(random, at) if desks else at


def by(random: Random, start: datetime, after: datetime, due: datetime | None, skill: float) -> datetime:
    """Return when somebody is done with what began at `start` and is due at `due`, not before `after`.

    With the probability of `skill` it is in time, mostly early; else later by up to twice the term.
    """
    if due is None or after >= due:
        return soon(random, after, 3)
    term, in_time = due - start, random.random() < skill
    part = random.betavariate(1.1, 5.5) * 0.9 if in_time else 1.02 + random.expovariate(4)
    at = max(start + term * part, after + LEAST)
    if term >= timedelta(hours=24) or not in_time or working(start):
        at = opening(random, at)
    if in_time and at >= due:
        at = max(after + LEAST, due - timedelta(seconds=random.uniform(30, 900)))
    return at
