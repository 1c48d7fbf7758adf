"""Every ST_ expression of the product: builders over a geometry column passed in, compiled once, run by each store.

GeoAlchemy2 builds and SQLAlchemy compiles for asyncpg; the text runs on Piccolo's current transaction connection:
`await db.fetch(*statement.bind(lon=120.26, lat=30.18, …))`. Nothing here knows anybody's tables or holds a connection.
"""

from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from geoalchemy2 import Geography, Geometry
from geoalchemy2 import functions as geo
from msgspec import Struct
from sqlalchemy.dialects.postgresql import JSONB, asyncpg
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import Double, String

from grid.cells import BORDER
from grid.columns import SRID, GeometryColumn

# SQLAlchemy publishes the dialect class without annotations.
_DIALECT: Any = asyncpg.dialect()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

Expression = ColumnElement[Any]

_select: Any = sa.select  # GeoAlchemy2's functions state no result types: what is built of them is checked by tests


class Statement(Struct, frozen=True):
    """Compiled SQL with the names of its parameters, in order."""

    sql: str
    names: tuple[str, ...]

    def bind(self, **values: Any) -> tuple[Any, ...]:
        """`(sql, *arguments)` for `db.fetch`; KeyError when a parameter is missing."""
        return (self.sql, *(values[name] for name in self.names))


class Layer(NamedTuple):
    """A geometry column by name, with the key of its table."""

    relation: str
    geometry: str
    kind: str
    key: str

    def table(self, alias: str | None = None) -> Any:
        """The table as SQLAlchemy sees it: the key, the geometry and the dates of validity."""
        table = sa.table(
            self.relation,
            sa.column(self.key, String),
            sa.column(self.geometry, Geometry(self.kind, srid=SRID, spatial_index=False)),
            sa.column("valid_from"),
            sa.column("valid_to"),
        )
        return table if alias is None else table.alias(alias)


def layer(column: GeometryColumn, key: str = "id") -> Layer:
    """The names a builder needs of a Piccolo geometry column; they are what compiled texts are kept by.

    (A Piccolo column itself is no key: its `==` builds a query and is always true.)
    """
    return Layer(column.relation, column.name, column.kind, key)


def _compiled(statement: Any) -> Statement:
    compiled: Any = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Statement(str(compiled), tuple(compiled.positiontup or ()))


def _number(name: str) -> Expression:
    return sa.bindparam(name, type_=Double)


def _constant(value: float | str) -> Expression:
    """A constant in the text of the statement, where the planner sees it."""
    return sa.literal_column(f"'{value}'" if isinstance(value, str) else repr(value))


_SRID, _BORDER = _constant(SRID), _constant(BORDER)


def _point(lon: Expression, lat: Expression) -> Expression:
    return geo.ST_SetSRID(geo.ST_MakePoint(lon, lat), _SRID)


def _touching(shape: Expression, point: Expression) -> Expression:
    """Covers the point, or has it on its border to within 0.1 mm; the box lets the GiST index answer."""
    near = geo.ST_Expand(point, _BORDER)
    return shape.op("&&")(near) & (geo.ST_Covers(shape, point) | geo.ST_DWithin(shape, point, _BORDER))


def _valid(table: Any, at: Expression) -> Expression:
    return (table.c.valid_from <= at) & ((table.c.valid_to.is_(None)) | (table.c.valid_to > at))


class _Spot(NamedTuple):
    """A point to locate: degrees, and the metres of a degree there."""

    lon: Expression
    lat: Expression
    kx: Expression
    ky: Expression


def _answer(cells: Layer, district: Layer, spot: _Spot) -> tuple[Any, Any, Expression]:
    """The three questions of `cells.place` about one spot: covering cell, nearest in reach, inside the district."""
    at: Expression = sa.bindparam("at")
    point = _point(spot.lon, spot.lat)
    cell = cells.table("covering")
    shape = cell.c[cells.geometry]
    covered = (
        _select(cell.c[cells.key].label("code"))
        .where(_touching(shape, point), _valid(cell, at))
        .order_by(cell.c[cells.key])
        .limit(_constant(1))
        .lateral("covered")
    )
    cell = cells.table("near")
    shape = cell.c[cells.geometry]
    reach = _number("reach_m")
    metres: Expression = geo.ST_Distance(geo.ST_Scale(shape, spot.kx, spot.ky), geo.ST_Scale(point, spot.kx, spot.ky))
    nearest = (
        _select(cell.c[cells.key].label("code"))
        .where(
            covered.c.code.is_(None),
            shape.op("&&")(geo.ST_Expand(point, reach / spot.kx, reach / spot.ky)),
            _valid(cell, at),
            metres <= reach,
        )
        .order_by(sa.func.round(metres * _constant(1000)), cell.c[cells.key])
        .limit(_constant(1))
        .lateral("nearest")
    )
    outline = district.table("outline")
    boundary = outline.c[district.geometry]
    inside: Expression = sa.exists().where(
        covered.c.code.is_(None),
        outline.c[district.key] == sa.bindparam("district", type_=String),
        boundary.is_(None) | _touching(boundary, point),
    )
    return covered, nearest, inside


