"""The area tree: codes, and which rows of a divisions file are refused with which reason."""

import csv
from pathlib import Path

import pytest

from app.demo.district.places import DATA
from grid.areas import Level, level_of, parent_of, read, retired
from tests.grid.places import T0

GOOD = {"code": "330109001", "parent_code": "330109", "level": "subdistrict", "name": "城厢街道", "vintage": "2023"}
DISTRICT = {"code": "330109", "parent_code": "3301", "level": "district", "name": "萧山区", "vintage": ""}


@pytest.mark.parametrize(
    ("code", "level", "parent"),
    [
        ("330109", Level.DISTRICT, None),
        ("330109001", Level.TOWN, "330109"),
        ("330109001001", Level.VILLAGE, "330109001"),
        ("330109001001001", Level.CELL, "330109001001"),
        ("33010", None, None),
        ("33010900a", None, None),
        ("３３０１０９", None, None),  # full-width digits are no digits of a code
        ("", None, None),
    ],
)
def test_a_code_tells_its_level_and_its_parent(code: str, level: Level | None, parent: str | None) -> None:
    assert level_of(code) == level
    assert parent_of(code) == parent


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": "330109007", "name": "河庄街道"}, "330114"),  # moved to Qiantang in 2021
        ({"code": "330109011001", "parent_code": "330109011"}, "330114"),  # villages of moved towns too
        ({"code": "3301O9002"}, "not 6, 9 or 12 digits"),
        ({"code": "330109001001001"}, "not 6, 9 or 12 digits"),  # cells come by GeoJSON
        ({"code": "330110001"}, "not of this district"),
        ({"code": "330109002", "name": " "}, "no name"),
        ({"code": "330109001"}, "twice"),
        ({"code": "330109003001", "parent_code": "330109003"}, "parent"),
        ({"code": "330109002", "parent_code": "330110"}, "parent"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_reason(change: dict[str, str], reason: str) -> None:
    taken, refused = read([DISTRICT, GOOD, GOOD | change], "330109", T0)
    assert [area.code for area in taken] == ["330109", "330109001"]
    assert [(row.line, row.code) for row in refused] == [(4, change["code"])]
    assert reason in refused[0].reason


def test_children_may_stand_before_their_parents_in_the_file() -> None:
    taken, refused = read([GOOD, DISTRICT], "330109", T0)
    assert [area.code for area in taken] == ["330109", "330109001"]
    assert refused == []


def test_the_real_divisions_are_taken_whole_with_repeated_names() -> None:
    with Path(DATA / "divisions_330109.csv").open(encoding="utf-8-sig", newline="") as file:
        taken, refused = read(csv.DictReader(file), "330109", T0)
    assert refused == []
    assert {level: sum(area.level is level for area in taken) for level in Level} == {
        Level.DISTRICT: 1,
        Level.TOWN: 27,
        Level.VILLAGE: 585,
        Level.CELL: 0,
    }
    assert len([area for area in taken if area.name.startswith("新港村")]) == 2


def test_the_five_towns_that_moved_are_retired_and_their_neighbours_are_not() -> None:
    assert [town for town in range(1, 21) if retired(f"330109{town:03d}")] == [7, 8, 9, 10, 11]
