"""Coverage of a round and what happened at the doors, by area: as numbers, as GeoJSON and as vector tiles, in reach.

The smallest thing on a map is a cell, never a household; and whoever sees a cell's numbers may read its households.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import shapely.geometry
from msgspec import Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import invalid
from grid import facts as grid_facts
from grid.tiles import Spot, Tile
from visits import map_store, round_commands
from visits.coverage import Coverage, Heat, Level, figures

LONGEST = timedelta(days=366)
USUAL = timedelta(days=30)


class Span(Struct, frozen=True):
    """A span of time; the end is exclusive."""

    since: datetime
    until: datetime


class CoverageFeature(Struct, frozen=True, kw_only=True, tag_field="type", tag="Feature"):
    """An area with its coverage, WGS-84; without geometry where the area has no shape."""

    id: str
    properties: Coverage
    geometry: dict[str, Any] | None


class CoverageMap(Struct, frozen=True, kw_only=True, tag_field="type", tag="FeatureCollection"):
    """Coverage as GeoJSON (RFC 7946)."""

    features: list[CoverageFeature]


class HeatFeature(Struct, frozen=True, kw_only=True, tag_field="type", tag="Feature"):
    """An area with what happened at its doors, WGS-84; without geometry where the area has no shape."""

    id: str
    properties: Heat
    geometry: dict[str, Any] | None


class HeatMap(Struct, frozen=True, kw_only=True, tag_field="type", tag="FeatureCollection"):
    """What happened at the doors, as GeoJSON (RFC 7946)."""

    features: list[HeatFeature]


def span(since: datetime | None, until: datetime | None, now: datetime) -> Span:
    """Return the span asked for: thirty days up to now unless said otherwise, a year at most. Invalid."""
    if any(each is not None and each.tzinfo is None for each in (since, until)):
        raise invalid("since", "时间须带时区", "a time needs its zone, such as 2026-11-23T12:00:00+08:00")
    end = until or now
    if not 1900 <= end.year < 9000:
        raise invalid("until", "年份超出范围", "the year is out of range")
    begin = since or end - USUAL
    if not timedelta() < end - begin <= LONGEST:
        raise invalid("since", "应早于结束，最多一年", "must lie before the end, by a year at most")
    return Span(begin, end)


async def coverage(round_id: UUID, level: Level, actor: Actor) -> list[Coverage]:
    """Return how far a round has come, by area at a level; whoever was only given something of it sees their own."""
    person = await round_commands.seen_by(round_id, actor)
    async with db.transaction(actor.district):
        return await map_store.coverage(round_id, level, person)


async def coverage_map(round_id: UUID, level: Level, actor: Actor) -> CoverageMap:
    """Return the same with the shapes of the areas."""
    rows = await coverage(round_id, level, actor)
    shapes = await _shapes([row.area for row in rows], actor)
    return CoverageMap(
        features=[CoverageFeature(id=row.area, properties=row, geometry=shapes.get(row.area)) for row in rows]
    )


async def coverage_tile(spot: Spot, round_id: UUID, actor: Actor) -> Tile:
    """Return the vector tile of a round's cells, layer `coverage`."""
    return await _tile(spot, "coverage", await coverage(round_id, Level.CELL, actor), actor)


async def heat(during: Span, area: str | None, level: Level, actor: Actor) -> list[Heat]:
    """Return what happened at the doors in reach in a span, by area at a level, below one area if named."""
    reach = scope.require_any(actor, "visit.read")
    async with db.transaction(actor.district):
        return await map_store.heat(reach, during.since, during.until, area, level)


async def heat_map(during: Span, area: str | None, level: Level, actor: Actor) -> HeatMap:
    """Return the same with the shapes of the areas."""
    rows = await heat(during, area, level, actor)
    shapes = await _shapes([row.area for row in rows], actor)
    return HeatMap(features=[HeatFeature(id=row.area, properties=row, geometry=shapes.get(row.area)) for row in rows])


async def heat_tile(spot: Spot, during: Span, actor: Actor) -> Tile:
    """Return the vector tile of the cells where something happened, layer `heat`."""
    return await _tile(spot, "heat", await heat(during, None, Level.CELL, actor), actor)


async def _tile(spot: Spot, layer: str, rows: Sequence[Coverage | Heat], actor: Actor) -> Tile:
    async with db.transaction(actor.district):
        return await grid_facts.figure_tile(spot, layer, {row.area: figures(row) for row in rows})


async def _shapes(areas: Sequence[str], actor: Actor) -> dict[str, dict[str, Any]]:
    async with db.transaction(actor.district):
        shapes = await grid_facts.shapes(areas)
    return {code: shapely.geometry.mapping(shape) for code, shape in shapes.items()}
