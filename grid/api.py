"""Areas, cells, organisations, people and duty over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.kernel.actor import Actor
from app.kernel.crs import Datum, Place
from app.kernel.problem import invalid
from grid import commands, queries, squad_commands, tiles
from grid.areas import Area
from grid.commands import EndOrganisation, ImportReport, NewOrganisation, NewShift, Redraw
from grid.imports import FeatureCollection
from grid.organisations import Kind, Organisation
from grid.people import DutyShift, Person, SquadMember
from grid.queries import CellCollection, CellFeature, Whereabouts
from grid.squad_commands import NewMember
from grid.tiles import Tile

# Litestar enforces the bounds of a query parameter only when they stand in its own marker.
Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Prefix = Annotated[str, QueryParameter(pattern=r"^[0-9]{0,15}$", description="code of an area 区域代码")]

GRID: dict[str, Any] = {"action": "grid.read"}


def _page(request: Request[Any, Any, Any], rows: list[Any], limit: int, after: str) -> Response[Any]:
    """The rows, with a Link to the next page when there may be one (RFC 8288)."""
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | {"after": after, "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


def _moment(at: datetime | None, now: datetime) -> datetime:
    """The moment asked for, or now; Invalid when it names no zone."""
    if at is not None and at.tzinfo is None:
        raise invalid("at", "时间须带时区", "a time needs its zone, such as 2026-11-23T12:00:00+08:00")
    return at or now


def tile_answer(found: Tile, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The tile, or 304 to whoever has it already; only for who asked, as others may see other cells."""
    headers = {"ETag": found.etag, "Cache-Control": "private, max-age=60", "Vary": "Authorization"}
    if request.headers.get("if-none-match") == found.etag:
        return Response(b"", status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=tiles.MEDIA_TYPE)


@get("/areas/{code:str}", opt=GRID, tags=["grid"])
async def area(code: FromPath[str], actor: NamedDependency[Actor]) -> Area:
    """Show a district, town or village by its code of 6, 9 or 12 digits."""
    return await queries.area(code, actor)


