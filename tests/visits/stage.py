"""A made-up squad with two members and a leader, four households, a questionnaire: what the tests of visits play on."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity import keystore
from app.identity.devices import Device, DeviceState
from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from grid import store as grid_store
from grid.organisations import Force, Kind, Organisation
from grid.people import Person as GridPerson
from grid.people import SquadMember
from tests.grid import places
from tests.tools import people
from tests.tools.people import Person
from visits import commands
from visits.households import CareNeed, Consent, NewHousehold
from visits.proposal import PlanRequest
from visits.questionnaire import NewQuestionnaire, Question, QuestionKind
from visits.rounds import Half, NewRound, Target
from visits.sync.verdict import Push

DISTRICT, TOWN, VILLAGE = places.DISTRICT, places.TOWN, places.VILLAGES[0]
CELL = "330109001001001"
EVENING = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 19:00 in Hangzhou, a Monday
LATER = EVENING + timedelta(hours=1)
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Stage(Struct, frozen=True, kw_only=True):
    """Who and what there is."""

    leader: Person
    worker: Person
    other: Person
    outsider: Person
    centre: Person
    device: UUID
    other_device: UUID
    squad: UUID
    team: UUID
    homes: tuple[UUID, ...]


async def member(role: Role, organisation: UUID, area: str, team: UUID) -> tuple[Person, UUID]:
    """Sign somebody in who also stands in the grid's list of people, with a phone of their own."""
    person = await people.sign_in(DISTRICT, role, organisation, area)
    device = new_id()
    async with db.transaction(DISTRICT):
        known = GridPerson(id=person.actor.id, name="演示", organisation=team, started_at=places.T0)
        await grid_store.add_people([known])
        await keystore.add_device(
            Device(id=device, account=person.actor.id, name="", state=DeviceState.ACTIVE), MORNING
        )
    return person, device


async def build() -> Stage:
    """Make it all, in the current transaction or committed."""
    centre = places.organisation(Kind.CENTRE, "VC")
    town = places.organisation(Kind.TOWN_CENTRE, "VT", TOWN, parent=centre.id)
    unit = places.force_unit(Force.GRID, "VF", parent=town.id)
    team: Organisation = places.organisation(Kind.TEAM, "VM", TOWN, parent=unit.id, force=Force.GRID)
    squad = places.organisation(Kind.SQUAD, "VQ", VILLAGE, parent=town.id)
    async with db.transaction(DISTRICT):
        await places.settle()
        await grid_store.add_organisations([centre, town, unit, team, squad], new_id())
    leader, _ = await member(Role.SQUAD_LEADER, squad.id, VILLAGE, team.id)
    worker, device = await member(Role.GRID_WORKER, team.id, CELL, team.id)
    other, other_device = await member(Role.GRID_WORKER, team.id, CELL, team.id)
    outsider = await people.sign_in(DISTRICT, Role.GRID_WORKER, None, "330109002")
    desk = await people.sign_in(DISTRICT, Role.DISTRICT_CENTRE, centre.id)
    async with db.transaction(DISTRICT):
        members = [
            SquadMember(id=new_id(), squad=squad.id, person=each.actor.id, started_at=places.T0)
            for each in (worker, other)
        ]
        await grid_store.add_squad_members(members)
        homes = [await commands.register_household(household(n), leader.actor, MORNING) for n in range(4)]
        await commands.publish_questionnaire(FORM, desk.actor, MORNING)
    return Stage(
        leader=leader,
        worker=worker,
        other=other,
        outsider=outsider,
        centre=desk,
        device=device,
        other_device=other_device,
        squad=squad.id,
        team=team.id,
        homes=tuple(home.id for home in homes),
    )


FORM = NewQuestionnaire(
    code="night",
    version=1,
    title="夜访（演示）",
    questions=(Question(code="gas_safe", kind=QuestionKind.YES_NO, text=("燃气安全？", "Gas safe?"), required=True),),
)


def household(n: int, **changes: Any) -> NewHousehold:
    """A household in the first cell, 100 m from the next."""
    place = Place(places.WEST + 0.002 + n * 0.001, places.SOUTH + 0.004, Datum.WGS84, 5.0)
    new = NewHousehold(
        address=f"演示路{n + 1}号",
        village=VILLAGE,
        place=place,
        residents=2,
        contact=f"1380000000{n}",
        consent=Consent.GIVEN,
        care_needs=(CareNeed.ELDERLY_ALONE,) if n == 0 else (),
    )
    return msgspec.structs.replace(new, **changes)


def new_round(stage: Stage, **changes: Any) -> NewRound:
    """Five evenings of the squad in its village."""
    new = NewRound(
        name="演示夜访",
        kind=Half.NIGHT,
        starts_on=date(2026, 11, 23),
        ends_on=date(2026, 11, 27),
        target=Target(area=VILLAGE),
        squads=(stage.squad,),
        questionnaire="night",
        questionnaire_version=1,
    )
    return msgspec.structs.replace(new, **changes)


def everything() -> PlanRequest:
    """Plan for all members, nothing by hand."""
    return PlanRequest()


def visit_body(home: UUID, started_at: datetime = EVENING, **changes: Any) -> dict[str, Any]:
    """What a phone says of a visit."""
    body: dict[str, Any] = {
        "household": str(home),
        "outcome": "met",
        "started_at": started_at.isoformat(),
        "ended_at": (started_at + timedelta(minutes=10)).isoformat(),
        "place": {"lon": places.WEST + 0.002, "lat": places.SOUTH + 0.004, "datum": "wgs84", "accuracy_m": 8.0},
        "questionnaire": "night",
        "questionnaire_version": 1,
        "answers": {"gas_safe": True},
    }
    return body | changes


def op(type_: str, body: dict[str, Any], entity: UUID | None = None, **changes: Any) -> dict[str, Any]:
    """One op as JSON has it."""
    made: dict[str, Any] = {
        "op_id": str(new_id()),
        "type": type_,
        "entity_id": str(entity or new_id()),
        "captured_at": EVENING.isoformat(),
        "depends_on": [],
        "body": body,
    }
    return made | changes


def push(stage: Stage, *ops: Any, **changes: Any) -> Push:
    """A push of the worker's phone."""
    made = Push(device_id=stage.device, app_schema=2, sent_at=EVENING + timedelta(hours=1), ops=ops)
    return msgspec.structs.replace(made, **changes)


def photo(**changes: Any) -> dict[str, Any]:
    """A photo by its hash."""
    made: dict[str, Any] = {
        "id": str(new_id()),
        "sha256": new_id().hex * 2,
        "size": 120_000,
        "media_type": "image/jpeg",
        "captured_at": EVENING.isoformat(),
        "place": {"lon": places.WEST + 0.002, "lat": places.SOUTH + 0.004, "datum": "wgs84"},
    }
    return made | changes


def acting(actor: Actor, device: UUID) -> Actor:
    """The actor signed in on a phone."""
    return msgspec.structs.replace(actor, device=device)
