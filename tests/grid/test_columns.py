"""Geometry columns: the traps of Piccolo with geometry types, each with its test."""

from datetime import UTC, datetime

import pytest
from piccolo.table import Table
from shapely import MultiPolygon, Point, box

from app.kernel import db
from grid.columns import GeometryColumn, MultiPolygonColumn, PointColumn
from grid.tables import CellRow
from tests.grid.places import AREAS, CELLS, NOW, settle

NOW_UTC = datetime(2026, 11, 23, tzinfo=UTC)


class Spot(Table, tablename="spot"):
    """A table of the tests with one of each."""

    point = PointColumn()
    area = MultiPolygonColumn(null=True)


@pytest.mark.parametrize(
    ("column", "kind"),
    [(PointColumn, "geometry(Point,4326)"), (MultiPolygonColumn, "geometry(MultiPolygon,4326)")],
)
def test_each_class_is_one_fixed_type(column: type[GeometryColumn], kind: str) -> None:
    assert column().column_type == kind
    with pytest.raises(TypeError):
        column(kind="LineString")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        column(srid=3857)  # type: ignore[call-arg]


def test_columns_of_two_kinds_are_two_column_types_for_a_migration() -> None:
    assert PointColumn().column_type != MultiPolygonColumn().column_type
    assert PointColumn is not MultiPolygonColumn


def test_a_column_knows_its_table_and_name_after_piccolo_copied_it() -> None:
    assert (Spot.point.relation, Spot.point.name) == ("spot", "point")
    assert (Spot.area.relation, Spot.area.name) == ("spot", "area")


def test_the_index_of_a_geometry_is_gist() -> None:
    assert PointColumn().get_default_value() is None
    assert "gist" in str(Spot.point._meta.index_method.value).lower()


async def test_values_are_shapely_geometries_both_ways_through_piccolo(district: str) -> None:
    await settle()
    rows = await CellRow.select(CellRow.code, CellRow.polygon).order_by(CellRow.code)
    assert [row["code"] for row in rows] == sorted(cell.code for cell in CELLS)
    assert isinstance(rows[0]["polygon"], MultiPolygon)
    assert rows[0]["polygon"].equals(CELLS[0].polygon)
    polygon = MultiPolygon([box(120, 30, 120.01, 30.01)])
    row = CellRow(
        code="330109001001099", village=AREAS[2].code, polygon=polygon, valid_from=NOW, valid_to=None, source=""
    )
    await row.save().run()
    back = await CellRow.objects().get(CellRow.code == "330109001001099")
    assert back is not None
    assert back.polygon.equals(polygon)


async def test_a_geometry_without_a_reference_system_is_stored_as_wgs84(district: str) -> None:
    await settle()
    assert await db.fetchval("select distinct st_srid(polygon) from cell") == 4326


async def test_no_default_slips_into_a_geometry_that_was_left_out(district: str) -> None:
    assert Spot(point=Point(1, 2)).area is None
    assert Spot.area._meta.null is True
    assert Spot.point._meta.null is False
