"""Seeded points of the district."""

from random import Random

import shapely
from shapely import MultiPolygon

from grid.cells import Point


def points_of(outline: MultiPolygon, count: int) -> list[Point]:
    """Points of the district, one in twenty of them outside."""
    west, south, east, north = outline.bounds
    random = Random(1)
    shapely.prepare(outline)
    points: list[Point] = []
    while len(points) < count:
        point = (random.uniform(west, east), random.uniform(south, north))
        if shapely.intersects_xy(outline, *point) or random.random() < 0.05:
            points.append(point)
    return points
