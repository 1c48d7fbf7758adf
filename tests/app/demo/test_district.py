"""The demo district: real divisions and outline, made-up cells that fit, the same in every run."""

import re
from collections import Counter

import pytest
import shapely

from app.demo import accounts
from app.demo.district import households, organisations, people, places
from app.demo.district.places import DATA, Places
from app.kernel.actor import Role
from grid.areas import Level
from grid.cells import CellIndex, square_metres
from grid.organisations import Directory, Force, Kind, Organisation
from tests.grid.places import NOW


@pytest.fixture(scope="module")
def made() -> Places:
    return places.build()


@pytest.fixture(scope="module")
def units(made: Places) -> list[Organisation]:
    return organisations.build(made)


def test_the_real_divisions_are_all_there(made: Places) -> None:
    assert (len(made.towns), len(made.villages), made.refused) == (22, 585, ())
    assert 2_300 < len(made.cells) < 2_700
    assert {cell.village[:9] for cell in made.cells} == {town.code for town in made.towns}


def test_cells_fill_the_real_outline_without_overlap(made: Places) -> None:
    outline = made.boundaries["330109"]
    assert square_metres(outline) == pytest.approx(998.7e6, rel=1e-3)  # the published area
    assert square_metres(shapely.union_all([cell.polygon for cell in made.cells]).symmetric_difference(outline)) < 1
    assert sum(square_metres(cell.polygon) for cell in made.cells) == pytest.approx(square_metres(outline), rel=1e-3)
    assert all(cell.polygon.is_valid for cell in made.cells)


def test_every_made_up_thing_is_labelled_so(made: Places, units: list[Organisation]) -> None:
    staff = people.build(units)
    assert {each.source for each in (*made.cells, *units, *staff.people)} == {"made-up"}
    with_boundary = [area for area in made.areas if area.code in made.boundaries and area.level is not Level.DISTRICT]
    assert all("made-up" in area.source for area in with_boundary)
    assert all(person.name.startswith("演示") for person in staff.people)


def test_the_same_seed_makes_the_same_district(made: Places, units: list[Organisation]) -> None:
    again = places.build()
    assert [cell.polygon.wkb for cell in again.cells] == [cell.polygon.wkb for cell in made.cells]
    assert organisations.build(again) == units
    assert people.build(units) == people.build(units)
    assert households.build(again, "small") == households.build(made, "small")
    assert places.build(seed=1).cells != made.cells


def test_organisations_have_the_numbers_of_the_district(units: list[Organisation]) -> None:
    numbers = Counter(each.kind for each in units)
    assert numbers == {
        Kind.CENTRE: 1,
        Kind.DEPARTMENT: 22,
        Kind.TOWN_CENTRE: 22,
        Kind.STATION: 585,
        Kind.FORCE_UNIT: 66,
        Kind.TEAM: 660,
        Kind.SQUAD: 66,
    }
    assert len({each.code for each in units}) == len({each.id for each in units}) == len(units)


def test_every_department_the_catalogue_names_is_there(units: list[Organisation]) -> None:
    catalogue = (DATA.parents[2] / "tasks" / "cases" / "data" / "items.csv").read_text(encoding="utf-8")
    named = set(re.findall(r"department:([^ ,|]+)", catalogue))
    directory = Directory(units, NOW)
    assert named
    assert [name for name in named if directory.department(name) is None] == []


def test_every_cell_has_a_station_a_town_centre_and_three_forces_above_it(
    made: Places, units: list[Organisation]
) -> None:
    directory = Directory(units, NOW)
    for cell in made.cells:
        assert directory.find(Kind.STATION, cell.code)
        assert directory.find(Kind.TOWN_CENTRE, cell.code)
        assert all(directory.find(Kind.FORCE_UNIT, cell.code, force) for force in Force)


def test_a_squad_mixes_the_three_forces_of_its_town(units: list[Organisation]) -> None:
    staff = people.build(units)
    team = {each.id: each for each in units}
    home = {each.id: team[each.organisation] for each in staff.people}
    for squad in (each for each in units if each.kind is Kind.SQUAD):
        members = [home[each.person] for each in staff.members if each.squad == squad.id]
        assert Counter(each.force for each in members) == {Force.GRID: 3, Force.POLICE: 1, Force.ENFORCEMENT: 1}
        assert {each.area for each in members} == {squad.area}


def test_households_lie_in_the_cell_they_name_and_have_one_address_each(made: Places) -> None:
    rows = households.build(made, "small")
    located = CellIndex(made.cells, None).locate([(row.lon, row.lat) for row in rows])
    assert [each.cell for each in located] == [row.area for row in rows]
    assert len({row.address for row in rows}) == len(rows) == 5_000
    assert all(row.contact is None or row.contact.startswith("000-") for row in rows)


def test_there_is_an_account_for_every_role_and_in_two_towns_for_every_field_role(
    units: list[Organisation],
) -> None:
    staff = people.build(units)
    seats = accounts.plan(units, staff.people, staff.members)
    roles = Counter(seat.memberships[0].role for seat in seats)
    assert set(roles) == set(Role)
    field = {Role.GRID_WORKER, Role.OFFICER, Role.SQUAD_LEADER, Role.STATION, Role.TOWN_CENTRE, Role.TOWN_MANAGER}
    for town in accounts.TOWNS:
        there = {seat.memberships[0].role for seat in seats if seat.memberships[0].area.startswith(town)}
        assert there == field
    assert len({seat.username for seat in seats}) == len({seat.person for seat in seats}) == len(seats)
