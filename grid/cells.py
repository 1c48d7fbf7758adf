"""Cells, and the look-up point → cell in memory: a border is the lowest code's, a gap a near cell's or nobody's."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import cos, radians
from typing import Any, Literal

import numpy
import shapely
from msgspec import Struct
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

Point = tuple[float, float]
"""Longitude, latitude in degrees, WGS-84."""

BORDER = 1e-9
"""Degrees (0.1 mm) within which a point is on a border: what rounding of coordinates makes of "exactly on it"."""

REACH_M = 200.0
"""How far the nearest cell may be from a point of the district that lies in none."""

Reason = Literal["covered", "nearest", "between", "outside"]


class Cell(Struct, frozen=True, kw_only=True):
    """A cell (网格): a polygon inside one village, valid from–to (the end is exclusive)."""

    code: str
    polygon: MultiPolygon
    valid_from: datetime
    valid_to: datetime | None = None
    source: str = ""

    @property
    def village(self) -> str:
        """Code of the village the cell belongs to."""
        return self.code[:12]

    def valid(self, at: datetime) -> bool:
        """Whether the cell exists at that moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class Located(Struct, frozen=True):
    """Where a point belongs. `covered`: inside a cell or on its border; `nearest`: inside the district, in no cell, the
    nearest within 200 m; `between`: inside the district, no cell near; `outside`: not in the district."""

    cell: str | None
    reason: Reason

    @property
    def village(self) -> str | None:
        """Code of the village, from the cell's."""
        return None if self.cell is None else self.cell[:12]

    @property
    def town(self) -> str | None:
        """Code of the town, from the cell's."""
        return None if self.cell is None else self.cell[:9]


OUTSIDE = Located(None, "outside")


def place(covered: str | None, nearest: str | None, inside: bool) -> Located:
    """The verdict from the three questions: the covering cell, the nearest one in reach, inside the district."""
    if covered is not None:
        return Located(covered, "covered")
    if not inside:
        return OUTSIDE
    return Located(nearest, "between" if nearest is None else "nearest")


def metres_per_degree(lat: float) -> Point:
    """Metres that one degree of longitude and one of latitude measure at a latitude, within 1 m (WGS-84 series)."""
    phi = radians(lat)
    return (
        111412.84 * cos(phi) - 93.5 * cos(3 * phi) + 0.118 * cos(5 * phi),
        111132.92 - 559.82 * cos(2 * phi) + 1.175 * cos(4 * phi) - 0.0023 * cos(6 * phi),
    )


def _scaled(geometries: NDArray[numpy.object_] | BaseGeometry, kx: float, ky: float) -> NDArray[numpy.object_]:
    return numpy.asarray(shapely.transform(geometries, lambda xy: xy * (kx, ky)))


def square_metres(geometry: BaseGeometry) -> float:
    """Area of a polygon of up to some kilometres, in m² (the plane at its own latitude)."""
    if geometry.is_empty:
        return 0.0
    kx, ky = metres_per_degree(geometry.centroid.y)
    return float(geometry.area) * kx * ky


def multipolygon(geometry: BaseGeometry) -> MultiPolygon:
    """The polygons of a geometry as one; lines and points, the waste of an intersection, are dropped."""
    if isinstance(geometry, MultiPolygon):
        return geometry
    if isinstance(geometry, Polygon):
        return MultiPolygon([] if geometry.is_empty else [geometry])
    return MultiPolygon([part for each in shapely.get_parts(geometry) for part in multipolygon(each).geoms])


HEIR = 0.05
"""A cell takes over from an ended one when it takes this part of its ground, or is made of it by this part."""


