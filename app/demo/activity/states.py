"""A made-up case state by state: what desk, verifier, caller and centre do with it; open turns are `turns`."""

from collections.abc import Mapping
from datetime import datetime
from random import Random

from app.demo.activity import pace, turns
from app.demo.activity.cast import Cast
from app.demo.activity.course import SWEEP, SWEEP_DELAY, Course, Plan
from app.kernel.actor import Actor
from tasks.cases import orders as o
from tasks.cases.catalogue import Item
from tasks.cases.model import Case, Leg, State
from tasks.cases.replay import Given

VERIFIED = 0.955
ANSWERED = 0.72
SCORES = (1, 2, 3, 4, 5)
SCORE_WEIGHTS = (2, 4, 12, 32, 50)
REOPENED = 0.006


def course(random: Random, item: Item, cast: Cast, now: datetime, reporter: Actor | None = None) -> Course:
    """Return the course of a new case, up to `now`; a reporter who can sign in rates it."""
    return Course(random, PLANS, item, cast, now, reporter)


def _received(course: Course, case: Case, _: tuple[Leg, ...]) -> Given | None:
    """No place, or nobody found: the district's desk looks."""
    clerk, at = course.person(course.cast.centre.id), course.soon(1.5)
    fate = course.random.random()
    if fate < 0.08:
        return Given(at, clerk, o.Reject(reason="不属于受理范围，已告知诉求人。"))
    if fate < 0.16:
        return Given(at, clerk, o.Close(reason="咨询类事项，已当场答复。"))
    return Given(at, clerk, o.Accept())


def _accepted(course: Course, case: Case, legs: tuple[Leg, ...]) -> Given | None:
    clerk = course.person(course.cast.centre.id)
    return Given(course.soon(0.7), clerk, o.Assign(to=turns.somebody_else(course.random, case, legs, course.cast)))


def _disputed(course: Course, case: Case, legs: tuple[Leg, ...]) -> Given | None:
    clerk = course.person(course.cast.centre.id)
    to = case.last_lead if course.random.random() < 0.4 else None
    to = to or turns.somebody_else(course.random, case, legs, course.cast)
    order = o.Rule(to=to, reason="按职责分工裁定。", basis="属地管理与行业主管相结合")
    return Given(course.soon(4), clerk, order)


def _handled(course: Course, case: Case, _: tuple[Leg, ...]) -> Given | None:
    at = pace.by(course.random, case.handled_at or course.after, course.after, case.verify_due, 0.97)
    passed = course.random.random() < VERIFIED
    note = "" if passed else "现场核查未达到要求，请重新处置。"
    return Given(at, course.person(course.cast.centre.id), o.Verify(passed=passed, note=note))


def _calling_back(course: Course, case: Case, _: tuple[Leg, ...]) -> Given | None:
    random, due = course.random, case.call_back_due
    if random.random() >= ANSWERED and due is not None:
        return Given(due + SWEEP_DELAY, SWEEP, o.CloseUnrated())
    at = pace.by(random, course.after, course.after, due, 1.0)
    clerk = course.person(course.cast.centre.id)
    (score,) = random.choices(SCORES, SCORE_WEIGHTS)
    accepted = score < 3 and (case.redos > 0 or random.random() < 0.5)
    if accepted:
        return Given(at, clerk, o.Rate(score=score, close_reasons="已依法依规办理，并向诉求人作出解释。"))
    return Given(at, course.reporter or clerk, o.Rate(score=score))


def _suspended(course: Course, case: Case, _: tuple[Leg, ...]) -> Given | None:
    return None if case.resume_at is None else Given(case.resume_at + SWEEP_DELAY, SWEEP, o.Resume())


def _closed(course: Course, case: Case, legs: tuple[Leg, ...]) -> Given | None:
    """Once it is over the centre releases what it watched; a few are opened again."""
    clerk = course.person(course.cast.centre.id)
    watched = next((leg for leg in legs if leg.supervised_at is not None), None)
    if watched is not None:
        return Given(course.soon(3), clerk, o.Release(leg=watched.id))
    again = case.reopens == 0 and case.last_lead is not None and course.random.random() < REOPENED
    if not again or case.closed_at is None or course.item.reopen_count == 0:
        return None
    reason = "诉求人反映问题再次出现。"
    return Given(course.soon(30), clerk, o.Reopen(reason=reason))


PLANS: Mapping[State, Plan] = {
    State.RECEIVED: _received,
    State.ACCEPTED: _accepted,
    State.ASSIGNED: turns.plan,
    State.HANDLING: turns.plan,
    State.DISPUTED: _disputed,
    State.HANDLED: _handled,
    State.CALLING_BACK: _calling_back,
    State.SUSPENDED: _suspended,
    State.CLOSED: _closed,
}
