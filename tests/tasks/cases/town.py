"""The made-up town of `stage`, written into the database through the grid's own commands."""

from shapely import MultiPolygon, box

from app.kernel import db
from app.kernel.crs import Datum, Place
from tests.tasks.cases import stage

INSIDE = Place(lon=120.265, lat=30.185, datum=Datum.WGS84)
OUTSIDE = Place(lon=121.5, lat=31.2, datum=Datum.WGS84)


async def build() -> None:
    """Write district, town, village, one cell and all organisations, in the present transaction."""
    areas = (
        (stage.DISTRICT, "district", "萧山区（演示）", None, MultiPolygon([box(120.0, 30.0, 120.6, 30.4)])),
        (stage.TOWN, "town", "甲镇（演示）", stage.DISTRICT, None),
        ("330109004", "town", "乙镇（演示）", stage.DISTRICT, None),
        (stage.VILLAGE, "village", "甲一村（演示）", stage.TOWN, None),
    )
    for code, level, name, parent, boundary in areas:
        await db.execute(
            "insert into area (code, level, name, parent, boundary, valid_from) values ($1, $2, $3, $4, $5, $6)",
            code, level, name, parent, boundary, stage.SINCE,
        )  # fmt: skip
    await db.execute(
        "insert into cell (code, village, polygon, valid_from) values ($1, $2, $3, $4)",
        stage.CELL, stage.VILLAGE, MultiPolygon([box(120.26, 30.18, 120.27, 30.19)]), stage.SINCE,
    )  # fmt: skip
    for each in stage.ORGANISATIONS:
        await db.execute(
            "insert into organisation (id, kind, force, name, code, area, parent) values ($1, $2, $3, $4, $5, $6, $7)",
            each.id, each.kind.value, each.force and each.force.value, each.name, each.code, each.area, each.parent,
        )  # fmt: skip


async def commit(district: str) -> None:
    """Write the town for good."""
    async with db.transaction(district):
        await build()