@cache
def locating(cells: Layer, district: Layer) -> Statement:
    """Where many points belong, one statement. Parameters: lons, lats, kxs, kys (arrays), at, district, reach_m.

    Rows in the order of the points: `covered`, `nearest` (codes or null), `inside`. The lowest code wins on a border.
    """
    arrays = [sa.bindparam(name, type_=sa.ARRAY(Double)) for name in ("lons", "lats", "kxs", "kys")]
    columns = [sa.column(name, Double) for name in ("lon", "lat", "kx", "ky")]
    spots: Any = sa.func.unnest(*arrays).table_valued(*columns, with_ordinality="n", name="spot").render_derived()
    covered, nearest, inside = _answer(cells, district, _Spot(spots.c.lon, spots.c.lat, spots.c.kx, spots.c.ky))
    rows = spots.outerjoin(covered, sa.true()).outerjoin(nearest, sa.true())
    return _compiled(
        _select(
            covered.c.code.label("covered"),
            nearest.c.code.label("nearest"),
            inside.label("inside"),
        )
        .select_from(rows)
        .order_by(spots.c.n)
    )


@cache
def locating_one(cells: Layer, district: Layer) -> Statement:
    """Where one point belongs. Parameters: lon, lat, kx, ky, at, district, reach_m; the row of `locating`."""
    spot = _Spot(_number("lon"), _number("lat"), _number("kx"), _number("ky"))
    covered, nearest, inside = _answer(cells, district, spot)
    one: Any = _select(sa.literal_column("1").label("n")).subquery("one")
    rows = one.outerjoin(covered, sa.true()).outerjoin(nearest, sa.true())
    return _compiled(
        _select(
            covered.c.code.label("covered"),
            nearest.c.code.label("nearest"),
            inside.label("inside"),
        ).select_from(rows)
    )


@cache
def near(points: Layer, where: str = "true", limit: int = 100) -> Statement:
    """Keys and metres (on the ellipsoid) of rows within `metres` of (lon, lat), nearest first.

    `where` is a condition over columns of the table, with parameters of its own as `:name`.
    Parameters: lon, lat, metres.
    """
    table = points.table()
    geography: Any = Geography(srid=SRID)
    here = sa.cast(_point(_number("lon"), _number("lat")), geography)
    there = sa.cast(table.c[points.geometry], geography)
    metres: Expression = geo.ST_Distance(there, here)
    # A degree is at least 55 km wide south of 60° N: the box only has to be large enough to hold the circle.
    box = geo.ST_Expand(_point(_number("lon"), _number("lat")), _number("metres") / _constant(55000.0))
    return _compiled(
        _select(table.c[points.key], metres.label("metres"))
        .where(
            table.c[points.geometry].op("&&")(box),
            geo.ST_DWithin(there, here, _number("metres")),
            sa.text(where),
        )
        .order_by(sa.literal_column("metres"), table.c[points.key])
        .limit(_constant(int(limit)))
    )


@cache
def tile(shapes: Layer, name: str, properties: tuple[str, ...] = (), where: str = "true") -> Statement:
    """A Mapbox vector tile (bytes; parameters z, x, y) of one layer `name`; features carry key and properties.

    Layers of rows valid at `at` only when `where` says so; `where` may use parameters of its own as `:name`.
    """
    table = shapes.table()
    columns: list[Any] = [table.c[shapes.key], *(sa.literal_column(each).label(each) for each in properties)]
    return _tile(shapes, name, table, _select(*columns).where(sa.text(where)))


@cache
def tile_of_figures(shapes: Layer, name: str) -> Statement:
    """A Mapbox vector tile of those shapes that figures are given for; features carry key and figures.

    Parameters: z, x, y, keys (array), figures (array of JSON objects, in the order of the keys).
    """
    table = shapes.table()
    arrays = [sa.bindparam("keys", type_=sa.ARRAY(String)), sa.bindparam("figures", type_=sa.ARRAY(JSONB))]
    columns: list[Any] = [sa.column("of", String), sa.column("figures", JSONB)]
    given: Any = sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
    rows = _select(table.c[shapes.key], given.c.figures).where(table.c[shapes.key] == given.c.of)
    return _tile(shapes, name, table, rows)


def _tile(shapes: Layer, name: str, table: Any, rows: Any) -> Statement:
    """The tile of the chosen rows of the table with the columns they have, which become properties."""
    envelope: Any = geo.ST_TileEnvelope(*(sa.bindparam(axis, type_=sa.Integer) for axis in "zxy"))
    shape = table.c[shapes.geometry]
    shown: Expression = geo.ST_AsMVTGeom(
        geo.ST_Transform(shape, _constant(3857)), envelope, *map(_constant, (4096, 64, True))
    )
    features = (
        rows.add_columns(shown.label("shape"))
        .where(shape.op("&&")(geo.ST_Transform(envelope, _SRID)))
        .order_by(table.c[shapes.key])
        .cte("features")
    )
    return _compiled(
        _select(geo.ST_AsMVT(sa.literal_column("features.*"), *map(_constant, (name, 4096, "shape")))).select_from(
            features
        )
    )
