"""Accounts of the demo, one at least for each role, and the file that tells people and programs what they are."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from app.demo.district.organisations import DEPARTMENTS
from app.identity import commands as identity
from app.kernel.actor import Membership, Role
from grid.organisations import Force, Kind, Organisation
from grid.people import Person, SquadMember

PASSWORD = "Xiaoshan-2026"
"""Of every demo account; a real account must change its first password, a demo account need not."""

TOWNS = ("330109001", "330109002")
"""Towns (城厢, 北干) with an account for every role; the others have their town centre's."""

MACHINES = ("minhuwoying", "110", "12315", "police-post", "fire-post", "open311")
"""Platforms that push cases: 民呼我为, 110 non-emergency calls, 12315, police and fire posts."""

MACHINE_SCOPES = ("case.create", "push.send")
SANDBOX_OF = "minhuwoying"
SANDBOX_SCOPES = ("push.sandbox",)
"""A second key of one platform, named `sandbox` in the file: what is pushed with it is a dry run."""
OPEN311_SCOPES = ("open311.submit",)
"""Sent as a parameter and never signed: such a key opens the Open311 interface and nothing else."""

FILE = "demo.json"


class Seat(Struct, frozen=True, kw_only=True):
    """An account to be made: who sits there with which memberships. `person` is the made-up person's id, if any."""

    username: str
    name: str
    memberships: tuple[Membership, ...]
    organisation_name: str = ""
    person: UUID | None = None


class DemoAccount(Struct, frozen=True, kw_only=True):
    """An account as the file tells it; role, organisation and area are those of the first membership."""

    role: Role
    username: str
    password: str
    id: UUID
    organisation: UUID | None
    organisation_name: str
    area: str


class DemoKey(Struct, frozen=True):
    """A machine's key and signing secret."""

    key: str
    secret: str


class DemoFile(Struct, frozen=True, kw_only=True):
    """`.local/demo.json`: where the demo runs and how to get in. `devices` are id → key, `device_codes` code → id."""

    base_url: str
    district: str
    kind: str
    accounts: list[DemoAccount]
    api_keys: dict[str, DemoKey]
    devices: dict[str, str] = {}
    device_codes: dict[str, str] = {}
    ports: dict[str, int] = {}


def plan(organisations: Sequence[Organisation], people: Sequence[Person], members: Sequence[SquadMember]) -> list[Seat]:
    """Every demo account, without its id."""
    by_code = {each.code: each for each in organisations}
    staff: dict[UUID, list[Person]] = {}
    for person in people:
        staff.setdefault(person.organisation, []).append(person)
    centre = by_code["centre"]
    seats = [
        _seat("admin", Role.ADMINISTRATOR, centre, staff[centre.id][0]),
        _seat("auditor", Role.AUDITOR, centre, staff[centre.id][1]),
        _seat("district", Role.DISTRICT_CENTRE, centre, staff[centre.id][2]),
        _seat("district2", Role.DISTRICT_CENTRE, centre, staff[centre.id][3]),
    ]
    seats += [
        _seat(f"dept.{code}", Role.DEPARTMENT, by_code[code], staff[by_code[code].id][0]) for code, _ in DEPARTMENTS
    ]
    for town in (each for each in organisations if each.kind is Kind.TOWN_CENTRE):
        seats.append(_seat(f"town.{town.area}", Role.TOWN_CENTRE, town, staff[town.id][0]))
        if town.area in TOWNS:
            seats.append(_seat(f"manager.{town.area}", Role.TOWN_MANAGER, town, staff[town.id][1]))
            seats += _field_seats(town.area, organisations, staff, people, members)
    return seats


def _seat(username: str, role: Role, organisation: Organisation, person: Person, *more: Membership) -> Seat:
    return Seat(
        username=username,
        name=person.name,
        memberships=(Membership(role, organisation.id, organisation.area), *more),
        organisation_name=organisation.name,
        person=person.id,
    )


