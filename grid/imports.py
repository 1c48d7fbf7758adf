"""Import of cells from GeoJSON: what the file says, checked against the villages, with every fault measured in m²."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import numpy
import shapely
from msgspec import Meta, Struct
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from app.kernel.crs import Datum, convert
from grid.areas import Level, level_of, retired
from grid.cells import Cell, multipolygon, square_metres

TOLERANCE_M2 = 1.0
"""Overlaps and overhangs up to this size are the rounding of coordinates, not faults."""

MAX_FEATURES = 20_000


class Properties(Struct, frozen=True):
    """Properties of a feature: the cell's code; others are ignored."""

    code: str | int = ""


class Geometry(Struct, frozen=True):
    """A GeoJSON geometry (RFC 7946 §3.1) as it came."""

    type: str
    coordinates: list[Any] = []


class Feature(Struct, frozen=True):
    """A GeoJSON feature: one cell."""

    properties: Properties | None = None
    geometry: Geometry | None = None


class FeatureCollection(Struct, frozen=True, tag_field="type", tag="FeatureCollection"):
    """The file: GeoJSON, longitude first, in the datum its sender declares."""

    features: Annotated[list[Feature], Meta(max_length=MAX_FEATURES)]


class Fault(StrEnum):
    """What can be wrong with a cell; all but gaps refuse the import."""

    CODE = "code"  # not 15 digits, retired, used before, twice in the file
    VILLAGE = "village"  # no such village here
    GEOMETRY = "geometry"  # not a polygon, not readable, empty
    RING = "ring"  # crosses itself or is not closed
    OVERLAP = "overlap"  # covers ground of another cell
    OUTSIDE = "outside"  # reaches beyond its village
    LOST = "lost"  # ground of a cell that is to end and that no cell would cover
    GAP = "gap"  # ground of a village that no cell covers


class Finding(Struct, frozen=True, kw_only=True):
    """One fault. `feature` counts from 0; `square_metres` measures overlap, overhang or gap."""

    fault: Fault
    code: str
    feature: int | None = None
    other: str | None = None
    square_metres: float | None = None
    message_zh: str
    message_en: str


class Known(Struct, frozen=True, kw_only=True):
    """What the district holds already: villages of the tree, their boundaries, used codes, living cells that stay."""

    villages: frozenset[str]
    boundaries: Mapping[str, MultiPolygon]
    used: frozenset[str]
    cells: Sequence[Cell]
    ending: Sequence[Cell] = ()
    """Cells that end for those of the file, which together must cover their ground."""


