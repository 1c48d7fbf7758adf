"""The directory: who can own work in an area, who took over, who stands above and below."""

from datetime import timedelta

import msgspec

from grid.organisations import Directory, Force, Kind
from tests.grid.places import DISTRICT, NOW, TOWN, VILLAGES, force_unit, organisation

CENTRE = organisation(Kind.CENTRE, "centre")
TRANSPORT = organisation(Kind.DEPARTMENT, "transport", name="交通运输局", parent=CENTRE.id)
TOWN_CENTRE = organisation(Kind.TOWN_CENTRE, "town-1", TOWN, parent=CENTRE.id)
POLICE = force_unit(Force.POLICE, "police-1", parent=TOWN_CENTRE.id)
GRID = force_unit(Force.GRID, "grid-1", parent=TOWN_CENTRE.id)
TEAM = organisation(Kind.TEAM, "police-1-01", TOWN, force=Force.POLICE, parent=POLICE.id)
STATION = organisation(Kind.STATION, "station-1", VILLAGES[0], parent=TOWN_CENTRE.id)
ALL = [CENTRE, TRANSPORT, TOWN_CENTRE, POLICE, GRID, TEAM, STATION]


def test_work_in_a_cell_finds_the_nearest_organisation_above_it() -> None:
    directory = Directory(ALL, NOW)
    cell = VILLAGES[0] + "001"
    assert directory.find(Kind.STATION, cell) == STATION
    assert directory.find(Kind.TOWN_CENTRE, cell) == TOWN_CENTRE
    assert directory.find(Kind.FORCE_UNIT, cell, Force.POLICE) == POLICE
    assert directory.find(Kind.CENTRE, cell) == CENTRE
    assert directory.find(Kind.STATION, VILLAGES[1] + "001") is None
    assert directory.find(Kind.FORCE_UNIT, cell) is None


def test_a_department_is_found_by_name_and_by_code() -> None:
    directory = Directory(ALL, NOW)
    assert directory.department("交通运输局") == directory.department("transport") == TRANSPORT
    assert directory.department("police-1") is None


def test_an_ended_organisation_keeps_its_name_but_owns_no_new_work() -> None:
    ended = msgspec.structs.replace(TRANSPORT, ended_at=NOW)
    directory = Directory([CENTRE, ended], NOW)
    assert directory.get(TRANSPORT.id) == ended
    assert directory.department("transport") is None
    assert directory.as_of(NOW - timedelta(seconds=1)).department("transport") == ended


def test_work_of_an_ended_organisation_goes_along_the_chain_of_successors() -> None:
    heir = organisation(Kind.DEPARTMENT, "transport-2026")
    middle = organisation(Kind.DEPARTMENT, "transport-2025", ended_at=NOW, successor=heir.id)
    first = msgspec.structs.replace(TRANSPORT, ended_at=NOW, successor=middle.id)
    directory = Directory([first, middle, heir], NOW)
    assert directory.current(first.id) == heir
    assert directory.current(heir.id) == heir


def test_a_department_that_was_renamed_is_found_under_its_old_name_too() -> None:
    heir = organisation(Kind.DEPARTMENT, "traffic", name="交通运输和港航局")
    renamed = msgspec.structs.replace(TRANSPORT, ended_at=NOW, successor=heir.id)
    directory = Directory([CENTRE, renamed, heir], NOW)
    assert directory.department("交通运输局") == directory.department("transport") == heir
    assert directory.as_of(NOW - timedelta(seconds=1)).department("交通运输局") == renamed
    again = organisation(Kind.DEPARTMENT, "transport-2027", name="交通运输局")
    assert Directory([CENTRE, renamed, heir, again], NOW).department("交通运输局") == again  # founded anew


def test_the_work_of_a_place_whose_organisation_ended_is_its_successors_before_that_of_the_area_above() -> None:
    elsewhere = organisation(Kind.STATION, "station-2", VILLAGES[1], parent=TOWN_CENTRE.id)
    above = organisation(Kind.STATION, "station-0", TOWN, parent=TOWN_CENTRE.id)
    merged = msgspec.structs.replace(STATION, ended_at=NOW, successor=elsewhere.id)
    directory = Directory([*ALL[:-1], merged, above, elsewhere], NOW)
    assert directory.find(Kind.STATION, VILLAGES[0] + "001") == elsewhere
    gone = msgspec.structs.replace(STATION, ended_at=NOW)
    assert Directory([*ALL[:-1], gone, above, elsewhere], NOW).find(Kind.STATION, VILLAGES[0] + "001") == above


def test_a_chain_that_ends_in_nobody_or_in_itself_gives_nobody() -> None:
    a = organisation(Kind.DEPARTMENT, "a", ended_at=NOW)
    b = organisation(Kind.DEPARTMENT, "b", ended_at=NOW, successor=a.id)
    circle = Directory([msgspec.structs.replace(a, successor=b.id), b], NOW)
    assert Directory([a, b], NOW).current(b.id) is None
    assert circle.current(a.id) is None


def test_ancestors_and_those_below_include_the_organisation_itself() -> None:
    directory = Directory(ALL, NOW)
    assert directory.ancestors(TEAM.id) == {TEAM.id, POLICE.id, TOWN_CENTRE.id, CENTRE.id}
    assert directory.below(TOWN_CENTRE.id) == {TOWN_CENTRE.id, POLICE.id, GRID.id, TEAM.id, STATION.id}
    assert directory.below(CENTRE.id) == {each.id for each in ALL}


def test_several_organisations_of_a_place_come_by_code() -> None:
    second = organisation(Kind.SQUAD, "squad-2", TOWN)
    first = organisation(Kind.SQUAD, "squad-1", TOWN)
    assert Directory([second, first], NOW).all(Kind.SQUAD, TOWN) == [first, second]
    assert Directory([second, first], NOW).all(Kind.SQUAD, DISTRICT) == []