@get("/areas/{code:str}/children", opt=GRID, tags=["grid"])
async def children(code: FromPath[str], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[Area]:
    """List the areas directly below one, by code."""
    return await queries.children(code, actor, now)


@get("/areas/{code:str}/cells", opt=GRID, tags=["grid"])
async def cells_of(
    code: FromPath[str],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    at: FromQuery[datetime | None] = None,
) -> CellCollection:
    """List the cells of an area as GeoJSON (WGS-84), now or at a moment."""
    return await queries.cells_of(code, actor, _moment(at, now))


@get("/cells/locate", opt={"action": "grid.locate"}, tags=["grid"])
async def locate(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    lon: FromQuery[float],
    lat: FromQuery[float],
    datum: FromQuery[Datum],
) -> Whereabouts:
    """Tell the cell, village and town of a point, and why: covered, nearest (within 200 m), between or outside."""
    try:
        place = Place(lon, lat, datum)
    except ValueError as error:
        raise invalid("lon", "坐标超出范围", str(error)) from error
    return await queries.whereabouts(place, actor, now)


@get("/cells/{code:str}", opt=GRID, tags=["grid"])
async def cell(code: FromPath[str], actor: NamedDependency[Actor]) -> CellFeature:
    """Show a cell, ended or not, as a GeoJSON feature (WGS-84)."""
    return await queries.cell(code, actor)


@post("/cells/import", opt={"action": "grid.manage"}, tags=["grid"], status_code=200, request_max_body_size=60_000_000)
async def import_cells(
    data: JSONBody[FeatureCollection],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    datum: FromQuery[Datum],
    dry_run: FromQuery[bool] = False,
    replace: FromQuery[bool] = False,
) -> ImportReport:
    """Take all cells of a GeoJSON file, or none; `dry_run` only reports, `replace` ends the villages' present cells."""
    return await commands.import_cells(data, datum, actor, now, source="import", replace=replace, dry_run=dry_run)


@post("/cells/redraw", opt={"action": "grid.manage"}, tags=["grid"], status_code=200, request_max_body_size=60_000_000)
async def redraw_cells(
    data: JSONBody[Redraw],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    dry_run: FromQuery[bool] = False,
) -> ImportReport:
    """Split, merge or redraw cells: those named end, new ones take their whole ground; `dry_run` only reports."""
    return await commands.redraw_cells(data, actor, now, dry_run=dry_run)


@get("/tiles/cells/{z:int}/{x:int}/{tile:str}", opt=GRID, tags=["grid"], media_type=tiles.MEDIA_TYPE)
async def cell_tile(
    z: FromPath[int],
    x: FromPath[int],
    tile: FromPath[str],
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Give the cells in reach as a Mapbox vector tile `{y}.mvt` (layer `cells`), with an ETag."""
    return tile_answer(await queries.cell_tile(tiles.spot(z, x, tile), actor, now), request)


@get("/organisations", opt={"action": "organisation.read"}, tags=["organisations"])
async def organisations(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[Kind | None] = None,
    area: Prefix = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> Response[list[Organisation]]:
    """List living organisations by code, of one kind or area (and below) if named."""
    rows = await queries.organisations(actor, now, kind, area, after, limit)
    return _page(request, rows, limit, rows[-1].code if rows else "")


@post("/organisations", opt={"action": "organisation.manage"}, tags=["organisations"])
async def found_organisation(
    data: JSONBody[NewOrganisation], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Organisation:
    """Found an organisation."""
    return await commands.found_organisation(data, actor, now)


@get("/organisations/{organisation_id:uuid}", opt={"action": "organisation.read"}, tags=["organisations"])
async def organisation(
    organisation_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Organisation:
    """Show an organisation, ended or not."""
    return await queries.organisation(organisation_id, actor, now)


@post(
    "/organisations/{organisation_id:uuid}/end",
    opt={"action": "organisation.manage"},
    tags=["organisations"],
    status_code=200,
)
async def end_organisation(
    organisation_id: FromPath[UUID],
    data: JSONBody[EndOrganisation],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Organisation:
    """End an organisation; its open work goes to the successor, if one is named."""
    return await commands.end_organisation(organisation_id, data, actor, now)


@post("/squads/{squad_id:uuid}/members", opt={"action": "squad.manage"}, tags=["organisations"])
async def join_squad(
    squad_id: FromPath[UUID],
    data: JSONBody[NewMember],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> SquadMember:
    """Take somebody of any force into a squad; they get a role in it over its area. Again changes nothing."""
    return await squad_commands.join(squad_id, data, actor, now)


@post(
    "/squads/{squad_id:uuid}/members/{person_id:uuid}/end",
    opt={"action": "squad.manage"},
    tags=["organisations"],
    status_code=200,
)
async def leave_squad(
    squad_id: FromPath[UUID],
    person_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> SquadMember:
    """End somebody's time in a squad and their role in it; what they have still to visit is to be reassigned."""
    return await squad_commands.leave(squad_id, person_id, actor, now)


@get("/people", opt={"action": "person.read"}, tags=["organisations"])
async def people(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    organisation: FromQuery[UUID | None] = None,
    after: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> Response[list[Person]]:
    """List people at work within reach, of one organisation or squad if named."""
    rows = await queries.people(actor, now, organisation, after, limit)
    return _page(request, rows, limit, str(rows[-1].id) if rows else "")


@get("/people/{person_id:uuid}", opt={"action": "person.read"}, tags=["organisations"])
async def person(person_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Person:
    """Show a person within reach."""
    return await queries.person(person_id, actor, now)


@get("/areas/{code:str}/duty", opt={"action": "duty.read"}, tags=["organisations"])
async def on_duty(
    code: FromPath[str],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    at: FromQuery[datetime | None] = None,
) -> list[DutyShift]:
    """Tell who is on duty in an area or cell, now or at a moment; nearest areas first."""
    return await queries.on_duty(code, actor, _moment(at, now))


@post("/duty-shifts", opt={"action": "duty.manage"}, tags=["organisations"])
async def plan_shift(data: JSONBody[NewShift], actor: NamedDependency[Actor]) -> DutyShift:
    """Put a person on duty in an area."""
    return await commands.plan_shift(data, actor)


routes: list[Any] = [
    area,
    children,
    cells_of,
    locate,
    cell,
    import_cells,
    redraw_cells,
    cell_tile,
    organisations,
    found_organisation,
    organisation,
    end_organisation,
    join_squad,
    leave_squad,
    people,
    person,
    on_duty,
    plan_shift,
]
