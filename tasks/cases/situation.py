"""All that a decision on one case may look at: the case, its legs, its item, who asks and when; pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct, structs

from app.kernel.actor import Actor, Role
from grid.organisations import Directory, Kind
from tasks.cases.catalogue import Item, Limits
from tasks.cases.deadlines import Calendar, Limit, Unit, due, parse_limit
from tasks.cases.model import Case, Leg, LegKind, LegState, Part, Severity

READERS_ONLY = frozenset({Role.AUDITOR, Role.ADMINISTRATOR, Role.TOWN_MANAGER})
"""Roles that never move a case, whatever organisation they belong to."""


_DESKS = frozenset({Kind.STATION, Kind.TOWN_CENTRE, Kind.CENTRE})
NO_ONE = Directory((), datetime(2000, 1, 1, tzinfo=UTC))


class Called(Struct, frozen=True):
    """Who is called up: an organisation of the force, and its person on duty."""

    organisation: UUID
    person: UUID | None


class Moved(Struct, frozen=True):
    """A place looked up again: the point (WGS-84) and its cell, if it lies in one."""

    lon: float
    lat: float
    cell: str | None


class Found(Struct, frozen=True, kw_only=True):
    """What was looked up for one command, so that deciding stays pure."""

    target: Case | None = None
    item: Item | None = None
    place: Moved | None = None
    called: Called | None = None
    joined: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """One case under lock, with everything its rules need. `leg` is the leg a command is about."""

    case: Case
    legs: tuple[Leg, ...]
    item: Item
    actor: Actor
    now: datetime
    calendar: Calendar
    fresh: Callable[[], UUID]
    """Makes the ids of new legs."""
    leg: Leg | None = None
    open_children: int = 0
    found: Found = Found()
    last_lead_now: UUID | None = None
    """Who does the last lead's work today (its successor if it ended); None if nobody."""
    directory: Directory = NO_ONE
    """The organisations as of now: the work of one that ended is its successor's."""

    @property
    def working_organisations(self) -> frozenset[UUID]:
        """The organisations the actor works for, with all whose work came to them (reading roles do not count)."""
        return self.directory.line_of_all(
            m.organisation for m in self.actor.memberships if m.organisation is not None and m.role not in READERS_ONLY
        )

    @property
    def acting_organisation(self) -> UUID | None:
        """The organisation in whose name the actor acts here: the leg's, the desk's, or the actor's own."""
        mine, leg = self.working_organisations, self.leg
        turn = (None, None) if leg is None else (leg.organisation, leg.assigner)
        wanted = (*turn, self.case.desk, self.case.verifier)
        first = next((each for each in wanted if each in mine), None)
        return self.now_of(first) or min(filter(None, map(self.now_of, mine)), default=None)

    def now_of(self, organisation: UUID | None) -> UUID | None:
        """Return who does an organisation's work now; None when it ended without successor."""
        if organisation is None or self.directory.get(organisation) is None:
            return organisation
        heir = self.directory.current(organisation)
        return None if heir is None else heir.id

    @property
    def root(self) -> Leg | None:
        """The open root leg."""
        return next((leg for leg in self.legs if leg.kind is LegKind.ROOT and leg.open), None)

    @property
    def last_root(self) -> Leg | None:
        """The newest root leg, open or not."""
        roots = [leg for leg in self.legs if leg.kind is LegKind.ROOT]
        return max(roots, key=lambda leg: leg.ordinal, default=None)

    def find(self, leg: UUID) -> Leg | None:
        """Return the leg of that id."""
        return next((each for each in self.legs if each.id == leg), None)

    def children(self, leg: Leg) -> tuple[Leg, ...]:
        """Return the open legs directly below one."""
        return tuple(each for each in self.legs if each.parent == leg.id and each.open)

    def below(self, leg: Leg) -> tuple[Leg, ...]:
        """Return every open leg below one, at any depth."""
        found: list[Leg] = []
        for child in self.children(leg):
            found += [child, *self.below(child)]
        return tuple(found)

    def worked(self, leg: Leg) -> bool:
        """Whether work was recorded on a leg or on any that was ever below it, whatever became of that one."""
        return leg.worked or any(self.worked(each) for each in self.legs if each.parent == leg.id)

    def confirmed_evidence(self, leg: Leg) -> int:
        """How many pieces of evidence came with what its own organisations handed up and it confirmed."""
        confirmed = [each for each in self.legs if each.parent == leg.id and each.state is LegState.CONFIRMED]
        return sum(each.evidence + self.confirmed_evidence(each) for each in confirmed)

    def assigner_of(self, leg: Leg) -> UUID | None:
        """Who answers for the leg being given out: whoever did it; the desk for `system`, and for one not there or

        complained about.
        """
        given = self.now_of(leg.assigner)
        return self.desk if given is None or given in self.biased else given

    @property
    def biased(self) -> frozenset[UUID]:
        """The organisations and persons complained about; an organisation's line of successors is as it is."""
        return self.directory.line_of_all(self.case.complained_about)

    @property
    def desk(self) -> UUID | None:
        """The desk that owns the case today: the next higher one in place of one complained about or gone."""
        return desk_of(self.case.desk, self.case.town, self.biased, self.directory)

    @property
    def complained_about(self) -> bool:
        """Whether the actor, or an organisation they work for, is what the case complains about."""
        return not self.biased.isdisjoint(self.working_organisations | {self.actor.id})

    def parts(self) -> frozenset[Part]:
        """Return what the actor is to this case and to `leg`; without one, to any of its open legs.

        Complained about, a person has no part in it, and an organisation neither leads nor verifies nor decides, be it
        the desk or the centre itself (ADR 0014).
        """
        actor, case = self.actor, self.case
        if actor.kind == "system":
            return frozenset({Part.SYSTEM})
        if actor.id in case.complained_about:
            return frozenset()
        barred, wide = self.biased, self.working_organisations
        mine = wide - barred
        centre = any(m.role is Role.DISTRICT_CENTRE and m.organisation not in barred for m in actor.memberships)
        desk = self.desk in mine
        free = not self.complained_about and not self._handled_by_me(mine)
        held = {
            Part.REPORTER: case.reporter is not None and actor.id == case.reporter,
            Part.NEIGHBOUR: actor.kind == "citizen" and actor.id != case.reporter,
            Part.CENTRE: centre,
            Part.DESK: desk,
            Part.CLERK: self.desk in wide & barred,
            Part.VERIFIER: free and (centre or desk if case.verifier is None else case.verifier in mine),
            Part.REVIEWER: free and (centre or desk),
            Part.SYSTEM: actor.kind in ("machine", "device") and "case.signal" in actor.scopes,
        } | self._leg_parts(mine)
        return frozenset(part for part, holds in held.items() if holds)

    def _leg_parts(self, mine: frozenset[UUID]) -> dict[Part, bool]:
        leg = self.leg
        root = self.root if leg is None else leg
        about = [each for each in self.legs if each.open] if leg is None else [leg]
        inside = [each for each in about if each.organisation in mine]
        above = None if leg is None or leg.parent is None else self.find(leg.parent)
        return {
            Part.ASSIGNER: root is not None and self.assigner_of(root) in mine,
            Part.PARENT: above is not None and above.organisation in mine,
            Part.LEAD: any(each.kind is not LegKind.ASSIST for each in inside),
            Part.ASSISTANT: any(each.kind is LegKind.ASSIST for each in inside),
        }

    def handlers(self) -> frozenset[UUID]:
        """Return the organisations and people who did the work of the newest root leg.

        An assistant let go, or a leg taken back, before anything was done there did none of it.
        """
        root = self.last_root
        if root is None:
            return frozenset()
        inside = [leg for leg in self.legs if self._inside(leg, root)]
        chain = [root, *(leg for leg in inside if leg.worked or leg.state is LegState.CONFIRMED)]
        people = {p for leg in chain for p in (leg.handler, leg.signer, leg.submitter) if p is not None}
        return self.directory.line_of_all(leg.organisation for leg in chain) | people

    def _handled_by_me(self, mine: frozenset[UUID]) -> bool:
        """Whether the actor, as a person or through an organisation, did the work to be verified."""
        return not self.handlers().isdisjoint(mine | {self.actor.id})

    def _inside(self, leg: Leg, root: Leg) -> bool:
        while leg.parent is not None:
            parent = self.find(leg.parent)
            if parent is None:
                return False
            if parent.id == root.id:
                return True
            leg = parent
        return False

    def due_of(self, clock: str, start: datetime | None = None, severity: Severity | None = None) -> datetime | None:
        """Return when one of the item's clocks is due, if it has that clock."""
        limit = clocks_of(self.item, self.case, severity).of(clock)
        return None if limit is None else due(start or self.now, limit, self.calendar, self.case.pauses)

    def reopen_until(self) -> datetime | None:
        """Return the end of the window in which the case may be reopened."""
        closed = self.case.closed_at
        return None if closed is None else closed + timedelta(days=self.item.reopen_days)

    def later(self, at: datetime, amount: Limit) -> datetime:
        """Return `at` moved by a granted amount."""
        return due(at, amount, self.calendar)