class Survey(Struct, frozen=True, kw_only=True):
    """The result of a check: cells to take if nothing refuses them, and all findings."""

    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether the import may not be taken (gaps alone do not refuse it)."""
        return any(each.fault is not Fault.GAP for each in self.findings)


def codes(collection: FeatureCollection) -> list[str]:
    """The code each feature claims, in order; empty where it claims none."""
    return [str(feature.properties.code) if feature.properties else "" for feature in collection.features]


def villages(collection: FeatureCollection) -> list[str]:
    """Codes of the villages the features claim to be in."""
    return sorted({code[:12] for code in codes(collection) if level_of(code) is Level.CELL})


def check(collection: FeatureCollection, datum: Datum, known: Known, at: datetime, source: str) -> Survey:
    """Read and check every feature; coordinates are converted from `datum` to WGS-84. All faults are listed, not only
    the first."""
    findings: list[Finding] = []
    cells: dict[str, Cell] = {}
    numbers: dict[str, int] = {}
    for number, (code, feature) in enumerate(zip(codes(collection), collection.features, strict=True)):
        wrong = _wrong_code(number, code, known, numbers)
        polygon, faults = _shape(number, code, feature.geometry, datum)
        findings += wrong + faults
        numbers.setdefault(code, number)
        if polygon is not None and not wrong:
            cells[code] = Cell(code=code, polygon=polygon, valid_from=at, source=source)
    findings += _overlaps(list(cells.values()), known.cells, numbers)
    findings += _overhangs(cells.values(), known, numbers)
    findings += _lost(known.ending, [*cells.values(), *known.cells])
    if not findings:
        findings += _gaps([*cells.values(), *known.cells], known, villages(collection))
    return Survey(cells=tuple(cells.values()), findings=tuple(findings))


def _wrong_code(number: int, code: str, known: Known, seen: Mapping[str, int]) -> list[Finding]:
    def finding(fault: Fault, zh: str, en: str) -> list[Finding]:
        return [Finding(fault=fault, code=code, feature=number, message_zh=zh, message_en=en)]

    if level_of(code) is not Level.CELL:
        return finding(Fault.CODE, "代码不是15位数字", "code is not 15 digits")
    if (gone := retired(code)) is not None:
        return finding(Fault.CODE, *gone.words)
    if code in known.used:
        return finding(
            Fault.CODE, "代码已使用过，新网格要用新代码", "the code was used before: a new cell has a new code"
        )
    if code in seen:
        return finding(Fault.CODE, f"与第{seen[code]}个要素代码重复", f"same code as feature {seen[code]}")
    if code[:12] not in known.villages:
        return finding(Fault.VILLAGE, f"没有村社 {code[:12]}", f"there is no village {code[:12]}")
    return []


def _shape(
    number: int, code: str, geometry: Geometry | None, datum: Datum
) -> tuple[MultiPolygon | None, list[Finding]]:
    def finding(fault: Fault, zh: str, en: str) -> tuple[None, list[Finding]]:
        return None, [Finding(fault=fault, code=code, feature=number, message_zh=zh, message_en=en)]

    if geometry is None or geometry.type not in ("Polygon", "MultiPolygon"):
        return finding(Fault.GEOMETRY, "不是面 (Polygon / MultiPolygon)", "not a Polygon or MultiPolygon")
    try:
        shape = _read(geometry, datum)
    except (TypeError, ValueError, IndexError) as unreadable:
        return finding(Fault.GEOMETRY, "坐标无法读取", f"coordinates cannot be read: {unreadable}")
    if shape.is_empty:
        return finding(Fault.GEOMETRY, "没有坐标", "there are no coordinates")
    if not shape.is_valid:
        why = shapely.is_valid_reason(shape)
        return finding(Fault.RING, f"环无效：{why}", f"invalid ring: {why}")
    return shape, []


def _read(geometry: Geometry, datum: Datum) -> MultiPolygon:
    parts: list[Any] = geometry.coordinates if geometry.type == "MultiPolygon" else [geometry.coordinates]
    return MultiPolygon([_polygon(rings, datum) for rings in parts])


def _polygon(rings: list[Any], datum: Datum) -> Polygon:
    outer, *holes = [[_position(position, datum) for position in ring] for ring in rings]
    for ring in (outer, *holes):
        if len(ring) < 4 or ring[0] != ring[-1]:  # RFC 7946 §3.1.6
            raise ValueError("a ring has at least four positions and ends where it begins")
    return Polygon(outer, holes)


def _position(position: Any, datum: Datum) -> tuple[float, float]:
    lon, lat = float(position[0]), float(position[1])
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):  # also refuses NaN
        raise ValueError(f"not a point on Earth: {lon}, {lat}")
    return convert(lon, lat, datum, Datum.WGS84)


def _overlaps(cells: Sequence[Cell], standing: Sequence[Cell], numbers: Mapping[str, int]) -> list[Finding]:
    everything: list[Cell] = [*cells, *standing]
    if not cells:
        return []
    tree = STRtree([cell.polygon for cell in everything])
    left, right = tree.query([cell.polygon for cell in cells], predicate="intersects")
    found: list[Finding] = []
    pairs: list[tuple[int, int]] = sorted(zip(left.tolist(), right.tolist(), strict=True))
    for first, second in pairs:
        # A pair of new cells comes twice; cells that stand are only ever second.
        if first >= second:
            continue
        one, other = everything[first], everything[second]
        if (size := square_metres(one.polygon.intersection(other.polygon))) > TOLERANCE_M2:
            found.append(
                Finding(
                    fault=Fault.OVERLAP,
                    code=one.code,
                    other=other.code,
                    feature=numbers[one.code],
                    square_metres=round(size, 1),
                    message_zh=f"与网格 {other.code} 重叠 {size:.1f} 平方米",
                    message_en=f"overlaps cell {other.code} by {size:.1f} m²",
                )
            )
    return found


def _overhangs(cells: Iterable[Cell], known: Known, numbers: Mapping[str, int]) -> list[Finding]:
    found: list[Finding] = []
    for cell in cells:
        village = known.boundaries.get(cell.village)
        if village is None:
            continue
        if (size := square_metres(cell.polygon.difference(village))) > TOLERANCE_M2:
            found.append(
                Finding(
                    fault=Fault.OUTSIDE,
                    code=cell.code,
                    other=cell.village,
                    feature=numbers[cell.code],
                    square_metres=round(size, 1),
                    message_zh=f"超出村社 {cell.village} 边界 {size:.1f} 平方米",
                    message_en=f"reaches {size:.1f} m² beyond village {cell.village}",
                )
            )
    return found


def _lost(ending: Iterable[Cell], after: Sequence[Cell]) -> list[Finding]:
    """Ground that had a cell and would have none."""
    tree = STRtree([cell.polygon for cell in after])
    found: list[Finding] = []
    for cell in ending:
        near: list[int] = sorted(tree.query(cell.polygon, predicate="intersects").tolist())
        covering = numpy.array([after[number].polygon for number in near], dtype=object)
        rest: BaseGeometry = cell.polygon.difference(shapely.union_all(covering))
        if (size := square_metres(multipolygon(rest))) > TOLERANCE_M2:
            found.append(
                Finding(
                    fault=Fault.LOST,
                    code=cell.code,
                    square_metres=round(size, 1),
                    message_zh=f"原网格 {cell.code} 有 {size:.1f} 平方米不再属于任何网格",
                    message_en=f"{size:.1f} m² of the ending cell {cell.code} would lie in no cell",
                )
            )
    return found


def _gaps(cells: Sequence[Cell], known: Known, wanted: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for village in wanted:
        boundary = known.boundaries.get(village)
        if boundary is None:
            continue
        own: NDArray[numpy.object_] = numpy.array(
            [each.polygon for each in cells if each.village == village], dtype=object
        )
        rest: BaseGeometry = boundary.difference(shapely.union_all(own))
        if (size := square_metres(multipolygon(rest))) > TOLERANCE_M2:
            found.append(
                Finding(
                    fault=Fault.GAP,
                    code=village,
                    square_metres=round(size, 1),
                    message_zh=f"村社 {village} 有 {size:.1f} 平方米不在任何网格内",
                    message_en=f"{size:.1f} m² of village {village} lie in no cell",
                )
            )
    return found
