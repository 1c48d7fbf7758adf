"""An underpass of a made-up district: its water-level sensor, the rule on it, the bureau that owns it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from app.kernel.actor import Actor, Membership, Role, system
from app.kernel.ids import new_id
from grid import store as grid_store
from grid.organisations import Kind
from tasks.sensing import commands
from tasks.sensing.commands import Registered
from tasks.sensing.devices import Answer, Incoming, NewChannel, NewDevice
from tests.grid.places import SIDE, SOUTH, WEST, organisation, settle

DISTRICT, TOWN = "330109", "330109001"
SYSTEM = system(DISTRICT, "sensing")
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
RULE: dict[str, Any] = {
    "name": "underpass",
    "kind": "water_level",
    "channel": "level",
    "item": "S001",
    "on": 10,
    "off": 8,
    "clear_for": 60,
    "severity": "urgent",
    "title": "下穿通道积水",
}


class Underpass(Struct, frozen=True):
    """What a test needs of it."""

    sensor: Registered
    owner: UUID
    centre: Actor
    machine: Actor
    channel: UUID


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def staff(role: Role, organisation: UUID | None = None, area: str = DISTRICT) -> Actor:
    return Actor(id=new_id(), kind="staff", district=DISTRICT, memberships=(Membership(role, organisation, area),))


def sensor(code: str, owner: UUID, **changes: Any) -> NewDevice:
    fields: dict[str, Any] = {
        "code": code,
        "name": "育才路下穿（演示）",
        "kind": "water_level",
        "owner": owner,
        "channels": (NewChannel(name="level", unit="cm", low=-5, high=400, spike=50),),
        "lon": WEST + SIDE / 2,
        "lat": SOUTH + SIDE / 2,
        "address": "育才路下穿通道",
    }
    return NewDevice(**fields | changes)


async def build(rule: dict[str, Any] | None = None) -> Underpass:
    """Write the district, the bureau, the sensor and the rule."""
    async with db.transaction(DISTRICT):
        await settle()
        centre = organisation(Kind.CENTRE, "C-centre")
        bureau = organisation(Kind.DEPARTMENT, "交通运输局", parent=centre.id)
        await grid_store.add_organisations([centre, bureau], new_id())
    clerk = staff(Role.DISTRICT_CENTRE, centre.id)
    registered = await commands.register_device(sensor("WL-1", bureau.id), clerk, NOON - timedelta(days=1))
    await commands.publish_rule(RULE | (rule or {}), clerk, NOON - timedelta(days=1))
    machine = await commands.authenticate(DISTRICT, registered.key or "", NOON)
    assert machine is not None
    return Underpass(registered, bureau.id, clerk, machine, registered.channels[0].id)


async def send(
    place: Underpass, *pairs: tuple[float, float], now: float | None = None, device: str = "WL-1"
) -> list[Answer]:
    """Record (seconds after noon, value) pairs, by default at the time of the last."""
    records = [Incoming(device=device, channel="level", at=at(s), value=v) for s, v in pairs]
    return await commands.record(records, place.machine, at(now if now is not None else max(s for s, _ in pairs)))


async def count(table: str, where: str = "true") -> int:
    async with db.transaction(DISTRICT):
        return await db.fetchval(f"select count(*) from {table} where {where}")