def heirs(ended: Sequence[Cell], after: Sequence[Cell]) -> dict[str, tuple[str, ...]]:
    """Code of an ended cell → the cells that took its ground, by code; slivers along a border make no heir.

    A cell whose ground is in none is left out.
    """
    tree = STRtree([cell.polygon for cell in after])
    found: dict[str, tuple[str, ...]] = {}
    for cell in ended:
        near: list[int] = tree.query(cell.polygon, predicate="intersects").tolist()
        shared = {n: float(cell.polygon.intersection(after[n].polygon).area) for n in near}
        large = [n for n, area in shared.items() if area >= HEIR * min(cell.polygon.area, after[n].polygon.area)]
        if large:
            found[cell.code] = tuple(sorted(after[n].code for n in large))
    return found


def feed_body(cell: Cell) -> dict[str, object]:
    """What phones of the cell hold of it, its outline to the decimetre."""
    return {
        "code": cell.code,
        "village": cell.village,
        "valid_from": cell.valid_from.isoformat(),
        "polygon": mapping(shapely.transform(cell.polygon, lambda xy: numpy.round(xy, 6))),
    }


class CellIndex:
    """Cells as of one moment, with the district's outline; locates any number of points without a database.

    Gives the same answer as `grid.spatial.locating`, which a test holds it to, points on borders included.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        district: BaseGeometry | None,
        reach_m: float = REACH_M,
    ) -> None:
        ordered = sorted(cells, key=lambda cell: cell.code)
        self.codes = [cell.code for cell in ordered]
        self._covered = [Located(code, "covered") for code in self.codes]
        self._polygons = numpy.array([cell.polygon for cell in ordered], dtype=object)
        self._tree = STRtree(self._polygons)
        self._district = district
        self._reach_m = reach_m
        if district is not None:
            shapely.prepare(district)

    def locate(self, points: Sequence[Point]) -> list[Located]:
        """Where each point belongs, in the order given."""
        if len(points) < 2:
            return [self._one(point) for point in points]
        spots: Any = shapely.points(numpy.asarray(points, dtype=float))
        nowhere = len(self.codes)
        lowest = numpy.full(len(points), nowhere)
        found, cells = self._tree.query(spots, predicate="dwithin", distance=BORDER)
        numpy.minimum.at(lowest, found, cells)
        astray: list[int] = numpy.flatnonzero(lowest == nowhere).tolist()
        indexes: list[int] = lowest.tolist()
        answers = [*self._covered, OUTSIDE]
        located = [answers[index] for index in indexes]
        for number in self._inside(spots, astray):
            located[number] = place(None, self._nearest(points[number]), inside=True)
        return located

    def _one(self, point: Point) -> Located:
        """The same for one point, without the cost of arrays."""
        spot = shapely.Point(point)
        cells = self._tree.query(spot, predicate="dwithin", distance=BORDER)
        if cells.size:
            return self._covered[int(cells.min())]
        inside = self._district is None or bool(shapely.dwithin(self._district, spot, BORDER))
        return place(None, self._nearest(point) if inside else None, inside)

    def _inside(self, spots: NDArray[numpy.object_], numbers: list[int]) -> list[int]:
        """Those of the numbered points that lie in the district."""
        if self._district is None or not numbers:
            return numbers
        inside = shapely.dwithin(self._district, spots[numbers], BORDER)
        return [number for number, within in zip(numbers, inside, strict=True) if within]

    def _nearest(self, point: Point) -> str | None:
        lon, lat = point
        kx, ky = metres_per_degree(lat)
        dx, dy = self._reach_m / kx, self._reach_m / ky
        near = numpy.sort(self._tree.query(shapely.box(lon - dx, lat - dy, lon + dx, lat + dy)))
        if not near.size:
            return None
        spot = shapely.Point(lon * kx, lat * ky)
        metres = numpy.array([each.distance(spot) for each in _scaled(self._polygons[near], kx, ky)])
        # Compared by the millimetre: of two cells that share the nearest corner the lower code wins.
        millimetres = numpy.rint(metres * 1000)
        best = int(numpy.argmin(millimetres))
        return self.codes[int(near[best])] if metres[best] <= self._reach_m else None
