"""What is read of the grid over HTTP: every answer within the reader's reach."""

from datetime import datetime
from typing import Any
from uuid import UUID

import shapely.geometry
from msgspec import Struct

from app.identity import scope
from app.identity.scope import Ownership, Reach
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.crs import Place
from grid import facts, store, tiles
from grid.areas import Area, Level, level_of
from grid.cells import Cell, Reason
from grid.organisations import Kind, Organisation
from grid.people import DutyShift, Person
from grid.problems import AreaNotFound, CellNotFound, OrganisationNotFound, PersonNotFound
from grid.tiles import Spot, Tile


class CellView(Struct, frozen=True, kw_only=True):
    """A cell without its polygon."""

    code: str
    village: str
    valid_from: datetime
    valid_to: datetime | None
    source: str


class CellFeature(Struct, frozen=True, kw_only=True, tag_field="type", tag="Feature"):
    """A cell as a GeoJSON feature, WGS-84."""

    id: str
    properties: CellView
    geometry: dict[str, Any]


class CellCollection(Struct, frozen=True, kw_only=True, tag_field="type", tag="FeatureCollection"):
    """Cells as GeoJSON (RFC 7946), WGS-84."""

    features: list[CellFeature]


class Whereabouts(Struct, frozen=True, kw_only=True):
    """Where a point belongs; longitude and latitude in WGS-84."""

    lon: float
    lat: float
    reason: Reason
    cell: str | None
    village: str | None
    town: str | None
    names: dict[str, str]


def _view(cell: Cell) -> CellView:
    return CellView(
        code=cell.code,
        village=cell.village,
        valid_from=cell.valid_from,
        valid_to=cell.valid_to,
        source=cell.source,
    )


def _feature(cell: Cell) -> CellFeature:
    return CellFeature(id=cell.code, properties=_view(cell), geometry=shapely.geometry.mapping(cell.polygon))


async def area(code: str, actor: Actor) -> Area:
    """A district, town or village; AreaNotFound when there is none in reach."""
    scope.require(actor, "grid.read", Ownership(area=code), AreaNotFound())
    if level_of(code) is None:
        raise AreaNotFound
    async with db.transaction(actor.district):
        found = await store.area(code)
    if found is None:
        raise AreaNotFound
    return found


async def children(code: str, actor: Actor, now: datetime) -> list[Area]:
    """Areas directly below one, by code."""
    await area(code, actor)
    async with db.transaction(actor.district):
        return await store.children(code, now)


async def cells_of(code: str, actor: Actor, at: datetime) -> CellCollection:
    """Cells of an area valid at that moment, as GeoJSON."""
    await area(code, actor)
    async with db.transaction(actor.district):
        return CellCollection(features=[_feature(cell) for cell in await store.cells([code], at)])


async def cell(code: str, actor: Actor) -> CellFeature:
    """A cell, ended or not, as a GeoJSON feature; CellNotFound when there is none in reach."""
    scope.require(actor, "grid.read", Ownership(area=code), CellNotFound())
    if level_of(code) is not Level.CELL:
        raise CellNotFound
    async with db.transaction(actor.district):
        found = await store.cell(code)
    if found is None:
        raise CellNotFound
    return _feature(found)


async def whereabouts(place: Place, actor: Actor, at: datetime) -> Whereabouts:
    """The cell, village and town of a point given in any datum."""
    scope.require_any(actor, "grid.locate")
    lon, lat = place.wgs84()
    async with db.transaction(actor.district):
        (located,) = await facts.locate([(lon, lat)], at)
        names = await facts.area_names([code for code in (located.village, located.town) if code])
    return Whereabouts(
        lon=lon,
        lat=lat,
        reason=located.reason,
        cell=located.cell,
        village=located.village,
        town=located.town,
        names=names,
    )


def _prefixes(reach: Reach, district: str) -> list[str]:
    return [district] if reach.everything else list(reach.areas)


async def cell_tile(spot: Spot, actor: Actor, at: datetime) -> Tile:
    """Vector tile of the cells in reach."""
    reach = scope.require_any(actor, "grid.read")
    async with db.transaction(actor.district):
        return tiles.tagged(await store.cell_tile(spot, _prefixes(reach, actor.district), at))


async def organisation(organisation_id: UUID, actor: Actor, now: datetime) -> Organisation:
    """An organisation, ended or not; OrganisationNotFound when there is none."""
    scope.require_any(actor, "organisation.read")
    async with db.transaction(actor.district):
        found = (await facts.directory(now)).get(organisation_id)
    if found is None:
        raise OrganisationNotFound
    return found


async def organisations(
    actor: Actor, now: datetime, kind: Kind | None, area: str, after: str, limit: int
) -> list[Organisation]:
    """Living organisations of an area and below, by code, after a code."""
    scope.require_any(actor, "organisation.read")
    async with db.transaction(actor.district):
        directory = await facts.directory(now)
    found = [
        each
        for each in directory.by_id.values()
        if each.alive(now) and (kind is None or each.kind is kind) and each.area.startswith(area) and each.code > after
    ]
    return sorted(found, key=lambda each: each.code)[:limit]


async def people(
    actor: Actor, now: datetime, organisation: UUID | None, after: UUID | None, limit: int
) -> list[Person]:
    """People at work in reach (of one organisation if named, squads included), by id, after an id."""
    reach = scope.require_any(actor, "person.read")
    async with db.transaction(actor.district):
        directory = await facts.directory(now)
        within = {
            each.id
            for each in directory.by_id.values()
            if reach.covers(Ownership(area=each.area, organisations=directory.ancestors(each.id)))
        }
        if organisation is None:
            return await store.people_of(list(within), now, after, limit, own=reach.person)
        if organisation not in within:
            raise OrganisationNotFound
        members = await facts.members(organisation, now)
    return [each for each in members if after is None or each.id > after][:limit]


async def person(person_id: UUID, actor: Actor, now: datetime) -> Person:
    """A person in reach, or PersonNotFound."""
    reach = scope.require_any(actor, "person.read")
    async with db.transaction(actor.district):
        found = (await facts.people([person_id])).get(person_id)
        directory = await facts.directory(now)
    home = None if found is None else directory.get(found.organisation)
    ownership = Ownership(
        area=None if home is None else home.area,
        organisations=frozenset() if home is None else directory.ancestors(home.id),
        persons=frozenset({person_id}),
    )
    if found is None or not reach.covers(ownership):
        raise PersonNotFound
    return found


async def on_duty(code: str, actor: Actor, at: datetime) -> list[DutyShift]:
    """Who is on duty at a place and time."""
    scope.require(actor, "duty.read", Ownership(area=code), AreaNotFound())
    if level_of(code) is None:
        raise AreaNotFound
    async with db.transaction(actor.district):
        return await facts.on_duty(code, at)
