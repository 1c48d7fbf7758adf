"""The one answer to "may this actor do this to that object?", for API, sync, exports, streams and tiles alike."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from app.identity.matrix import ACTIONS, NOT_FOR_MACHINES
from app.kernel.actor import Actor, Membership
from app.kernel.problem import NotPermitted, Problem


class Ownership(Struct, frozen=True, kw_only=True):
    """Whose an object is: the code of its area, its organisations with those above them, the persons it belongs to."""

    area: str | None = None
    organisations: frozenset[UUID] = frozenset()
    persons: frozenset[UUID] = frozenset()


class Reach(Struct, frozen=True, kw_only=True):
    """All that an actor reaches with one action; lists turn it into a WHERE clause, `covers` asks it of one object.

    `areas` are code prefixes; `person` is set where own objects are within reach.
    """

    everything: bool = False
    areas: tuple[str, ...] = ()
    organisations: frozenset[UUID] = frozenset()
    person: UUID | None = None

    @property
    def nothing(self) -> bool:
        """True when no object at all is within reach."""
        return not (self.everything or self.areas or self.organisations or self.person)

    def covers(self, ownership: Ownership) -> bool:
        """Say whether an object of this ownership is within reach."""
        return (
            self.everything
            or not self.organisations.isdisjoint(ownership.organisations)
            or (self.person is not None and self.person in ownership.persons)
            or (ownership.area is not None and ownership.area.startswith(self.areas or ("-",)))
        )


EVERYTHING = Reach(everything=True)
NOTHING = Reach()


def reach(actor: Actor, action: str) -> Reach:
    """Return what the actor reaches with the action; KeyError for an action the matrix does not know."""
    row = ACTIONS[action]
    match actor.kind:
        case "system":
            return EVERYTHING
        case "machine" if action in NOT_FOR_MACHINES:
            return NOTHING
        case "machine" | "device":
            return EVERYTHING if action in actor.scopes else NOTHING
        case "citizen":
            return _together(actor, [(row["citizen"], None)])
        case "staff":
            return _together(actor, [(row[m.role], m) for m in actor.memberships])


def _together(actor: Actor, cells: Sequence[tuple[str, Membership | None]]) -> Reach:
    """Return all that several cells of the matrix give one person, each with the membership it comes from."""
    given = [(cell, membership) for cell, membership in cells if cell != "-"]
    if any(cell == "all" for cell, _ in given):
        return EVERYTHING
    return Reach(
        areas=tuple(sorted({m.area for cell, m in given if m is not None and cell == "area"})),
        organisations=frozenset(
            m.organisation for cell, m in given if m is not None and m.organisation is not None and cell != "own"
        ),
        person=actor.id if given else None,
    )


def may(actor: Actor, action: str, ownership: Ownership) -> bool:
    """Say whether the actor may do the action to an object of this ownership."""
    return reach(actor, action).covers(ownership)


def require(actor: Actor, action: str, ownership: Ownership, absent: Problem) -> None:
    """Raise NotPermitted when the actor has no use of the action at all, `absent` when the object is not theirs."""
    within = reach(actor, action)
    if within.nothing:
        raise NotPermitted(action=action)
    if not within.covers(ownership):
        raise absent


def require_any(actor: Actor, action: str) -> Reach:
    """Return the reach of the action; NotPermitted when it is empty."""
    within = reach(actor, action)
    if within.nothing:
        raise NotPermitted(action=action)
    return within
