"""Urging (催办) and supervision (督办): the rungs of a leg's ladder, when each is reached and whom it reaches; pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.clock import SHANGHAI
from grid.organisations import Directory, Kind
from tasks.cases import orders as o
from tasks.cases.catalogue import Item
from tasks.cases.deadlines import Calendar, Span, Unit, due, parse_limit, part_of
from tasks.cases.escalation import Escalation, When, parse_when
from tasks.cases.model import Case, Leg, LegKind, LegState, State
from tasks.cases.situation import Situation, clocks_of

MORNING = time(9)
"""When the daily urging of what is overdue goes out."""
ANSWER_TO_REQUEST = parse_limit("1 work_day")
"""How long an application for more time may wait before who decides on it is reminded."""
_WORKED_ON = (LegState.UNSIGNED, LegState.SIGNED)


class Rung(Struct, frozen=True, order=True):
    """One moment of a leg's ladder: what is done then, and whom it reaches. `key` is what keeps it from coming twice;

    the daily ones have none, they are counted off by `Leg.urged_until`.
    """

    at: datetime
    step: str
    whom: str
    what: str
    key: str = ""

    @property
    def level(self) -> int:
        """The level of supervision it asks for; 0 for none."""
        return int(self.what.removeprefix("supervise:")) if self.what.startswith("supervise") else 0


class Running(Struct, frozen=True):
    """A clock of a leg that still runs."""

    name: str
    """As the rungs name it, with the stage's name or the time of the application."""
    start: datetime
    due: datetime
    unit: Unit


def _unit(limit: str | None) -> Unit:
    return Unit.MINUTE if limit is None else parse_limit(limit).unit


def _present(leg: Leg) -> datetime | None:
    return leg.attended_at if leg.kind is LegKind.ASSIST and leg.arrived_at is None else leg.arrived_at


def running(s: Situation, leg: Leg) -> dict[str, list[Running]]:
    """Return the clocks of a leg that still run, by what a ladder calls them."""
    limits = clocks_of(s.item, s.case)
    start = leg.assigned_at
    found: dict[str, list[Running]] = {}
    if leg.state is LegState.UNSIGNED and leg.sign_due is not None:
        found["sign"] = [Running("sign", start, leg.sign_due, _unit(limits.sign))]
    if leg.arrive_due is not None and _present(leg) is None:
        found["arrive"] = [Running("arrive", start, leg.arrive_due, _unit(limits.arrive))]
    if leg.handle_due is not None:
        found["handle"] = [Running("handle", start, leg.handle_due, _unit(leg.handle_limit))]
    if s.case.total_due is not None and leg.kind is not LegKind.ASSIST:
        begun = s.case.clock_from or leg.assigned_at
        found["total"] = [Running("total", begun, s.case.total_due, _unit(limits.total))]
    found["stage"] = [
        Running(f"stage {each.name}", start, each.due, _unit(each.limit)) for each in leg.stages if not each.done_at
    ]
    if leg.pending is not None and leg.pending.since is not None:
        since = leg.pending.since
        until = due(since, ANSWER_TO_REQUEST, s.calendar)
        found["request"] = [Running(f"request {since.isoformat()}", since, until, ANSWER_TO_REQUEST.unit)]
    return found


def morning(after: datetime, calendar: Calendar) -> datetime:
    """Return the first working morning after an instant."""
    moment = after.astimezone(SHANGHAI)
    day = moment.date() if moment.time() < MORNING else moment.date() + timedelta(days=1)
    for _ in range(60):
        if calendar.hours(day):
            break
        day += timedelta(days=1)
    return datetime.combine(day, MORNING, SHANGHAI)


def _moment(when: When, clock: Running, calendar: Calendar, pauses: tuple[Span, ...]) -> datetime:
    if when.moment == "share":
        return min(part_of(clock.start, clock.due, when.share, clock.unit, calendar, pauses), clock.due)
    return clock.due if when.after is None else due(clock.due, when.after, calendar, pauses)


def _urged(rung: Escalation, when: When, leg: Leg) -> Iterator[Rung]:
    if leg.urges >= when.times:
        at = leg.urged_at or leg.assigned_at
        yield Rung(at, rung.when, rung.whom, rung.what, f"{rung.when}>{rung.whom}>{rung.what}")


def _daily(rung: Escalation, clock: Running, leg: Leg, calendar: Calendar) -> Rung:
    at = morning(max(clock.due, leg.urged_until or leg.assigned_at), calendar)
    return Rung(at, f"{clock.name} daily {at.date().isoformat()}", rung.whom, rung.what)


def _of(rung: Escalation, s: Situation, leg: Leg, clocks: dict[str, list[Running]]) -> Iterator[Rung]:
    when = parse_when(rung.when)
    if when.moment == "urged":
        yield from _urged(rung, when, leg)
        return
    pauses = (*s.case.pauses, *leg.pauses)
    for clock in clocks.get(when.clock, ()):
        if when.moment == "daily":
            yield _daily(rung, clock, leg, s.calendar)
            continue
        step = clock.name + rung.when.removeprefix(when.clock)
        key = f"{step}>{rung.whom}>{rung.what}"
        if key not in leg.rungs:  # looked at before the reckoning, which costs more
            yield Rung(_moment(when, clock, s.calendar, pauses), step, rung.whom, rung.what, key)


