"""What is done to the grid: imports whole or not at all, organisations and duty, each within reach."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from shapely.geometry import mapping

from app.kernel import db, ids
from app.kernel.actor import Actor, Membership, Role, system
from app.kernel.crs import Datum
from app.kernel.problem import Invalid, NotPermitted
from grid import commands, facts, store
from grid.commands import EndOrganisation, NewOrganisation, NewShift
from grid.imports import FeatureCollection
from grid.organisations import Force, Kind
from grid.people import Person, SquadMember
from grid.problems import CellsRefused, OrganisationCodeTaken, OrganisationEnded, OrganisationNotFound
from tests.grid.places import AREAS, CELLS, DISTRICT, NOW, TOWN, VILLAGES, force_unit, organisation, settle, square

SYSTEM = system(DISTRICT, "test")


def actor(role: Role, area: str, organisation: Any = None) -> Actor:
    return Actor(id=ids.new_id(), kind="staff", district=DISTRICT, memberships=(Membership(role, organisation, area),))


def file(**cells: Any) -> FeatureCollection:
    features = [
        {"type": "Feature", "properties": {"code": f"{VILLAGES[0]}{code[1:]}"}, "geometry": mapping(shape)}
        for code, shape in cells.items()
    ]
    return msgspec.convert({"type": "FeatureCollection", "features": features}, FeatureCollection)


GOOD = file(c101=square(2.2, 1.2, 0.5, 0.5), c102=square(2.8, 1.2, 0.5, 0.5))
BAD = file(c101=square(2.2, 1.2, 0.5, 0.5), c102=square(2.6, 1.2, 0.5, 0.5))


async def codes() -> list[str]:
    return [cell.code for cell in await store.cells([VILLAGES[0]], NOW)]


async def test_a_good_file_is_taken(district: str) -> None:
    await settle()
    before = await codes()
    report = await commands.import_cells(GOOD, Datum.WGS84, SYSTEM, NOW)
    assert (report.accepted, report.taken, report.ended) == (True, 2, ())
    assert await codes() == [*before, VILLAGES[0] + "101", VILLAGES[0] + "102"]


async def test_a_bad_file_changes_nothing_and_tells_why(district: str) -> None:
    await settle()
    before = await codes()
    with pytest.raises(CellsRefused) as refused:
        await commands.import_cells(BAD, Datum.WGS84, SYSTEM, NOW)
    assert [finding["fault"] for finding in refused.value.facts["findings"]] == ["overlap"]
    assert await codes() == before


async def test_a_dry_run_reports_the_same_and_changes_nothing(district: str) -> None:
    await settle()
    before = await codes()
    good = await commands.import_cells(GOOD, Datum.WGS84, SYSTEM, NOW, dry_run=True)
    bad = await commands.import_cells(BAD, Datum.WGS84, SYSTEM, NOW, dry_run=True)
    assert (good.accepted, good.taken, bad.accepted, bad.taken) == (True, 2, False, 0)
    assert [finding.fault for finding in bad.findings] == ["overlap"]
    assert await codes() == before


async def test_a_replacement_ends_the_present_cells_and_keeps_their_past(district: str) -> None:
    await settle()
    before = await codes()
    report = await commands.import_cells(GOOD, Datum.WGS84, SYSTEM, NOW, replace=True)
    assert list(report.ended) == before
    assert await codes() == [VILLAGES[0] + "101", VILLAGES[0] + "102"]
    assert len(await store.cells([VILLAGES[0]], NOW - timedelta(days=1))) == len(before)
    with pytest.raises(CellsRefused):  # a code is never used again
        await commands.import_cells(file(c001=square(2.2, 0.95, 0.1, 0.1)), Datum.WGS84, SYSTEM, NOW, replace=True)


async def test_phones_get_the_outline_of_a_new_cell_and_drop_an_ended_one(district: str) -> None:
    await settle()
    await commands.import_cells(GOOD, Datum.WGS84, SYSTEM, NOW, replace=True)
    rows = await db.fetch("select bucket, kind, version, body from change order by bucket")
    told = {row["bucket"]: row["body"] for row in rows}
    taken, ended = f"cell:{VILLAGES[0]}101", f"cell:{VILLAGES[0]}001"
    assert told[taken]["polygon"]["type"] == "MultiPolygon"
    assert told[ended] is None
    assert {(row["kind"], row["version"]) for row in rows} == {("cell", 1), ("cell", 2)}


async def test_an_overlap_with_a_cell_of_another_village_is_found_too(district: str) -> None:
    await settle()
    over = file(c101=square(0.5, 1.5, 0.2, 0.2))  # lies in a cell of the second village; villages have no outline here
    for replace in (False, True):
        report = await commands.import_cells(over, Datum.WGS84, SYSTEM, NOW, replace=replace, dry_run=True)
        assert [finding.other for finding in report.findings] == [VILLAGES[1] + "002"]


async def test_of_two_imports_at_once_that_claim_the_same_ground_one_is_taken(committed: str) -> None:
    async with db.transaction(committed):
        await settle()
    ground = square(2.2, 1.2, 0.5, 0.5)
    files = [file(**{f"c10{n}": ground}) for n in range(4)]
    imports = (commands.import_cells(each, Datum.WGS84, SYSTEM, NOW) for each in files)
    results = await asyncio.gather(*imports, return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == [*["CellsRefused"] * 3, "ImportReport"]


async def test_a_town_imports_cells_of_its_own_villages_only(district: str) -> None:
    await settle()
    own, foreign = actor(Role.TOWN_CENTRE, TOWN), actor(Role.TOWN_CENTRE, "330109002")
    assert (await commands.import_cells(GOOD, Datum.WGS84, own, NOW, dry_run=True)).accepted
    report = await commands.import_cells(GOOD, Datum.WGS84, foreign, NOW, dry_run=True)
    assert {finding.fault for finding in report.findings} == {"village"}
    with pytest.raises(NotPermitted):
        await commands.import_cells(GOOD, Datum.WGS84, actor(Role.GRID_WORKER, TOWN), NOW, dry_run=True)


async def test_areas_are_taken_once_and_refused_rows_are_listed(district: str) -> None:
    rows = [{"code": each.code, "parent_code": each.parent or "3301", "level": "", "name": each.name} for each in AREAS]
    moved = {"code": "330109009", "parent_code": "330109", "level": "", "name": "新湾街道"}
    first = await commands.import_areas(DISTRICT, [*rows, moved], {}, NOW, "test")
    again = await commands.import_areas(DISTRICT, rows, {}, NOW, "test")
    assert (first.taken, [row.code for row in first.refused], again.taken) == (4, ["330109009"], 0)


async def founded(**more: Any) -> Any:
    values: dict[str, Any] = {"kind": Kind.DEPARTMENT, "name": "示例局", "code": "example", "area": DISTRICT}
    return await commands.found_organisation(NewOrganisation(**(values | more)), SYSTEM, NOW)


async def test_a_founded_organisation_is_in_the_directory_at_once_and_ends_with_its_successor(district: str) -> None:
    await settle()
    assert (await facts.directory(NOW)).department("example") is None
    old, new = await founded(), await founded(code="example-2")
    assert (await facts.directory(NOW)).department("example") == old
    ended = await commands.end_organisation(old.id, EndOrganisation(successor=new.id), SYSTEM, NOW)
    directory = await facts.directory(NOW)
    assert (ended.ended_at, directory.department("example"), directory.current(old.id)) == (NOW, new, new)
    with pytest.raises(OrganisationEnded):
        await commands.end_organisation(old.id, EndOrganisation(), SYSTEM, NOW)
    with pytest.raises(OrganisationNotFound):
        await commands.end_organisation(ids.new_id(), EndOrganisation(), SYSTEM, NOW)


async def test_the_directory_is_read_once_until_something_changes(district: str) -> None:
    await settle()
    await founded()
    first = await facts.directory(NOW)
    assert (await facts.directory(NOW + timedelta(days=1))).by_id is first.by_id
    await founded(code="example-2")
    assert (await facts.directory(NOW)).by_id is not first.by_id


async def test_a_code_is_taken_once(district: str) -> None:
    await settle()
    await founded()
    with pytest.raises(OrganisationCodeTaken):
        await founded()


async def test_two_that_found_the_same_code_at_once_leave_one(committed: str) -> None:
    async with db.transaction(committed):
        await settle()
    results = await asyncio.gather(*(founded() for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Organisation", *["OrganisationCodeTaken"] * 3]


async def test_every_bad_field_of_an_organisation_is_listed(district: str) -> None:
    await settle()
    with pytest.raises(Invalid) as refused:
        await founded(kind=Kind.TEAM, area="330109888", parent=ids.new_id())
    assert [error.field for error in refused.value.errors] == ["force", "area", "parent"]


async def test_a_district_centre_may_found_and_a_town_may_not(district: str) -> None:
    await settle()
    new = NewOrganisation(kind=Kind.DEPARTMENT, name="示例局", code="example", area=DISTRICT)
    await commands.found_organisation(new, actor(Role.DISTRICT_CENTRE, DISTRICT), NOW)
    with pytest.raises(NotPermitted):
        await commands.found_organisation(new, actor(Role.TOWN_CENTRE, TOWN), NOW)


async def test_who_is_on_duty_at_a_place_and_time_is_one_query(district: str) -> None:
    await settle()
    unit = force_unit(Force.POLICE, "police-1")
    await store.add_organisations([unit], ids.new_id())
    people = [Person(id=ids.new_id(), name=f"演示甲{n}", organisation=unit.id, started_at=NOW) for n in range(3)]
    await store.add_people(people)
    cell = CELLS[0].code
    for person, area in zip(people, (TOWN, cell, "330109002"), strict=True):
        shift = NewShift(
            person=person.id,
            organisation=unit.id,
            area=area,
            starts_at=NOW,
            ends_at=NOW + timedelta(hours=8),
        )
        await commands.plan_shift(shift, SYSTEM)
    assert [shift.person for shift in await facts.on_duty(cell, NOW)] == [people[1].id, people[0].id]
    assert len(await facts.on_duty(DISTRICT, NOW)) == 3
    assert await facts.on_duty(cell, NOW + timedelta(hours=8)) == []
    assert await facts.on_duty(cell, NOW - timedelta(seconds=1)) == []


async def test_a_shift_lists_every_bad_field(district: str) -> None:
    await settle()
    shift = NewShift(person=ids.new_id(), organisation=ids.new_id(), area=TOWN, starts_at=NOW, ends_at=NOW)
    with pytest.raises(Invalid) as refused:
        await commands.plan_shift(shift, SYSTEM)
    assert [error.field for error in refused.value.errors] == ["ends_at", "person", "organisation"]


async def test_a_squad_has_members_of_several_forces_for_a_period(district: str) -> None:
    await settle()
    police, grid = force_unit(Force.POLICE, "police-1"), force_unit(Force.GRID, "grid-1")
    squad = organisation(Kind.SQUAD, "squad-1", TOWN)
    await store.add_organisations([police, grid, squad], ids.new_id())
    people = [
        Person(id=ids.new_id(), name="演示甲1", organisation=police.id, started_at=NOW),
        Person(id=ids.new_id(), name="演示乙2", organisation=grid.id, started_at=NOW),
    ]
    await store.add_people(people)
    until = NOW + timedelta(days=30)
    members = [
        SquadMember(id=ids.new_id(), squad=squad.id, person=people[0].id, started_at=NOW),
        SquadMember(id=ids.new_id(), squad=squad.id, person=people[1].id, started_at=NOW, ended_at=until),
    ]
    await store.add_squad_members(members)
    assert await facts.members(squad.id, NOW) == people
    assert await facts.members(squad.id, until) == people[:1]
    assert set(await facts.people([each.id for each in people])) == {each.id for each in people}


async def test_two_districts_see_neither_each_others_cells_nor_organisations(committed: str) -> None:
    async with db.transaction("330109"):
        await settle()
        await store.add_organisations([organisation(Kind.CENTRE, "centre")], ids.new_id())
    async with db.transaction("330110"):
        assert await facts.area_names([DISTRICT]) == {}
        assert (await facts.locate([CELLS[0].polygon.centroid.coords[0]], NOW))[0].cell is None
        assert (await facts.directory(NOW)).by_id == {}
    async with db.transaction("330109"):
        assert len((await facts.directory(NOW)).by_id) == 1
