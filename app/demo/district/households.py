"""Households of the demo: made-up addresses at made-up points inside the cells, with invented telephone numbers."""

from collections.abc import Iterator, Mapping
from random import Random

import shapely

from app.demo.district import FOUNDED, SEED
from app.demo.district.identifiers import Identifiers
from app.demo.district.places import Places
from grid.cells import Cell, Point
from visits.households import CareNeed, Consent, ImportRow

COUNTS: Mapping[str, int] = {"small": 5_000, "month": 50_000}
RESIDENTS = (1, 1, 2, 2, 2, 3, 3, 4, 5)


def build(places: Places, kind: str, seed: int = SEED) -> list[ImportRow]:
    """As many households as the kind of demo has, spread evenly over the cells."""
    random = Random(seed + 6)
    ids = Identifiers(Random(seed + 7), FOUNDED)
    names = {each.code: each.name for each in places.areas}
    rows: list[ImportRow] = []
    for number, (cell, point) in enumerate(_points(random, places.cells, COUNTS[kind])):
        place = f"{names[cell.village[:9]]}{names[cell.village]}"
        rows.append(
            ImportRow(
                id=ids.next(),
                address=f"{place}示例路{number % 300 + 1}号{number // 300 + 1}幢{random.randint(101, 1804)}室",
                area=cell.code,
                lon=point[0],
                lat=point[1],
                residents=random.choice(RESIDENTS),
                contact=f"000-{number // 10_000:04d}-{number % 10_000:04d}" if random.random() < 0.3 else None,
                consent=random.choices(list(Consent), (70, 27, 3))[0],
                care_needs=(random.choice(list(CareNeed)),) if random.random() < 0.08 else (),
            )
        )
    return rows


def _points(random: Random, cells: tuple[Cell, ...], count: int) -> Iterator[tuple[Cell, Point]]:
    """Points inside cells, in turn; each cell gets as many as its neighbour, give or take one."""
    for index, cell in enumerate(cells):
        shapely.prepare(cell.polygon)
        west, south, east, north = cell.polygon.bounds
        wanted = (index + 1) * count // len(cells) - index * count // len(cells)
        while wanted:
            lon, lat = round(random.uniform(west, east), 6), round(random.uniform(south, north), 6)
            if shapely.contains_xy(cell.polygon, lon, lat):
                yield cell, (lon, lat)
                wanted -= 1