def ladder(s: Situation, leg: Leg) -> list[Rung]:
    """Return the rungs of a leg that were not climbed yet, in order of time.

    None once its work is handed in, nor while its case's clocks stand still. Under supervision the rungs that ask for
    no higher level are left out: nothing would change.
    """
    if leg.state not in _WORKED_ON or s.case.state not in (State.ASSIGNED, State.HANDLING):
        return []
    clocks = running(s, leg)
    found = (rung for each in s.item.ladder for rung in _of(each, s, leg, clocks))
    level = leg.supervision_level or 0
    return sorted(rung for rung in found if rung.key not in leg.rungs and not 0 < rung.level <= level)


def next_urge(s: Situation, leg: Leg) -> datetime | None:
    """Return when the sweep has to look at the leg again."""
    ahead = ladder(s, leg)
    return ahead[0].at if ahead else None


def reached(s: Situation, leg: Leg) -> list[Rung]:
    """Return the rungs reached by `s.now`: after an outage one step stands for all of a kind that were missed."""
    return [rung for rung in ladder(s, leg) if rung.at <= s.now]


def orders_of(rungs: Sequence[Rung], leg: Leg) -> list[o.LegOrder]:
    """Return what the sweep does for rungs that are reached: one urging, one notice, one supervision at the most."""
    found: list[o.LegOrder] = []
    urges = [rung for rung in rungs if rung.what == "urge"]
    told = [rung for rung in rungs if rung.what == "notify"]
    level = max((rung.level for rung in rungs), default=0)
    if urges:
        found.append(o.Urge(leg=leg.id, step=urges[-1].step))
    if told:
        whom = tuple(dict.fromkeys(rung.whom for rung in told))
        found.append(o.Notify(leg=leg.id, step=told[-1].step, whom=whom))
    if level:
        first = next(rung for rung in rungs if rung.level == level)
        reason = f"按升级规则：{first.step} (by the item's ladder: {first.step})"
        found.append(o.Supervise(leg=leg.id, level=level, reason=reason))
    return found


def climbed(s: Situation, leg: Leg, *what: str) -> tuple[str, ...]:
    """Return the leg's rungs with those that are reached and do one of these things."""
    keys = (rung.key for rung in reached(s, leg) if rung.key and rung.what.split(":")[0] in what)
    return (*leg.rungs, *dict.fromkeys(keys))


def released(s: Situation, leg: Leg) -> tuple[str, ...]:
    """Return the leg's rungs at the end of its supervision: what led to it, at any level, does not lead there again."""
    return climbed(s, replace(leg, supervision_level=None), "supervise")


SHARE = 0.75
"""The part of a limit after which who has to verify or to call back is reminded."""


def _reminders(case: Case, item: Item, calendar: Calendar) -> Iterator[datetime]:
    """Yield when the desk is reminded of what the case itself waits for: at three quarters, at its due."""
    limits = clocks_of(item, case)
    since, until, limit = case.verifier_at or case.handled_at, case.verify_due, limits.verify
    if case.state is State.CALLING_BACK:
        since, until, limit = case.verified_at or case.handled_at, case.call_back_due, limits.call_back
    if until is None:
        return
    if since is not None and since < until:
        at = part_of(since, until, SHARE, _unit(limit), calendar, case.pauses)
        if case.reminded_until is None or case.reminded_until < at:
            yield min(at, until)
    yield until


def wake_at(case: Case, item: Item, calendar: Calendar) -> datetime | None:
    """Return when the sweep has something to do with the case itself.

    To verify is reminded of at three quarters of its time, at its due and every working morning after it; to call
    back at three quarters, and at its end the case closes; a suspension ends.
    """
    past = case.reminded_until
    if case.state is State.HANDLED and case.verify_due is not None:
        if past is not None and past >= case.verify_due:
            return morning(past, calendar)
        return next(_reminders(case, item, calendar), None)
    if case.state is State.CALLING_BACK:
        return next(_reminders(case, item, calendar), None)
    return case.resume_at if case.state is State.SUSPENDED else None


def recipient(whom: str, s: Situation, leg: Leg, directory: Directory) -> UUID | None:
    """Return the desk or person one of `escalation.WHOM` stands for today; None where there is nobody.

    The desk and who gave the turn are those that answer for the case where one ended or is complained about.
    """
    holder = s.now_of(leg.organisation)
    if whom == "superior":
        own = None if holder is None else directory.get(holder)
        return None if own is None else s.now_of(own.parent)
    if whom == "town":
        town = None if s.case.town is None else directory.find(Kind.TOWN_CENTRE, s.case.town)
        return None if town is None else town.id
    if whom == "centre":
        centre = directory.centre()
        return None if centre is None else centre.id
    plain = {"handler": leg.handler or holder, "assigner": s.assigner_of(leg), "desk": s.desk}
    return plain.get(whom, holder)


def unanswered(leg: Leg) -> bool:
    """Tell whether the last urging of a leg still waits for an answer."""
    return leg.urged_at is not None and (leg.answered_at is None or leg.answered_at < leg.urged_at)
