"""Who is in a squad (小分队): joining and leaving, with the role that comes with it; each function one use case."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import placement_commands as identity
from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import db, ids
from app.kernel.actor import Actor, Membership, Role
from app.kernel.problem import invalid
from grid import facts, store
from grid.organisations import Directory, Force, Kind, Organisation
from grid.people import Person, SquadMember
from grid.problems import OrganisationNotFound, PersonNotFound


class NewMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who joins a squad, as its leader or not."""

    person: UUID
    leader: bool = False


async def join(squad: UUID, new: NewMember, actor: Actor, now: datetime) -> SquadMember:
    """Take somebody into a squad from now on; their account gets a role in it over its area. Again changes nothing.

    OrganisationNotFound when the squad is not in reach, Invalid (`person`) when the person is not, or has left.
    """
    async with db.transaction(actor.district):
        found, directory = await _squad(squad, actor, now)
        await facts.hold_people([new.person])
        person = (await facts.people([new.person])).get(new.person)
        home = None if person is None else directory.get(person.organisation)
        if person is None or home is None or not _may(person, home, actor, now):
            raise invalid("person", "没有这个在岗人员", "there is no such person at work in your reach")
        standing = await store.squad_member(squad, person.id, now)
        if standing is not None:
            return standing
        member = SquadMember(id=ids.new_id(), squad=squad, person=person.id, started_at=now)
        await store.add_squad_members([member])
        await store.change_shifts(ids.new_id())
        role = Role.SQUAD_LEADER if new.leader else _role(home, directory)
        await identity.join(person.id, Membership(role, squad, found.area), actor, now)
    return member


async def leave(squad: UUID, person: UUID, actor: Actor, now: datetime) -> SquadMember:
    """End somebody's time in a squad and their roles in it; PersonNotFound when they are not in it.

    What they have still to visit stays with them until it is reassigned.
    """
    async with db.transaction(actor.district):
        await _squad(squad, actor, now)
        await facts.hold_people([person])
        standing = await store.squad_member(squad, person, now)
        if standing is None:
            raise PersonNotFound
        await store.end_squad_member(standing.id, now)
        await store.change_shifts(ids.new_id())
        await identity.leave(person, squad, actor, now)
    return replace(standing, ended_at=now)


async def _squad(squad: UUID, actor: Actor, now: datetime) -> tuple[Organisation, Directory]:
    directory = await facts.directory(now)
    found = directory.get(squad)
    area = None if found is None else found.area
    scope.require(actor, "squad.manage", Ownership(area=area), OrganisationNotFound())
    if found is None or found.kind is not Kind.SQUAD or not found.alive(now):
        raise OrganisationNotFound
    return found, directory


def _may(person: Person, home: Organisation, actor: Actor, now: datetime) -> bool:
    at_work = person.ended_at is None or person.ended_at > now
    return at_work and scope.may(actor, "squad.manage", Ownership(area=home.area))


def _role(home: Organisation, directory: Directory) -> Role:
    """Grid workers stay grid workers; members of the other forces, and of none, are officers."""
    forces = {each.force for each in (directory.get(above) for above in directory.ancestors(home.id)) if each}
    return Role.GRID_WORKER if Force.GRID in forces else Role.OFFICER
