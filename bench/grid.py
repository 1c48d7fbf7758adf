"""Point → cell: one by one through PostGIS, a thousand in one statement, and in memory; all three must agree. Tiles."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from math import asinh, pi, radians, tan

from app.demo.district import places
from app.demo.district.places import DISTRICT
from app.kernel import db
from app.kernel.actor import system
from bench.figure import Figure
from bench.platform import Context
from bench.points import points_of
from grid import commands, facts, queries
from grid.cells import CellIndex, Located, Point
from grid.tiles import Spot

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BATCH = 1_000
ZOOM = 14


async def run(context: Context) -> list[Figure]:
    """Points a second. Raises AssertionError when two forms disagree."""
    made = places.build()
    points = points_of(made.boundaries[DISTRICT], 200_000)
    db.configure(await context.database())
    await db.start(1, 2)
    try:
        await commands.settle(
            DISTRICT,
            commands.Settlement(
                areas=made.areas,
                boundaries=made.boundaries,
                cells=made.cells,
                organisations=[],
                people=[],
                members=[],
                shifts=[],
            ),
        )
        async with db.transaction(DISTRICT):
            await db.execute("analyze cell")
            bare = await _rate(_bare, points[:4_000])
            single, one_by_one = await _timed(_one_by_one, points[:4_000])
            batch, batched = await _timed(_batches, points[:50_000])
            tiles = await _tiles(points[:400])
    finally:
        await db.stop()
    index = CellIndex(made.cells, made.boundaries[DISTRICT])
    started = time.perf_counter()
    in_memory = index.locate(points)
    memory = len(points) / (time.perf_counter() - started)
    started = time.perf_counter()
    for point in points[:20_000]:
        index.locate([point])
    memory_single = 20_000 / (time.perf_counter() - started)
    assert one_by_one == in_memory[:4_000]
    assert batched == in_memory[:50_000]
    floor = "round trips of `select 1`"
    return [
        Figure(name="point → cell, one by one", value=single, unit="points/s", floor=bare, floor_name=floor),
        Figure(
            name="point → cell, 1,000 a statement", value=batch, unit="points/s", floor=single, floor_name="one by one"
        ),
        Figure(name=f"tiles of cells at zoom {ZOOM}", value=tiles, unit="tiles/s", floor=bare, floor_name=floor),
        Figure(name="point → cell, in memory, single", value=memory_single, unit="points/s"),
        Figure(name="point → cell, in memory, all at once", value=memory, unit="points/s"),
    ]


async def _bare(points: list[Point]) -> list[Located]:
    for _ in points:
        await db.fetchval("select 1")
    return []


async def _one_by_one(points: list[Point]) -> list[Located]:
    return [(await facts.locate([point], NOW))[0] for point in points]


async def _batches(points: list[Point]) -> list[Located]:
    found: list[Located] = []
    for start in range(0, len(points), BATCH):
        found += await facts.locate(points[start : start + BATCH], NOW)
    return found


async def _tiles(points: list[Point]) -> float:
    """Tiles a second around points of the district, each cut and encoded anew."""
    who = system(DISTRICT, "bench")
    started = time.perf_counter()
    sizes = [len((await queries.cell_tile(Spot(ZOOM, *_tile_at(point)), who, NOW)).body) for point in points]
    taken = time.perf_counter() - started
    assert sum(size > 0 for size in sizes) > len(sizes) / 2
    return len(points) / taken


def _tile_at(point: Point) -> tuple[int, int]:
    """Column and row of the tile that holds a point (web mercator)."""
    lon, lat = point
    x, y = (lon + 180) / 360, (1 - asinh(tan(radians(lat))) / pi) / 2
    return int(x * 2**ZOOM), int(y * 2**ZOOM)


Work = Callable[[list[Point]], Awaitable[list[Located]]]


async def _timed(work: Work, points: list[Point]) -> tuple[float, list[Located]]:
    await work(points[:BATCH])  # plans and pages warm
    started = time.perf_counter()
    found = await work(points)
    return len(points) / (time.perf_counter() - started), found


async def _rate(work: Work, points: list[Point]) -> float:
    return (await _timed(work, points))[0]
