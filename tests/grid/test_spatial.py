"""Point → cell: one by one, in a batch and in memory give the same answer, on borders too."""

import math

import pytest
from asyncpg import CheckViolationError, InvalidParameterValueError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box, set_srid

from app.kernel import db
from grid import spatial, store
from grid.cells import Cell, CellIndex, Located, Point, Reason, metres_per_degree, square_metres
from grid.tables import AreaRow, CellRow
from grid.tiles import Spot
from tests.grid.places import CELLS, DISTRICT, NOW, OUTLINE, SHAPES, SIDE, SOUTH, T0, WEST, settle, square

CORNERS = sorted({corner for shape in SHAPES.values() for corner in shape.exterior.coords})
EDGES = [
    (ring[n], ring[n + 1]) for ring in (list(s.exterior.coords) for s in SHAPES.values()) for n in range(len(ring) - 1)
]

anywhere = st.tuples(
    st.floats(WEST - SIDE, WEST + 5 * SIDE, allow_nan=False), st.floats(SOUTH - SIDE, SOUTH + 3 * SIDE, allow_nan=False)
)
on_corners = st.sampled_from(CORNERS)
on_edges = st.builds(
    lambda edge, part: (
        edge[0][0] + (edge[1][0] - edge[0][0]) * part,
        edge[0][1] + (edge[1][1] - edge[0][1]) * part,
    ),
    st.sampled_from(EDGES),
    st.floats(0, 1),
)
beside_corners = st.builds(
    lambda corner, angle, far: (corner[0] + far * math.cos(angle), corner[1] + far * math.sin(angle)),
    on_corners,
    st.floats(0, 2 * math.pi),
    st.floats(0, 0.3 * SIDE),
)


@pytest.fixture
async def settled(district: str) -> str:
    await settle()
    return district


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(points=st.lists(st.one_of(anywhere, on_corners, on_edges, beside_corners), min_size=2, max_size=40))
@example(points=[*CORNERS, (WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE)])
async def test_one_by_one_in_a_batch_and_in_memory_agree_on_every_point(settled: str, points: list[Point]) -> None:
    index = CellIndex(CELLS, OUTLINE)
    in_memory = index.locate(points)
    assert [index.locate([point])[0] for point in points] == in_memory
    batch = await store.locate(points, NOW, DISTRICT)
    one_by_one = [(await store.locate([point], NOW, DISTRICT))[0] for point in points]
    assert batch == in_memory
    assert one_by_one == in_memory


# column and row in sides from the south-west corner of the made-up district
@pytest.mark.parametrize(
    ("column", "row", "cell", "reason"),
    [
        (0.5, 0.5, "330109001001001", "covered"),
        (1.0, 0.5, "330109001001001", "covered"),  # border of …001 and …002: the lowest code
        (1.0, 1.0, "330109001001001", "covered"),  # corner of three cells
        (0.5, 1.0, "330109001001001", "covered"),  # border of two villages
        (2.65, 0.45, "330109001001003", "covered"),  # on the diagonal of two triangles
        (1.02, 1.5, "330109001014002", "nearest"),  # in the gap, nearer to the left
        (1.08, 1.5, "330109001014003", "nearest"),  # in the gap, nearer to the right
        (1.05, 1.0001, "330109001001002", "nearest"),  # in the gap, nearest to the cell below
        (3.6, 1.6, None, "between"),  # inside the district, every cell farther than 200 m
        (4.0001, 0.5, None, "outside"),
        (-0.01, 0.5, None, "outside"),  # 10 m from a cell, but not in the district
    ],
)
async def test_a_point_belongs_to_its_cell_or_to_a_near_one_of_the_district(
    settled: str, column: float, row: float, cell: str | None, reason: str
) -> None:
    point = (WEST + column * SIDE, SOUTH + row * SIDE)
    (located,) = await store.locate([point], NOW, DISTRICT)
    assert (located.cell, located.reason) == (cell, reason)
    assert CellIndex(CELLS, OUTLINE).locate([point]) == [located]


@pytest.mark.parametrize(("metres", "reason"), [(199.9, "nearest"), (200.1, "between")])
async def test_the_nearest_cell_reaches_two_hundred_metres(settled: str, metres: float, reason: Reason) -> None:
    lat = SOUTH + 1.5 * SIDE
    point = (WEST + 2.1 * SIDE + metres / metres_per_degree(lat)[0], lat)  # east of the last cell of the second row
    located = Located("330109001014003" if reason == "nearest" else None, reason)
    assert await store.locate([point], NOW, DISTRICT) == [located]
    assert CellIndex(CELLS, OUTLINE).locate([point]) == [located]


async def test_cells_less_than_a_millimetre_apart_are_equally_near_and_the_lowest_code_wins(settled: str) -> None:
    point = (WEST + 3.6 * SIDE, SOUTH + 1.6 * SIDE)
    near, hair = square(3.4, 1.5, 0.1, 0.2), 1e-9  # degrees: a tenth of a millimetre
    far = box(WEST + 3.7 * SIDE + hair, SOUTH + 1.5 * SIDE, WEST + 3.8 * SIDE, SOUTH + 1.7 * SIDE)
    more = [
        Cell(code="330109001014007", polygon=MultiPolygon([far]), valid_from=T0),
        Cell(code="330109001014008", polygon=MultiPolygon([near]), valid_from=T0),
    ]
    await store.add_cells(more)
    located = Located("330109001014007", "nearest")
    assert CellIndex([*CELLS, *more], OUTLINE).locate([point]) == [located]
    assert await store.locate([point], NOW, DISTRICT) == [located]
    assert await store.locate([point, point], NOW, DISTRICT) == [located, located]


