"""Who acts in the demo's past: people of each organisation as actors, and how well each keeps its terms."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from uuid import UUID

from app.demo.district.places import DISTRICT
from app.kernel.actor import Actor, Membership, Role
from grid import facts as grid
from grid.organisations import Directory, Force, Kind, Organisation
from grid.people import Person

ROLES: Mapping[Kind, Role] = {
    Kind.CENTRE: Role.DISTRICT_CENTRE,
    Kind.TOWN_CENTRE: Role.TOWN_CENTRE,
    Kind.DEPARTMENT: Role.DEPARTMENT,
    Kind.STATION: Role.STATION,
    Kind.FORCE_UNIT: Role.OFFICER,
    Kind.TEAM: Role.OFFICER,
    Kind.SQUAD: Role.OFFICER,
}
SKILL = (0.87, 0.99)
"""The share of work that the weakest and the best organisation finish in time."""


class Cast:
    """The organisations and who works there."""

    def __init__(self, directory: Directory, people: Mapping[UUID, Sequence[Person]]) -> None:
        self.directory = directory
        self._people = people
        self._actors: dict[UUID, list[Actor]] = {}
        centre = directory.centre()
        if centre is None:
            raise LookupError("a district without a centre")
        self.centre = centre

    def of(self, organisation: UUID) -> list[Actor]:
        """Return the people of an organisation as actors; of a force unit those of its teams."""
        found = self._actors.get(organisation)
        if found is None:
            here = self.directory.by_id[organisation]
            people = self._people.get(organisation) or [
                person for below in sorted(self.directory.below(organisation)) for person in self._people.get(below, ())
            ]
            found = [_actor(person, here) for person in people]
            self._actors[organisation] = found
        return found

    def skill(self, organisation: UUID) -> float:
        """Return how likely the organisation is in time; the same in every load."""
        return Random(organisation.int).uniform(*SKILL)

    def pick(self, random: Random, kind: Kind, area: str, force: Force | None = None) -> Organisation | None:
        """Return one of the organisations of a kind and area, by chance."""
        found = self.directory.all(kind, area, force)
        return random.choice(found) if found else None

    def members(self, organisation: UUID) -> list[UUID]:
        """Return the ids of people of an organisation."""
        return [person.id for person in self._people.get(organisation, ())]


def _actor(person: Person, here: Organisation) -> Actor:
    grid_work = here.force is Force.GRID and here.kind is not Kind.FORCE_UNIT
    role = Role.GRID_WORKER if grid_work else ROLES[here.kind]
    membership = Membership(role, here.id, here.area)
    return Actor(id=person.id, kind="staff", district=DISTRICT, memberships=(membership,))


async def assemble(now: datetime) -> Cast:
    """Read organisations and people in the caller's transaction."""
    directory = await grid.directory(now)
    people = {each: await grid.members(each, now) for each in directory.by_id}
    return Cast(directory, people)
