"""Who acts: a person, a machine, a device or the system itself, with the memberships that give it rights."""

from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid5

from msgspec import Struct

SYSTEM_NAMESPACE = UUID("5f0c6a9e-2d3b-5c1e-9a47-330109000000")


class Role(StrEnum):
    """What a membership makes of a person (岗位)."""

    GRID_WORKER = "grid_worker"
    OFFICER = "officer"
    SQUAD_LEADER = "squad_leader"
    STATION = "station"
    TOWN_CENTRE = "town_centre"
    TOWN_MANAGER = "town_manager"
    DEPARTMENT = "department"
    DISTRICT_CENTRE = "district_centre"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


ActorKind = Literal["staff", "citizen", "machine", "device", "system"]


class Membership(Struct, frozen=True):
    """A role held in an organisation over an area (a code of 6, 9, 12 or 15 digits; the subtree is its prefix)."""

    role: Role
    organisation: UUID | None
    area: str


class Actor(Struct, frozen=True, kw_only=True):
    """Whoever gives a command, with all that decides on it.

    `scopes` are the permissions of a machine's key or a device; people have memberships instead.
    """

    id: UUID
    kind: ActorKind
    district: str
    memberships: tuple[Membership, ...] = ()
    device: UUID | None = None
    session: UUID | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def roles(self) -> frozenset[Role]:
        """All roles of the actor."""
        return frozenset(m.role for m in self.memberships)

    @property
    def organisations(self) -> frozenset[UUID]:
        """The organisations the actor belongs to."""
        return frozenset(m.organisation for m in self.memberships if m.organisation is not None)


def system(district: str, name: str = "system") -> Actor:
    """Return the actor for what the product does by itself; `name` tells the part (`router`, `sweep`, …)."""
    return Actor(id=uuid5(SYSTEM_NAMESPACE, name), kind="system", district=district)