def _field_seats(
    town: str,
    organisations: Sequence[Organisation],
    staff: Mapping[UUID, Sequence[Person]],
    people: Sequence[Person],
    members: Sequence[SquadMember],
) -> Iterable[Seat]:
    """The first station, the duty desk of each force unit, and the members of the first squad of a town."""
    here = [each for each in organisations if each.area.startswith(town)]
    by_id = {each.id: each for each in here}
    stations = [each for each in here if each.kind is Kind.STATION]
    yield _seat(f"station.{stations[0].area}", Role.STATION, stations[0], staff[stations[0].id][0])
    squad = next(each for each in here if each.kind is Kind.SQUAD)
    squad_people = {each.person for each in members if each.squad == squad.id}
    for force in Force:
        unit = next(each for each in here if each.kind is Kind.FORCE_UNIT and each.force is force)
        teams = [each.id for each in here if each.kind is Kind.TEAM and each.force is force]
        desk = next(each for team in teams for each in staff[team] if each.id not in squad_people)
        yield _seat(f"{force}.{town}", Role.OFFICER, unit, desk)
    numbers: dict[str, int] = {}
    for person in (each for each in people if each.id in squad_people):
        team = by_id[person.organisation]
        word = "grid" if team.force is Force.GRID else "officer"
        role = Role.GRID_WORKER if team.force is Force.GRID else Role.OFFICER
        numbers[word] = numbers.get(word, 0) + 1
        if word == "grid" and numbers[word] == 1:
            lead = Membership(Role.GRID_WORKER, team.id, team.area)
            yield _seat(f"leader.{town}", Role.SQUAD_LEADER, squad, person, lead)
            continue
        number = numbers[word] - 1 if word == "grid" else numbers[word]
        yield _seat(f"{word}{number}.{town}", role, team, person, Membership(role, squad.id, town))


async def create(district: str, seats: Sequence[Seat], founded: datetime) -> list[DemoAccount]:
    """Make the accounts and their memberships in the caller's transaction."""
    people = [(seat.username, seat.name) for seat in seats]
    made = await identity.create_accounts(district, people, PASSWORD, founded, must_change=False)
    for seat, account in zip(seats, made, strict=True):
        for membership in seat.memberships:
            await identity.add_membership(district, account.id, membership, founded)
    return [_told(seat, account.id) for seat, account in zip(seats, made, strict=True)]


def _told(seat: Seat, account: UUID) -> DemoAccount:
    first = seat.memberships[0]
    return DemoAccount(
        role=first.role,
        username=seat.username,
        password=PASSWORD,
        id=account,
        organisation=first.organisation,
        organisation_name=seat.organisation_name,
        area=first.area,
    )


async def create_keys(district: str, now: datetime) -> dict[str, DemoKey]:
    """Make a key for each machine in the caller's transaction."""
    keys: dict[str, DemoKey] = {}
    for source in MACHINES:
        scopes = OPEN311_SCOPES if source == "open311" else MACHINE_SCOPES
        made = await identity.create_key(district, source, list(scopes), now)
        keys[source] = DemoKey(made.key, made.secret)
    made = await identity.create_key(district, SANDBOX_OF, list(SANDBOX_SCOPES), now)
    return keys | {"sandbox": DemoKey(made.key, made.secret)}


def renamed(
    seats: Sequence[Seat], made: Sequence[DemoAccount], people: Sequence[Person], members: Sequence[SquadMember]
) -> tuple[list[Person], list[SquadMember]]:
    """People and squad members with the ids of their accounts, for those that have one."""
    accounts = {seat.person: told.id for seat, told in zip(seats, made, strict=True)}
    return (
        [msgspec.structs.replace(each, id=accounts.get(each.id) or each.id) for each in people],
        [msgspec.structs.replace(each, person=accounts.get(each.person) or each.person) for each in members],
    )


def read(home: Path) -> DemoFile | None:
    """The file in a home folder; None when there is none."""
    path = home / FILE
    return msgspec.json.decode(path.read_bytes(), type=DemoFile) if path.exists() else None


def write(home: Path, told: DemoFile) -> Path:
    """Write the file so that only its owner can read it; a half-written one is never seen."""
    path = home / FILE
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(told)))
    half.replace(path)
    return path
