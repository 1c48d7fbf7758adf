"""Loads the demo: the static district in one transaction, then activity; what is there already is kept."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from msgspec import Struct

from app.demo import accounts, reference
from app.demo.accounts import DemoAccount, DemoKey
from app.demo.district import FOUNDED, households, organisations, people, places
from app.demo.district.places import DISTRICT, Places
from app.demo.reference import Sensor
from app.kernel import actor, db
from app.kernel.actor import Actor, Membership, Role
from grid import commands as grid
from grid import facts
from visits import commands as visits

KINDS = ("small", "month")
PAST_DAYS, COMING_DAYS = 31, 8

Progress = Callable[[str, int, int], Any]
"""`progress(what, done, of)`."""


class Loaded(Struct, frozen=True, kw_only=True):
    """What a load made. `accounts` and `keys` are None when the district was there before."""

    fresh: bool
    accounts: list[DemoAccount] | None = None
    keys: dict[str, DemoKey] | None = None
    sensors: list[Sensor] | None = None


async def present() -> bool:
    """Whether the demo district is loaded."""
    async with db.transaction(DISTRICT):
        return bool(await facts.area_names([DISTRICT]))


async def district(kind: str, now: datetime, progress: Progress, keep: Callable[[Loaded], object]) -> Loaded:
    """Make the static district, all or nothing, if it is not there: places, people, accounts, households, reference.

    `keep` puts passwords and keys where people find them, before the commit: keys cannot be read again later.
    """
    if await present():
        return Loaded(fresh=False)
    made = places.build()
    units = organisations.build(made)
    staff = people.build(units)
    seats = accounts.plan(units, staff.people, staff.members)
    async with db.transaction(DISTRICT):
        told = await accounts.create(DISTRICT, seats, FOUNDED)
        progress("accounts 账号", len(seats), len(seats))
        keys = await accounts.create_keys(DISTRICT, now)
        persons, members = accounts.renamed(seats, told, staff.people, staff.members)
        first = date(now.year, now.month, now.day) - timedelta(days=PAST_DAYS)
        settlement = grid.Settlement(
            areas=made.areas,
            boundaries=made.boundaries,
            cells=made.cells,
            organisations=units,
            people=persons,
            members=members,
            shifts=people.shifts(units, persons, first, PAST_DAYS + COMING_DAYS),
        )
        await grid.settle(DISTRICT, settlement)
        progress("cells 网格", len(made.cells), len(made.cells))
        await _households(made, kind, now, progress)
        sensors = await reference.load(made, units, _centre(told), now)
        loaded = Loaded(fresh=True, accounts=told, keys=keys, sensors=sensors)
        keep(loaded)
    return loaded


def _centre(told: list[DemoAccount]) -> Actor:
    """The demo's district centre as an actor: what is published is published by somebody."""
    desk = next(each for each in told if each.role is Role.DISTRICT_CENTRE)
    membership = Membership(desk.role, desk.organisation, desk.area)
    return Actor(id=desk.id, kind="staff", district=DISTRICT, memberships=(membership,))


async def _households(made: Places, kind: str, now: datetime, progress: Progress) -> None:
    rows = households.build(made, kind)
    await visits.import_households(rows, actor.system(DISTRICT, "demo"), now)
    progress("households 户", len(rows), len(rows))


async def activity(kind: str, now: datetime, progress: Progress) -> bool:
    """Load the demo's activity (cases, visits, readings), if its generator is there; it knows what is loaded."""
    if find_spec("app.demo.activity") is None:
        return False
    module: Any = import_module("app.demo.activity")
    load: Callable[[str, datetime, Progress], Awaitable[object]] = module.load
    await load(kind, now, progress)
    return True
