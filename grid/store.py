"""Every query of the grid; the caller opens the transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from shapely import MultiPolygon

from app.kernel import db
from grid import spatial
from grid.areas import Area
from grid.cells import REACH_M, Cell, Located, Point, metres_per_degree, place
from grid.duty import OnDuty
from grid.organisations import Organisation
from grid.people import DutyShift, Person, SquadMember
from grid.tables import AreaRow, CellRow
from grid.tiles import Spot

T = TypeVar("T", bound=Struct)

CELLS = spatial.layer(CellRow.polygon, "code")
DISTRICT = spatial.layer(AreaRow.boundary, "code")

_VALID = "valid_from <= $1 and (valid_to is null or valid_to > $1)"


def _columns(kind: type[Struct]) -> str:
    return ", ".join(kind.__struct_fields__)


def _read(rows: Iterable[Any], kind: type[T]) -> list[T]:
    return [msgspec.convert(dict(row), kind) for row in rows]


async def _write(table: str, values: Sequence[Struct]) -> int:
    if not values:
        return 0
    columns = type(values[0]).__struct_fields__
    return await db.copy(table, columns, (msgspec.structs.astuple(each) for each in values))


# --- areas


async def add_areas(areas: Sequence[Area], boundaries: Mapping[str, MultiPolygon]) -> int:
    """Write areas (parents first) with the boundaries known for them."""
    fields = Area.__struct_fields__
    records = ((*msgspec.structs.astuple(each), boundaries.get(each.code)) for each in areas)
    return await db.copy("area", (*fields, "boundary"), records)


async def lock_cells(district: str) -> None:
    """Let nobody else change cells of the district until this transaction ends."""
    await db.execute("select 1 from area where code = $1 for no key update", district)


async def hold_cells(district: str) -> None:
    """Let nobody change cells of the district until this transaction ends; many may hold them at a time."""
    await db.execute("select 1 from area where code = $1 for share", district)


async def area_codes(below: str) -> frozenset[str]:
    """Codes of all areas that begin with `below`, ended ones too."""
    rows = await db.fetch("select code from area where starts_with(code, $1)", below)
    return frozenset(row["code"] for row in rows)


async def area(code: str) -> Area | None:
    """The area of a code, ended or not."""
    found = _read(await db.fetch(f"select {_columns(Area)} from area where code = $1", code), Area)
    return found[0] if found else None


async def children(parent: str, at: datetime) -> list[Area]:
    """Areas directly below one, by code."""
    rows = await db.fetch(f"select {_columns(Area)} from area where {_VALID} and parent = $2 order by code", at, parent)
    return _read(rows, Area)


async def area_names(codes: Sequence[str]) -> dict[str, str]:
    """Code → name of the areas asked for."""
    rows = await db.fetch("select code, name from area where code = any($1::text[])", list(codes))
    return {row["code"]: row["name"] for row in rows}


async def boundaries(codes: Sequence[str]) -> dict[str, MultiPolygon]:
    """Code → boundary of those areas that have one."""
    rows = await db.fetch(
        "select code, boundary from area where code = any($1::text[]) and boundary is not null", list(codes)
    )
    return {row["code"]: row["boundary"] for row in rows}


# --- cells


async def add_cells(cells: Sequence[Cell]) -> int:
    """Write cells."""
    records = ((c.code, c.village, c.polygon, c.valid_from, c.valid_to, c.source) for c in cells)
    return await db.copy("cell", ("code", "village", "polygon", "valid_from", "valid_to", "source"), records)


async def end_cells(codes: Sequence[str], at: datetime) -> int:
    """End living cells; their codes are never used again."""
    return await db.execute(
        "update cell set valid_to = $1 where code = any($2::text[]) and valid_to is null", at, list(codes)
    )


def _cell(row: Any) -> Cell:
    return Cell(
        code=row["code"],
        polygon=row["polygon"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        source=row["source"],
    )


async def cells(prefixes: Sequence[str], at: datetime) -> list[Cell]:
    """Cells valid at that moment whose code begins with one of the prefixes, by code."""
    rows = await db.fetch(
        f"select code, polygon, valid_from, valid_to, source from cell where {_VALID}"
        " and exists (select 1 from unnest($2::text[]) as prefix where starts_with(code, prefix)) order by code",
        at,
        list(prefixes),
    )
    return [_cell(row) for row in rows]


async def cell(code: str) -> Cell | None:
    """The cell of a code, ended or not."""
    row = await db.fetchrow("select code, polygon, valid_from, valid_to, source from cell where code = $1", code)
    return None if row is None else _cell(row)


async def known_cells(codes: Sequence[str]) -> frozenset[str]:
    """Those of the codes that were ever used."""
    rows = await db.fetch("select code from cell where code = any($1::text[])", list(codes))
    return frozenset(row["code"] for row in rows)


async def locate(points: Sequence[Point], at: datetime, district: str, reach_m: float = REACH_M) -> list[Located]:
    """Where each point (longitude, latitude in WGS-84 degrees) belongs, in order; one statement."""
    if len(points) == 1:
        return [await _locate_one(points[0], at, district, reach_m)]
    scales = [metres_per_degree(lat) for _, lat in points]
    statement = spatial.locating(CELLS, DISTRICT).bind(
        lons=[lon for lon, _ in points],
        lats=[lat for _, lat in points],
        kxs=[kx for kx, _ in scales],
        kys=[ky for _, ky in scales],
        at=at,
        district=district,
        reach_m=reach_m,
    )
    return [place(row["covered"], row["nearest"], row["inside"]) for row in await db.fetch(*statement)]


async def _locate_one(point: Point, at: datetime, district: str, reach_m: float) -> Located:
    lon, lat = point
    kx, ky = metres_per_degree(lat)
    statement = spatial.locating_one(CELLS, DISTRICT)
    rows = await db.fetch(*statement.bind(lon=lon, lat=lat, kx=kx, ky=ky, at=at, district=district, reach_m=reach_m))
    return place(rows[0]["covered"], rows[0]["nearest"], rows[0]["inside"])


async def cell_tile(spot: Spot, prefixes: Sequence[str], at: datetime) -> bytes:
    """Mapbox vector tile of the cells valid at that moment below one of the prefixes (layer `cells`)."""
    where = (
        "valid_from <= :at and (valid_to is null or valid_to > :at)"
        " and exists (select 1 from unnest(:prefixes ::text[]) as prefix where starts_with(code, prefix))"
    )
    statement = spatial.tile(CELLS, "cells", ("village", "source"), where)
    return await db.fetchval(*statement.bind(z=spot.z, x=spot.x, y=spot.y, at=at, prefixes=list(prefixes)))


async def figure_tile(spot: Spot, layer: str, figures: Mapping[str, Mapping[str, int]]) -> bytes:
    """Mapbox vector tile of the cells that have figures (code → name → number), ended ones too."""
    statement = spatial.tile_of_figures(CELLS, layer)
    values = [dict(each) for each in figures.values()]
    return await db.fetchval(*statement.bind(z=spot.z, x=spot.x, y=spot.y, keys=list(figures), figures=values))


async def shapes(codes: Sequence[str]) -> dict[str, MultiPolygon]:
    """Code → shape of cells (ended ones too), and of villages, towns and districts that have a boundary."""
    rows = await db.fetch("select code, polygon from cell where code = any($1::text[])", list(codes))
    return {row["code"]: row["polygon"] for row in rows} | await boundaries(codes)


# --- organisations


async def add_organisations(organisations: Sequence[Organisation], mark: UUID) -> int:
    """Write organisations (parents first) and mark the state as new."""
    written = await _write("organisation", organisations)
    await _renew(mark)
    return written


async def end_organisation(organisation: UUID, at: datetime, successor: UUID | None, mark: UUID) -> bool:
    """End a living organisation; False when there is none."""
    ended = await db.execute(
        "update organisation set ended_at = $2, successor = $3 where id = $1 and ended_at is null",
        organisation,
        at,
        successor,
    )
    await _renew(mark)
    return ended == 1


async def _renew(mark: UUID) -> None:
    await db.execute(
        "insert into organisation_mark (id, mark) values (1, $1) on conflict (id) do update set mark = excluded.mark",
        mark,
    )


async def organisations_mark() -> UUID | None:
    """The mark of the newest state of all organisations, None before the first."""
    return await db.fetchval("select mark from organisation_mark where id = 1")


async def organisations() -> list[Organisation]:
    """All organisations, ended ones too."""
    return _read(await db.fetch(f"select {_columns(Organisation)} from organisation"), Organisation)


# --- people and duty


async def add_people(people: Sequence[Person]) -> int:
    """Write people."""
    return await _write("person", people)


async def add_squad_members(members: Sequence[SquadMember]) -> int:
    """Write who is in which squad."""
    return await _write("squad_member", members)


async def squad_member(squad: UUID, person: UUID, at: datetime) -> SquadMember | None:
    """Somebody's present time in a squad, if they are in it."""
    rows = await db.fetch(
        f"select {_columns(SquadMember)} from squad_member where squad = $2 and person = $3 and {_AT_WORK} order by id",
        at,
        squad,
        person,
    )
    return _read(rows, SquadMember)[0] if rows else None


