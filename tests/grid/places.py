"""A small made-up district on real degrees: six cells, a diagonal border, a gap and a strip without cells."""

from collections.abc import Mapping
from datetime import UTC, datetime

from shapely import MultiPolygon, Polygon, box

from app.kernel import ids
from grid import store
from grid.areas import Area, Level
from grid.cells import Cell
from grid.organisations import Force, Kind, Organisation

DISTRICT = "330109"
T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)

WEST, SOUTH, SIDE = 120.26, 30.18, 0.01  # a side of 0.01° is about 960 m by 1,110 m here

OUTLINE = MultiPolygon([box(WEST, SOUTH, WEST + 4 * SIDE, SOUTH + 2 * SIDE)])

TOWN = "330109001"
VILLAGES = ("330109001001", "330109001014")


def square(column: float, row: float, width: float = 1, height: float = 1) -> Polygon:
    """A rectangle in sides from the south-west corner."""
    west, south = WEST + column * SIDE, SOUTH + row * SIDE
    return box(west, south, west + width * SIDE, south + height * SIDE)


def _corner(column: float, row: float) -> tuple[float, float]:
    return WEST + column * SIDE, SOUTH + row * SIDE


# Row 0: two squares, then two triangles that share the diagonal. Row 1: a square, a gap of 0.1 side (96 m), a square.
# The rest of row 1, from column 2.1 on, has no cell: its middle is farther than 200 m from any.
SHAPES: Mapping[str, Polygon] = {
    "330109001001001": square(0, 0),
    "330109001001002": square(1, 0),
    "330109001001003": Polygon([_corner(2, 0), _corner(3.3, 0), _corner(3.3, 0.9), _corner(2, 0)]),
    "330109001014001": Polygon([_corner(2, 0), _corner(3.3, 0.9), _corner(2, 0.9), _corner(2, 0)]),
    "330109001014002": square(0, 1),
    "330109001014003": square(1.1, 1),
}

CELLS = [
    Cell(code=code, polygon=MultiPolygon([shape]), valid_from=T0, source="made-up") for code, shape in SHAPES.items()
]

AREAS = [
    Area(code=DISTRICT, level=Level.DISTRICT, name="萧山区", valid_from=T0),
    Area(code=TOWN, level=Level.TOWN, name="城厢街道", parent=DISTRICT, valid_from=T0),
    Area(code=VILLAGES[0], level=Level.VILLAGE, name="陈公桥社区", parent=TOWN, valid_from=T0),
    Area(code=VILLAGES[1], level=Level.VILLAGE, name="东阳桥社区", parent=TOWN, valid_from=T0),
]


def organisation(kind: Kind, code: str, area: str = DISTRICT, **more: object) -> Organisation:
    """An organisation with a new id, named by its code."""
    values: dict[str, object] = {"id": ids.new_id(), "kind": kind, "name": f"示例{code}", "code": code, "area": area}
    return Organisation(**(values | more))  # type: ignore[arg-type]


def force_unit(force: Force, code: str, **more: object) -> Organisation:
    """The unit of a force in the town."""
    return organisation(Kind.FORCE_UNIT, code, TOWN, force=force, **more)


async def settle() -> None:
    """Write the areas and cells into the current transaction."""
    await store.add_areas(AREAS, {DISTRICT: OUTLINE})
    await store.add_cells(CELLS)
