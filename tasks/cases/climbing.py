"""What the sweep decides on one case, without a query: the rungs of its legs that are reached, and its own time."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.kernel.ids import new_id
from grid.organisations import Directory
from tasks.cases import orders as o
from tasks.cases import supervision
from tasks.cases.effects import decide
from tasks.cases.events import LegEscalated
from tasks.cases.journal import Done, merged
from tasks.cases.model import Leg, State
from tasks.cases.situation import Situation
from tasks.cases.supervision import Rung

_MOST_ROUNDS = 3
"""An urging may reach one more rung (`urged 3`), and that one another; then it is the next sweep's turn."""


class Climbed(Struct, frozen=True, kw_only=True):
    """A case as the sweep leaves it: its steps, whom it tells, and when to look at a leg again that asked for none."""

    s: Situation
    steps: tuple[Done, ...] = ()
    told: tuple[LegEscalated, ...] = ()
    look_again: tuple[tuple[UUID, datetime | None], ...] = ()


def _ordered(at: Climbed, order: o.Order) -> Climbed:
    """Return the case after one more command of the system's; TransitionRefused."""
    aimed, _, change = decide(at.s, order)
    s = replace(at.s, case=change.case, legs=merged(at.s.legs, change.legs))
    return replace(at, s=s, steps=(*at.steps, Done(before=aimed, order=order, change=change)))


def climb(at: Climbed, leg_id: UUID, directory: Directory) -> Climbed:
    """Do what the rungs of a leg that are reached ask for, all or (by raising TransitionRefused) nothing."""
    done = at
    for _ in range(_MOST_ROUNDS):
        s = done.s
        leg = s.find(leg_id)
        rungs = [] if leg is None else supervision.reached(s, leg)
        if leg is None or not rungs:
            break
        for order in supervision.orders_of(rungs, leg):
            done = _ordered(done, order)
        done = replace(done, told=(*done.told, *_told(rungs, s, leg, directory)))
    if done is at and (leg := at.s.find(leg_id)) is not None:
        return replace(at, look_again=(*at.look_again, (leg_id, supervision.next_urge(at.s, leg))))
    return done


def wake(at: Climbed, directory: Directory) -> Climbed:
    """Do what the case itself waits for: a reminder, the end of a call-back or of a suspension; TransitionRefused."""
    case, now = at.s.case, at.s.now
    due = supervision.wake_at(case, at.s.item, at.s.calendar)
    if due is None or due > now:
        return at  # another worker was faster
    if case.state is State.SUSPENDED:
        return _ordered(at, o.Resume())
    if case.state is State.CALLING_BACK and case.call_back_due is not None and case.call_back_due <= now:
        return _ordered(at, o.CloseUnrated())
    centre = directory.centre()
    told = (at.s.now_of(case.verifier) or at.s.desk, None if centre is None else centre.id)
    recipients = tuple(dict.fromkeys(each for each in told if each is not None))
    clock = "verify" if case.state is State.HANDLED else "call_back"
    event = _event(at.s, None, f"{clock} {now.isoformat(timespec='minutes')}", "remind", recipients)
    reminded = _ordered(at, o.Remind())
    return replace(reminded, told=(*reminded.told, event))


def _told(rungs: list[Rung], s: Situation, leg: Leg, directory: Directory) -> list[LegEscalated]:
    """Return the events for whom the ladder names besides whose turn it is, one for each thing done."""
    found: list[LegEscalated] = []
    for what in dict.fromkeys(rung.what for rung in rungs):
        same = [rung for rung in rungs if rung.what == what]
        whom = dict.fromkeys(rung.whom for rung in same if rung.whom != "organisation")
        named = [supervision.recipient(each, s, leg, directory) for each in whom]
        recipients = tuple(dict.fromkeys(each for each in named if each is not None))
        if recipients:
            found.append(_event(s, leg.id, same[-1].step, what, recipients))
    return found


def _event(s: Situation, leg: UUID | None, step: str, what: str, recipients: tuple[UUID, ...]) -> LegEscalated:
    return LegEscalated(
        id=new_id(),
        at=s.now,
        actor=s.actor.id,
        case=s.case.id,
        number=s.case.number,
        leg=leg,
        step=step,
        what=what,
        recipients=recipients,
        version=s.case.version,
    )