async def end_squad_member(member: UUID, at: datetime) -> None:
    """End somebody's time in a squad; it lasted a moment, even by a clock that is behind the one it began by."""
    sql = "update squad_member set ended_at = greatest($2, started_at + interval '1 microsecond') where id = $1"
    await db.execute(sql, member, at)


async def change_shifts(mark: UUID) -> None:
    """Mark who is on duty as changed, as when a squad gets or loses a member."""
    await _renew(mark)


async def add_shifts(shifts: Sequence[DutyShift], mark: UUID) -> int:
    """Write duty shifts and mark the state as new."""
    written = await _write("duty_shift", shifts)
    await _renew(mark)
    return written


async def roster(since: datetime, until: datetime) -> list[OnDuty]:
    """Organisations with a shift that touches the span, and squads of which a member has one; by organisation.

    A squad is on duty where it belongs, or deeper where its member's shift is.
    """
    rows = await db.fetch(
        "select organisation, area, starts_at, ends_at from duty_shift where starts_at < $2 and ends_at > $1"
        " union all select o.id, case when starts_with(d.area, o.area) then d.area else o.area end,"
        " greatest(d.starts_at, m.started_at), least(d.ends_at, m.ended_at)"
        " from duty_shift d join squad_member m on m.person = d.person and m.started_at < d.ends_at"
        " and (m.ended_at is null or m.ended_at > d.starts_at) join organisation o on o.id = m.squad"
        " where d.starts_at < $2 and d.ends_at > $1 order by 1, 2, 3",
        since,
        until,
    )
    return _read(rows, OnDuty)


