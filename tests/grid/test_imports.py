"""Import of cells: every fault is found and measured, in any datum."""

from typing import Any

import msgspec
import pytest
from shapely import MultiPolygon, Polygon, box
from shapely.geometry import mapping

from app.kernel.crs import Datum, convert
from grid.cells import Cell, square_metres
from grid.imports import Fault, FeatureCollection, Known, Survey, check
from tests.grid.places import NOW, SIDE, SOUTH, VILLAGES, WEST, square

VILLAGE = VILLAGES[0]
BOUNDARY = MultiPolygon([box(WEST, SOUTH, WEST + 2 * SIDE, SOUTH + SIDE)])
KNOWN = Known(villages=frozenset(VILLAGES), boundaries={VILLAGE: BOUNDARY}, used=frozenset(), cells=())

# A square of 0.01° from 30.18° N on the WGS-84 ellipsoid, by ST_Area(geography) of PostGIS 3.3.
SQUARE_M2 = 1_067_614.6


def feature(code: str, geometry: Any) -> dict[str, Any]:
    shape = mapping(geometry) if isinstance(geometry, Polygon | MultiPolygon) else geometry
    return {"type": "Feature", "properties": {"code": code}, "geometry": shape}


def collection(*features: dict[str, Any]) -> FeatureCollection:
    content = msgspec.json.encode({"type": "FeatureCollection", "features": features})
    return msgspec.json.decode(content, type=FeatureCollection)


def survey(*features: dict[str, Any], known: Known = KNOWN, datum: Datum = Datum.WGS84) -> Survey:
    return check(collection(*features), datum, known, NOW, "test")


def faults(found: Survey) -> list[tuple[str, int | None]]:
    return [(each.fault.value, each.feature) for each in found.findings]


WEST_HALF, EAST_HALF = feature(VILLAGE + "001", square(0, 0)), feature(VILLAGE + "002", square(1, 0))


def test_cells_that_fill_their_village_are_taken_without_findings() -> None:
    found = survey(WEST_HALF, EAST_HALF)
    assert found.findings == ()
    assert [cell.code for cell in found.cells] == [VILLAGE + "001", VILLAGE + "002"]
    assert not found.refused


@pytest.mark.parametrize("datum", list(Datum))
def test_coordinates_of_any_datum_arrive_where_they_were_meant(datum: Datum) -> None:
    def shifted(polygon: Polygon) -> Polygon:
        return Polygon([convert(lon, lat, Datum.WGS84, datum) for lon, lat in polygon.exterior.coords])

    found = survey(
        feature(VILLAGE + "001", shifted(square(0, 0))),
        feature(VILLAGE + "002", shifted(square(1, 0))),
        datum=datum,
    )
    assert found.findings == ()


def test_a_wrong_datum_shows_as_ground_outside_the_village() -> None:
    found = survey(WEST_HALF, EAST_HALF, datum=Datum.GCJ02)
    assert {each.fault for each in found.findings} == {Fault.OUTSIDE}
    assert all((each.square_metres or 0) > 100_000 for each in found.findings)


def test_an_overlap_is_measured_in_square_metres() -> None:
    found = survey(WEST_HALF, feature(VILLAGE + "002", square(0.9, 0)))
    (overlap,) = found.findings
    assert (overlap.fault, overlap.code, overlap.other) == (Fault.OVERLAP, VILLAGE + "001", VILLAGE + "002")
    assert overlap.square_metres == pytest.approx(SQUARE_M2 / 10, rel=2e-4)


def test_an_overlap_with_a_cell_that_stands_is_found() -> None:
    standing = Cell(code=VILLAGE + "009", polygon=MultiPolygon([square(0.5, 0)]), valid_from=NOW)
    found = survey(WEST_HALF, known=msgspec.structs.replace(KNOWN, cells=[standing]))
    assert [(each.fault, each.other) for each in found.findings] == [(Fault.OVERLAP, VILLAGE + "009")]


def test_ground_outside_the_village_is_measured() -> None:
    found = survey(WEST_HALF, feature(VILLAGE + "002", square(1, 0, 1.2)))
    (outside,) = found.findings
    assert (outside.fault, outside.other) == (Fault.OUTSIDE, VILLAGE)
    assert outside.square_metres == pytest.approx(SQUARE_M2 / 5, rel=2e-4)
    assert found.refused


def test_a_gap_is_told_and_measured_but_refuses_nothing() -> None:
    found = survey(WEST_HALF, feature(VILLAGE + "002", square(1, 0, 0.75)))
    (gap,) = found.findings
    assert (gap.fault, gap.code) == (Fault.GAP, VILLAGE)
    assert gap.square_metres == pytest.approx(SQUARE_M2 / 4, rel=2e-4)
    assert not found.refused


def test_slivers_from_rounding_are_no_faults() -> None:
    sliver = 1e-9 * SIDE
    found = survey(WEST_HALF, feature(VILLAGE + "002", square(1 - sliver, 0, 1 + sliver)))
    assert found.findings == ()


BOW = Polygon([(WEST, SOUTH), (WEST + SIDE, SOUTH + SIDE), (WEST + SIDE, SOUTH), (WEST, SOUTH + SIDE)])
OPEN = {"type": "Polygon", "coordinates": [[[WEST, SOUTH], [WEST + SIDE, SOUTH], [WEST, SOUTH + SIDE]]]}


@pytest.mark.parametrize(
    ("code", "geometry", "fault"),
    [
        (VILLAGE + "001", BOW, Fault.RING),
        (VILLAGE + "001", OPEN, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "Point", "coordinates": [120.2, 30.2]}, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]}, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "Polygon", "coordinates": [[[200.0, 30.0]] * 4]}, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "Polygon", "coordinates": [[120.0, 30.0]]}, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "Polygon", "coordinates": []}, Fault.GEOMETRY),
        (VILLAGE + "001", {"type": "MultiPolygon", "coordinates": []}, Fault.GEOMETRY),
        (VILLAGE + "001", None, Fault.GEOMETRY),
        (VILLAGE, square(0, 0), Fault.CODE),
        ("", square(0, 0), Fault.CODE),
        ("330109007001001", square(0, 0), Fault.CODE),  # a town that moved to another district
        ("330109001999001", square(0, 0), Fault.VILLAGE),
    ],
)
def test_a_broken_feature_is_refused_with_its_number(code: str, geometry: Any, fault: Fault) -> None:
    found = survey(EAST_HALF, feature(code, geometry))
    assert (fault, 1) in [(each.fault, each.feature) for each in found.findings]
    assert found.refused


def test_a_code_used_before_or_twice_is_refused() -> None:
    used = survey(WEST_HALF, known=msgspec.structs.replace(KNOWN, used=frozenset({VILLAGE + "001"})))
    assert faults(used) == [("code", 0)]
    twice = survey(WEST_HALF, feature(VILLAGE + "001", square(1, 0)))
    assert faults(twice)[0] == ("code", 1)


def test_all_faults_are_listed_not_only_the_first() -> None:
    found = survey(
        feature("x", BOW), feature(VILLAGE + "002", square(1, 0, 1.2)), feature(VILLAGE + "003", square(1, 0))
    )
    assert faults(found) == [("code", 0), ("ring", 0), ("overlap", 1), ("outside", 1)]


def test_square_metres_agree_with_the_ellipsoid_to_a_thousandth() -> None:
    assert square_metres(square(0, 0)) == pytest.approx(SQUARE_M2, rel=2e-4)
