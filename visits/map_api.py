"""Map layers of field work over HTTP, GeoJSON and vector tiles: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from app.kernel.actor import Actor
from grid import tiles
from grid.api import tile_answer
from visits import map_commands
from visits.coverage import Coverage, Heat, Level
from visits.map_commands import CoverageMap, HeatMap

ROUNDS: dict[str, Any] = {"action": "round.read"}
VISITS: dict[str, Any] = {"action": "visit.read"}
Area = Annotated[str | None, QueryParameter(pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$")]


@get("/rounds/{round_id:uuid}/coverage", opt=ROUNDS, tags=["visits"])
async def coverage(
    round_id: FromPath[UUID], actor: NamedDependency[Actor], level: FromQuery[Level] = Level.CELL
) -> list[Coverage]:
    """Show households due, met, absent, refused, by day and by night, and demands, per area of a level."""
    return await map_commands.coverage(round_id, level, actor)


@get("/rounds/{round_id:uuid}/coverage/map", opt=ROUNDS, tags=["visits"])
async def coverage_map(
    round_id: FromPath[UUID], actor: NamedDependency[Actor], level: FromQuery[Level] = Level.CELL
) -> CoverageMap:
    """Show the coverage of a round as GeoJSON (WGS-84); an area without a shape comes without geometry."""
    return await map_commands.coverage_map(round_id, level, actor)


@get(
    "/tiles/rounds/{round_id:uuid}/coverage/{z:int}/{x:int}/{tile:str}",
    opt=ROUNDS,
    tags=["visits"],
    media_type=tiles.MEDIA_TYPE,
)
async def coverage_tile(
    round_id: FromPath[UUID],
    z: FromPath[int],
    x: FromPath[int],
    tile: FromPath[str],
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
) -> Response[bytes]:
    """Give the cells of a round with their coverage as a Mapbox vector tile `{y}.mvt` (layer `coverage`), with an ETag.

    Numbers by half of the day are `day_due`, `day_met`, … and `night_due`, `night_met`, …
    """
    return tile_answer(await map_commands.coverage_tile(tiles.spot(z, x, tile), round_id, actor), request)


@get("/visits/heat", opt=VISITS, tags=["visits"])
async def heat(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    area: Area = None,
    level: FromQuery[Level] = Level.CELL,
) -> list[Heat]:
    """Count visits by outcome and half of the day, and demands, per area of a level; thirty days by default."""
    return await map_commands.heat(map_commands.span(since, until, now), area, level, actor)


@get("/visits/heat/map", opt=VISITS, tags=["visits"])
async def heat_map(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    area: Area = None,
    level: FromQuery[Level] = Level.CELL,
) -> HeatMap:
    """Show the same as GeoJSON (WGS-84); an area without a shape comes without geometry."""
    return await map_commands.heat_map(map_commands.span(since, until, now), area, level, actor)


@get("/tiles/visits/{z:int}/{x:int}/{tile:str}", opt=VISITS, tags=["visits"], media_type=tiles.MEDIA_TYPE)
async def heat_tile(
    z: FromPath[int],
    x: FromPath[int],
    tile: FromPath[str],
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Response[bytes]:
    """Give the same per cell as a Mapbox vector tile `{y}.mvt` (layer `heat`), with an ETag."""
    during = map_commands.span(since, until, now)
    return tile_answer(await map_commands.heat_tile(tiles.spot(z, x, tile), during, actor), request)


routes: list[Any] = [coverage, coverage_map, coverage_tile, heat, heat_map, heat_tile]