async def end_person(person: UUID, at: datetime, mark: UUID) -> None:
    """End somebody's time in their organisation and squads, and the shift that is running; mark the state as new."""
    for table, whose in (("person", "id"), ("squad_member", "person")):
        await db.execute(
            f"update {table} set ended_at = $2 where {whose} = $1 and (ended_at is null or ended_at > $2)"
            " and started_at < $2",
            person,
            at,
        )
    await db.execute(
        "update duty_shift set ends_at = $2 where person = $1 and starts_at < $2 and ends_at > $2", person, at
    )
    await _renew(mark)


async def give_shifts(source: UUID, target: UUID, at: datetime) -> int:
    """Give somebody's coming shifts to somebody else and return how many."""
    return await db.execute(
        "update duty_shift set person = $2 where person = $1 and starts_at >= $3", source, target, at
    )


_AT_WORK = "started_at <= $1 and (ended_at is null or ended_at > $1)"


async def hold_people(ids: Sequence[UUID]) -> None:
    """Lock people, by id (always the same order, so that nobody waits in a ring)."""
    await db.execute("select 1 from person where id = any($1::uuid[]) order by id for no key update", list(ids))


async def people(ids: Sequence[UUID]) -> list[Person]:
    """The people of those ids, whether or not they still work here."""
    return _read(await db.fetch(f"select {_columns(Person)} from person where id = any($1::uuid[])", list(ids)), Person)


async def people_of(
    organisations: Sequence[UUID] | None, at: datetime, after: UUID | None, limit: int, own: UUID | None = None
) -> list[Person]:
    """People at work in those organisations (None: in any) or the person `own`, by id, after an id."""
    rows = await db.fetch(
        f"select {_columns(Person)} from person where {_AT_WORK}"
        " and ($2::uuid[] is null or organisation = any($2::uuid[]) or id = $5::uuid)"
        " and ($3::uuid is null or id > $3::uuid) order by id limit $4",
        at,
        None if organisations is None else list(organisations),
        after,
        limit,
        own,
    )
    return _read(rows, Person)


async def members(organisation: UUID, at: datetime) -> list[Person]:
    """People whose organisation it is, and members of a squad, at that moment; by id."""
    rows = await db.fetch(
        f"select {_columns(Person)} from person where {_AT_WORK} and (organisation = $2 or id in"
        f" (select person from squad_member where squad = $2 and {_AT_WORK})) order by id",
        at,
        organisation,
    )
    return _read(rows, Person)


async def on_duty(area: str, at: datetime) -> list[DutyShift]:
    """Shifts at that moment in the area: of an area above it, of itself and of those below it; nearest areas first."""
    above = [area[:length] for length in (6, 9, 12, 15) if length <= len(area)]
    rows = await db.fetch(
        f"select {_columns(DutyShift)} from duty_shift where starts_at <= $1 and ends_at > $1"
        " and (area = any($2::text[]) or starts_with(area, $3)) order by length(area) desc, area, id",
        at,
        above,
        area,
    )
    return _read(rows, DutyShift)
