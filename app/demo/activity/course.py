"""The course of a made-up case: after every step what is done next, by whom and when; the rules judge it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from app.demo.activity import pace
from app.demo.activity.cast import Cast
from app.demo.district.places import DISTRICT
from app.kernel.actor import Actor, system
from app.kernel.ids import new_id
from tasks.cases import deadlines, supervision
from tasks.cases.catalogue import Item
from tasks.cases.model import Case, Leg, State
from tasks.cases.replay import Given
from tasks.cases.situation import Situation

SWEEP = system(DISTRICT, "sweep")
SWEEP_DELAY = timedelta(seconds=20)

Plan = Callable[["Course", Case, tuple[Leg, ...]], Given | None]
"""What is done next with a case, as its state and legs are."""


class Course:
    """One case's course up to the present; asked by `replay.play` after every step."""

    def __init__(
        self,
        random: Random,
        plans: Mapping[State, Plan],
        item: Item,
        cast: Cast,
        now: datetime,
        reporter: Actor | None = None,
    ) -> None:
        self.random = random
        self._plans = plans
        self.item = item
        self.cast = cast
        self.now = now
        self.reporter = reporter
        self.last: datetime | None = None
        self._said: set[tuple[UUID, str]] = set()
        """What was decided once for a leg: handed down, asked for more time, noted."""
        self._next: Given | None = None
        self._spread = random.getrandbits(16)

    def __call__(self, case: Case, legs: tuple[Leg, ...]) -> Given | None:
        """Return the next step; None when it would lie in the future, or nothing is left to do."""
        if self.last is None:
            self.last = case.received_at
        if self._next is None:
            self._next = self._plan(case, legs)
        due = self._sweeps(case, legs, self.now if self._next is None else min(self._next.at, self.now))
        step = due or self._next
        if step is None or step.at >= self.now:
            return None
        if due is None:
            self._next = None
        self.last = step.at
        return step

    @property
    def after(self) -> datetime:
        """The instant of the last step."""
        if self.last is None:
            raise LookupError("not begun")
        return self.last

    def person(self, organisation: UUID) -> Actor:
        """Return whoever of an organisation works on this case."""
        people = self.cast.of(organisation)
        return people[(organisation.int ^ self._spread) % len(people)] if people else SWEEP

    def soon(self, hours: float) -> datetime:
        """Return a moment some working hours after the last step."""
        return pace.soon(self.random, self.after, hours)

    def _plan(self, case: Case, legs: tuple[Leg, ...]) -> Given | None:
        plan = self._plans.get(case.state)
        return None if plan is None else plan(self, case, legs)

    def _sweeps(self, case: Case, legs: tuple[Leg, ...], until: datetime) -> Given | None:
        """Return what the sweep does before `until`: the next thing the item's ladder asks for."""
        waiting = [leg for leg in legs if leg.open and leg.next_urge_at is not None]
        leg = min(waiting, key=lambda each: each.next_urge_at or self.now, default=None)
        if leg is None or leg.next_urge_at is None or leg.next_urge_at + SWEEP_DELAY >= until:
            return None
        at = max(leg.next_urge_at + SWEEP_DELAY, self.after + timedelta(seconds=1))
        s = Situation(
            case=case, legs=legs, item=self.item, actor=SWEEP, now=at, calendar=deadlines.national(), fresh=new_id
        )
        asked = supervision.orders_of(supervision.reached(s, leg), leg)
        return Given(at, SWEEP, asked[0]) if asked else None

    def _once(self, leg: Leg, what: str) -> bool:
        key = (leg.id, what)
        if key in self._said:
            return False
        self._said.add(key)
        return True

    def once(self, leg: Leg, what: str, chance: float) -> bool:
        """Tell whether something happens to a leg; asked again it does not."""
        return self._once(leg, what) and self.random.random() < chance