def desk_of(desk: UUID | None, town: str | None, biased: frozenset[UUID], directory: Directory) -> UUID | None:
    """Return who keeps a case: its desk or, where that is gone or complained about, the next desk above it.

    Over a complaint about the district centre it is the town centre of the place; with none, the centre as a clerk.
    """
    climbed: list[UUID] = []
    here = desk
    while here is not None and here not in climbed:
        climbed.append(here)
        known = directory.get(here)
        here = None if known is None else known.parent
    centre = directory.centre()
    of_town = None if town is None else directory.find(Kind.TOWN_CENTRE, town)
    found = [directory.current(each) for each in climbed]
    desks = [each for n, each in enumerate(found) if each is not None and (n == 0 or each.kind in _DESKS)]
    chosen = [each.id for each in (*desks, centre, of_town) if each is not None]
    last = desk if centre is None else centre.id
    return next((each for each in chosen if each not in biased), last)


def clocks_of(item: Item, case: Case, severity: Severity | None = None) -> Limits:
    """Return the limits that hold for a case: the item's for its severity, but those its routing rule set.

    A rule for routine cases may have set working time: that does not hold once the case is urgent or critical.
    """
    now = severity or case.severity
    limits = item.clocks(now)
    if not case.limits:
        return limits
    held = {k: v for k, v in case.limits.items() if now is Severity.ROUTINE or parse_limit(v).unit is Unit.MINUTE}
    return structs.replace(limits, **held)


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the first of the moments given; None when there is none."""
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
