"""Urging (催办): the rungs of a leg's ladder, at 75 % of a limit, at its due, then every working day; pure."""

from datetime import datetime, time, timedelta

from msgspec import Struct

from app.kernel.clock import SHANGHAI
from tasks.cases.deadlines import Calendar, Limit, parse_limit, reaches
from tasks.cases.model import Case, Leg, LegState, State
from tasks.cases.situation import Situation, clocks_of

PART = 0.75
"""The share of a limit after which the system first urges."""
URGES_BEFORE_WATCH = 3
"""Urged so often, a leg comes under supervision by itself."""
MORNING = time(9)
"""When the daily urging of what is overdue goes out."""


class Rung(Struct, frozen=True, order=True):
    """One moment of the ladder and its name."""

    at: datetime
    step: str


def _limit_rungs(
    clock: str, start: datetime, limit: Limit | None, due_at: datetime | None, calendar: Calendar
) -> list[Rung]:
    if due_at is None:
        return []
    early = start + (due_at - start) * PART if limit is None else reaches(start, limit, PART, calendar)
    return [Rung(min(early, due_at), f"{clock}-75"), Rung(due_at, f"{clock}-due")]


def _daily(after: datetime, since: datetime, calendar: Calendar) -> Rung:
    """Return the first working morning after both instants."""
    moment = max(after, since).astimezone(SHANGHAI)
    day = moment.date() if moment.time() < MORNING else moment.date() + timedelta(days=1)
    for _ in range(60):
        if calendar.hours(day):
            break
        day += timedelta(days=1)
    return Rung(datetime.combine(day, MORNING, SHANGHAI), f"late-{day.isoformat()}")


def ladder(s: Situation, leg: Leg) -> list[Rung]:
    """Return the rungs of a leg that are still ahead of what was urged, in order of time."""
    if leg.state not in (LegState.UNSIGNED, LegState.SIGNED):
        return []
    rungs: list[Rung] = []
    if leg.state is LegState.UNSIGNED:
        rungs += _limit_rungs(
            "sign", leg.assigned_at, clocks_of(s.item, s.case).of("sign"), leg.sign_due, s.calendar
        )
    plain = leg.handle_limit is not None and not (leg.extensions or leg.pauses or s.case.pauses)
    limit = parse_limit(leg.handle_limit) if plain and leg.handle_limit else None
    rungs += _limit_rungs("handle", leg.assigned_at, limit, leg.handle_due, s.calendar)
    done = leg.urged_until or leg.assigned_at
    if leg.handle_due is not None:
        rungs.append(_daily(leg.handle_due, done, s.calendar))
    return sorted(rung for rung in rungs if rung.at > done)


def next_urge(s: Situation, leg: Leg) -> datetime | None:
    """Return when the sweep has to look at the leg again."""
    ahead = ladder(s, leg)
    return ahead[0].at if ahead else None


def due_rung(s: Situation, leg: Leg) -> Rung | None:
    """Return the latest rung reached by `s.now`: after an outage one urging stands for all that were missed."""
    reached = [rung for rung in ladder(s, leg) if rung.at <= s.now]
    return reached[-1] if reached else None


def wake_at(case: Case) -> datetime | None:
    """Return when the sweep has something to do with the case itself."""
    if case.state is State.CALLING_BACK:
        return case.call_back_due
    return case.resume_at if case.state is State.SUSPENDED else None
