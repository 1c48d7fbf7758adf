"""Squads: members of several forces join and leave, their accounts get and lose the role that comes with it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.identity import store as identity_store
from app.identity.accounts import Account
from app.kernel import db, ids
from app.kernel.actor import Actor, Membership, Role
from app.kernel.problem import Invalid, NotPermitted
from grid import facts, squad_commands, store
from grid.organisations import Force, Kind
from grid.people import Person
from grid.problems import OrganisationNotFound, PersonNotFound
from grid.squad_commands import NewMember
from tests.grid.places import DISTRICT, NOW, T0, TOWN, VILLAGES, force_unit, organisation, settle

POLICE, GRID = force_unit(Force.POLICE, "police-1"), force_unit(Force.GRID, "grid-1")
SQUAD = organisation(Kind.SQUAD, "squad-1", VILLAGES[0])
HOUR = timedelta(hours=1)
FAR = organisation(Kind.DEPARTMENT, "far-1")


def who(role: Role = Role.TOWN_CENTRE, area: str = TOWN) -> Actor:
    return Actor(id=ids.new_id(), kind="staff", district=DISTRICT, memberships=(Membership(role, None, area),))


async def person(unit: UUID, *, account: bool = True) -> UUID:
    found = Person(id=ids.new_id(), name="演示", organisation=unit, started_at=T0)
    await store.add_people([found])
    if account:
        made = Account(id=found.id, username=f"t{found.id.hex}", name="演示")
        await identity_store.add_account(made, "no password", T0)
    return found.id


async def people() -> tuple[UUID, UUID, UUID]:
    """A policeman, a grid worker and somebody of a department of the district."""
    async with db.transaction(DISTRICT):
        await settle()
        await store.add_organisations([POLICE, GRID, SQUAD, FAR], ids.new_id())
        return await person(POLICE.id), await person(GRID.id), await person(FAR.id)


async def roles(account: UUID) -> list[Any]:
    rows = await db.fetch(
        "select role, organisation, area from membership where account = $1 and valid_to is null", account
    )
    return [tuple(row) for row in rows]


async def test_members_of_several_forces_join_with_the_role_of_theirs(district: str) -> None:
    officer, worker, _ = await people()
    for each in (officer, worker):
        await squad_commands.join(SQUAD.id, NewMember(person=each), who(), NOW)
    assert [each.id for each in await facts.members(SQUAD.id, NOW)] == sorted([officer, worker])
    assert await roles(officer) == [("officer", SQUAD.id, VILLAGES[0])]
    assert await roles(worker) == [("grid_worker", SQUAD.id, VILLAGES[0])]
    kept = await db.fetch("select action from access_log")
    assert [row["action"] for row in kept] == ["account.give_role"] * 2


async def test_a_leader_leads_and_who_has_no_account_is_a_member_all_the_same(district: str) -> None:
    officer, _, _ = await people()
    await squad_commands.join(SQUAD.id, NewMember(person=officer, leader=True), who(), NOW)
    assert (await roles(officer))[0][0] == "squad_leader"
    nameless = await person(GRID.id, account=False)
    await squad_commands.join(SQUAD.id, NewMember(person=nameless), who(), NOW)
    assert nameless in {each.id for each in await facts.members(SQUAD.id, NOW)}


async def test_who_leaves_is_no_member_and_has_no_role_in_it(district: str) -> None:
    officer, worker, _ = await people()
    for each in (officer, worker):
        await squad_commands.join(SQUAD.id, NewMember(person=each), who(), NOW)
    ended = await squad_commands.leave(SQUAD.id, officer, who(), NOW + HOUR)
    assert ended.ended_at == NOW + HOUR
    assert [each.id for each in await facts.members(SQUAD.id, NOW + HOUR)] == [worker]
    assert (await roles(officer), len(await roles(worker))) == ([], 1)
    with pytest.raises(PersonNotFound):
        await squad_commands.leave(SQUAD.id, officer, who(), NOW + HOUR)
    await squad_commands.leave(SQUAD.id, worker, who(), NOW)


async def test_joining_twice_at_once_makes_one_member_with_one_role(committed: str) -> None:
    officer, _, _ = await people()
    made = await asyncio.gather(
        *(squad_commands.join(SQUAD.id, NewMember(person=officer), who(), NOW) for _ in range(4))
    )
    assert len({each.id for each in made}) == 1
    async with db.transaction(DISTRICT):
        assert len(await roles(officer)) == 1


async def test_only_squads_and_people_of_ones_own_area_and_never_oneself(district: str) -> None:
    officer, _, stranger = await people()
    with pytest.raises(OrganisationNotFound):
        await squad_commands.join(SQUAD.id, NewMember(person=officer), who(area="330109002"), NOW)
    with pytest.raises(OrganisationNotFound):
        await squad_commands.join(POLICE.id, NewMember(person=officer), who(), NOW)
    for nobody in (stranger, ids.new_id()):
        with pytest.raises(Invalid):
            await squad_commands.join(SQUAD.id, NewMember(person=nobody), who(), NOW)
    with pytest.raises(NotPermitted):
        await squad_commands.join(SQUAD.id, NewMember(person=officer), who(Role.SQUAD_LEADER, VILLAGES[0]), NOW)
    me = Actor(id=officer, kind="staff", district=DISTRICT, memberships=who().memberships)
    with pytest.raises(NotPermitted):
        await squad_commands.join(SQUAD.id, NewMember(person=officer), me, NOW)