async def test_all_along_a_slanting_border_rounding_of_coordinates_decides_nothing(settled: str) -> None:
    start, end = SHAPES["330109001001003"].exterior.coords[0], SHAPES["330109001001003"].exterior.coords[2]
    parts = [n / 997 for n in range(998)]
    points = [(start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part) for part in parts]
    expected = CellIndex(CELLS, OUTLINE).locate(points)
    assert {each.cell for each in expected[1:]} == {"330109001001003"}
    assert await store.locate(points, NOW, DISTRICT) == expected


async def test_without_an_outline_every_point_is_in_the_district(settled: str) -> None:
    await db.execute("update area set boundary = null where code = $1", DISTRICT)
    far_away = (WEST + 50 * SIDE, SOUTH)
    assert (await store.locate([far_away], NOW, DISTRICT))[0].reason == "between"
    assert CellIndex(CELLS, None).locate([far_away])[0].reason == "between"


async def test_a_cell_counts_only_while_it_is_valid(settled: str) -> None:
    inside = (WEST + 0.5 * SIDE, SOUTH + 0.5 * SIDE)
    await store.end_cells(["330109001001001"], NOW)
    before, after = T0, NOW
    assert (await store.locate([inside], before, DISTRICT))[0] == Located("330109001001001", "covered")
    assert (await store.locate([inside], after, DISTRICT))[0].cell is None
    assert (await store.locate([inside, inside], after, DISTRICT))[1].cell is None


async def test_answers_keep_the_order_of_the_points(settled: str) -> None:
    points = [(WEST + column * SIDE, SOUTH + 0.5 * SIDE) for column in (1.5, 0.5, 9, 1.5, 0.25)]
    found = await store.locate(points, NOW, DISTRICT)
    assert [each.cell and each.cell[-1] for each in found] == ["2", "1", None, "2", "1"]


async def test_a_batch_of_points_is_answered_through_the_spatial_index(settled: str) -> None:
    many = [(WEST + n * 1e-5, SOUTH) for n in range(2)]
    statement = spatial.locating(store.CELLS, store.DISTRICT).bind(
        lons=[p[0] for p in many], lats=[p[1] for p in many], kxs=[9e4, 9e4], kys=[1e5, 1e5], at=NOW,
        district=DISTRICT, reach_m=200.0,
    )  # fmt: skip
    await db.execute("set local enable_seqscan = off")
    plan = "\n".join(row[0] for row in await db.fetch("explain " + statement[0], *statement[1:]))
    assert plan.count("cell_polygon") >= 2


async def test_statements_are_compiled_once_and_told_apart_by_table(settled: str) -> None:
    cells, areas = spatial.layer(CellRow.polygon, "code"), spatial.layer(AreaRow.boundary, "code")
    assert spatial.locating(cells, areas) is spatial.locating(cells, areas)
    assert spatial.near(cells).sql != spatial.near(areas).sql


async def test_near_gives_keys_by_distance_in_metres_and_takes_conditions(settled: str) -> None:
    here = {"lon": WEST + 1.05 * SIDE, "lat": SOUTH + 1.5 * SIDE}
    near = spatial.near(store.CELLS)
    rows = await db.fetch(*near.bind(**here, metres=100.0))
    assert [row["code"][-6:] for row in rows] == ["014002", "014003"]
    assert 47 < rows[0]["metres"] < 49  # half of the gap: 0.0005° of longitude
    only = spatial.near(store.CELLS, where="village = :village and code > :code")
    rows = await db.fetch(*only.bind(**here, metres=2000.0, village="330109001001", code="330109001001001"))
    assert [row["code"][-3:] for row in rows] == ["002", "003"]


async def test_a_tile_holds_the_cells_in_reach_and_nothing_where_there_are_none(settled: str) -> None:
    # slippy map numbering of the tile that holds the village
    n = 2**12
    x = int((WEST + 180) / 360 * n)
    y = int((1 - math.asinh(math.tan(math.radians(SOUTH + SIDE / 2))) / math.pi) / 2 * n)
    tile = await store.cell_tile(Spot(12, x, y), ["330109001001"], NOW)
    assert b"330109001001002" in tile
    assert b"330109001014002" not in tile
    assert await store.cell_tile(Spot(12, x + 9, y), ["330109"], NOW) == b""


async def test_the_database_refuses_a_broken_polygon_and_one_of_another_datum(settled: str) -> None:
    bow = MultiPolygon([Polygon([(0, 0), (1, 1), (1, 0), (0, 1), (0, 0)])])
    insert = "insert into cell (code, village, polygon, valid_from) values ($1, $2, $3, $4)"
    with pytest.raises(CheckViolationError):
        async with db.transaction(DISTRICT):
            await db.execute(insert, "330109001001009", "330109001001", bow, NOW)
    mercator = set_srid(MultiPolygon([box(0, 0, 1, 1)]), 3857)
    with pytest.raises(InvalidParameterValueError):
        async with db.transaction(DISTRICT):
            await db.execute(insert, "330109001001009", "330109001001", mercator, NOW)


async def test_square_metres_of_cells_and_of_a_whole_district_are_those_of_the_ellipsoid(settled: str) -> None:
    for shape in (*SHAPES.values(), box(120.0, 29.9, 120.5, 30.35), box(120.1, 30.1, 120.102, 30.3)):
        sql = "select st_area($1::geometry::geography)"
        assert square_metres(shape) == pytest.approx(await db.fetchval(sql, set_srid(shape, 4326)), rel=3e-4)
