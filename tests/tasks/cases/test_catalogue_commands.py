"""Changing the catalogue: new versions from a time on, all or nothing, and cases keep theirs."""

import asyncio
import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.problem import Invalid, NotPermitted
from tasks.cases import catalogue_commands, catalogue_files, commands, intake, queries, reference
from tasks.cases import orders as o
from tasks.cases.catalogue import Draft, versioned
from tasks.cases.catalogue_files import write_csv, write_xlsx
from tasks.cases.problems import FileRefused, ItemNotFound
from tests.tasks.cases import stage, steps, town
from tests.tasks.cases.stage import CENTRE_CLERK, CITIZEN, NOW, TOWN_CLERK

LATER = NOW + timedelta(days=10)
SHIPPED = catalogue_files.shipped()
BY_CODE = {item.code: item for item in SHIPPED}


def other(code: str, **changes: Any) -> Draft:
    return replace(BY_CODE[code], **changes)


async def own_versions() -> int:
    return await db.fetchval("select count(*) from case_item")


async def taken(content: bytes | str, **more: Any) -> catalogue_commands.Imported:
    body = content if isinstance(content, bytes) else content.encode()
    return await catalogue_commands.import_file(body, CENTRE_CLERK, NOW, **more)


@pytest.mark.parametrize("xlsx", [False, True])
async def test_importing_what_was_exported_changes_nothing(place: str, xlsx: bool):
    await catalogue_commands.change(other("E0102", name="垃圾暴露", aliases=("脏",)), CENTRE_CLERK, NOW)
    content = await catalogue_commands.export_file(xlsx, CENTRE_CLERK, NOW)
    before = await own_versions()
    report = await taken(content)
    assert (report.added, report.changed, report.unchanged, report.bad) == ((), (), 132, ())
    assert await own_versions() == before


async def test_a_changed_row_is_a_new_version_and_an_unknown_code_a_new_item(place: str):
    new = replace(BY_CODE["E0102"], code="X001", name="新事项")
    report = await taken(write_csv([other("E0102", closing="干净了"), BY_CODE["E0103"], new]))
    assert [(each.code, each.version, each.fields) for each in report.changed] == [("E0102", 2, ("closing",))]
    assert [(each.code, each.version) for each in report.added] == [("X001", 1)]
    assert report.unchanged == 1
    assert (await queries.item("E0102", CENTRE_CLERK, NOW)).closing == "干净了"
    assert (await queries.item("X001", CENTRE_CLERK, NOW)).name == "新事项"
    assert len(await queries.items(CENTRE_CLERK, NOW)) == 133  # what the file does not name stays


async def test_a_file_with_one_bad_row_changes_nothing_and_every_bad_row_is_told(place: str):
    items = write_xlsx([other("E0102", name="改"), other("E0103", lead="nobody"), other("E0104", privacy="?")])
    with pytest.raises(FileRefused) as refused:
        await taken(items)
    told = refused.value.document(1)
    assert [(row["row"], row["column"]) for row in told["rows"]] == [(3, "lead"), (4, "privacy")]
    assert {each["field"] for each in told["errors"]} == {"rows[3].lead", "rows[4].privacy"}
    assert await own_versions() == 0


async def test_a_dry_run_tells_what_would_change_and_which_rows_are_bad_and_changes_nothing(place: str):
    items = write_csv([other("E0102", name="改"), other("E0103", lead="nobody")])
    report = await taken(items, dry_run=True)
    assert (report.rows, [each.code for each in report.changed]) == (2, ["E0102"])
    assert [(each.row, each.column) for each in report.bad] == [(3, "lead")]
    assert await own_versions() == 0


async def test_a_change_holds_from_its_time_on_and_the_past_cannot_be_changed(place: str):
    made = await catalogue_commands.change(other("E0102", name="改"), CENTRE_CLERK, NOW, LATER)
    assert (made.version, made.effective_from) == (2, LATER)
    just_before = LATER - timedelta(seconds=1)
    assert (await queries.item("E0102", CENTRE_CLERK, just_before)).version == 1
    assert (await queries.item("E0102", CENTRE_CLERK, LATER)).name == "改"
    for bad in (NOW - timedelta(seconds=1), LATER.replace(tzinfo=None)):
        with pytest.raises(Invalid) as refused:
            await catalogue_commands.change(other("E0102"), CENTRE_CLERK, NOW, bad)
        assert [each.field for each in refused.value.errors] == ["effective_from"]


async def test_saying_the_same_again_makes_no_version(place: str):
    assert (await catalogue_commands.change(other("E0102"), CENTRE_CLERK, NOW)).version == 1
    assert await own_versions() == 0


async def test_a_retired_item_is_gone_from_its_time_on_and_all_its_versions_stay(place: str):
    await catalogue_commands.change(other("E0102", name="改"), CENTRE_CLERK, NOW)
    ended = await catalogue_commands.retire("E0102", CENTRE_CLERK, NOW, LATER)
    assert (await queries.item("E0102", CENTRE_CLERK, LATER - timedelta(seconds=1))).name == "改"
    with pytest.raises(ItemNotFound):
        await queries.item("E0102", CENTRE_CLERK, LATER)
    versions = await catalogue_commands.history("E0102", CENTRE_CLERK)
    assert [(v.item.version, v.holds_from, v.holds_until) for v in versions] == [
        (1, BY_CODE["E0102"].effective_from, NOW),
        (2, NOW, LATER),
        (3, LATER, LATER),
    ]
    assert [v.author for v in versions] == [None, CENTRE_CLERK.id, CENTRE_CLERK.id]
    assert ended.retired
    back = await catalogue_commands.change(other("E0102"), CENTRE_CLERK, LATER, LATER + timedelta(days=1))
    assert back.version == 4


async def test_an_item_with_a_planned_version_is_not_retired_before_it(place: str):
    await catalogue_commands.change(other("E0102", name="改"), CENTRE_CLERK, NOW, LATER)
    with pytest.raises(Invalid):
        await catalogue_commands.retire("E0102", CENTRE_CLERK, NOW)
    with pytest.raises(ItemNotFound):
        await catalogue_commands.retire("NONE", CENTRE_CLERK, NOW)


async def test_every_bad_field_of_a_change_is_named(place: str):
    bad = other("E0102", lead="nobody", assistants=("town", "x"), attribute_schema={"type": "array"}, limits={})
    with pytest.raises(Invalid) as refused:
        await catalogue_commands.change(bad, CENTRE_CLERK, NOW)
    assert {each.field for each in refused.value.errors} == {
        "lead",
        "assistants[1]",
        "attribute_schema",
        "limits.routine.handle",
    }


async def test_only_the_district_centre_changes_the_catalogue(place: str):
    for work in (
        catalogue_commands.change(other("E0102", name="改"), TOWN_CLERK, NOW),
        catalogue_commands.retire("E0102", TOWN_CLERK, NOW),
        catalogue_commands.import_file(b"", TOWN_CLERK, NOW),
        catalogue_commands.export_file(False, TOWN_CLERK, NOW),
    ):
        with pytest.raises(NotPermitted):
            await work


async def test_a_case_keeps_the_version_it_was_accepted_under(place: str):
    waiting = await steps.opened(item="G001", lead=None, place=None)
    await catalogue_commands.change(other("G001", name="其他（新）"), CENTRE_CLERK, NOW + timedelta(minutes=1))
    assert waiting.item_version == 1
    moment = NOW + timedelta(minutes=2)
    await commands.give(waiting.id, o.Accept(), CENTRE_CLERK, moment)
    await catalogue_commands.change(other("G001", name="其他（再新）"), CENTRE_CLERK, NOW + timedelta(minutes=3))
    await commands.give(waiting.id, o.Assign(to=stage.TOWN_CENTRE), CENTRE_CLERK, NOW + timedelta(minutes=4))
    kept = await db.fetchrow("select item_version, state from cases where id = $1", waiting.id)
    assert kept is not None
    assert tuple(kept) == (2, "assigned")


async def test_a_case_opened_before_a_change_is_handled_by_the_old_version(place: str):
    case = await steps.opened()
    await catalogue_commands.change(other("H008", evidence_at_handling=3), CENTRE_CLERK, NOW)
    again = await steps.opened(reporter=intake.Reporter(id=CITIZEN.id))
    assert (case.item_version, again.item_version) == (1, 2)


async def test_a_case_with_bad_attributes_is_refused_by_the_schema_of_its_item(place: str):
    schema = {"type": "object", "properties": {"depth_cm": {"type": "number", "minimum": 0}}, "required": ["depth_cm"]}
    await catalogue_commands.change(other("E0406", attribute_schema=schema), CENTRE_CLERK, NOW)
    wet = {"item": "E0406", "place": town.INSIDE}
    with pytest.raises(Invalid) as refused:
        await steps.opened(**wet, attributes={"depth_cm": -3})
    assert [each.field for each in refused.value.errors] == ["attributes.depth_cm"]
    with pytest.raises(Invalid) as refused:
        await steps.opened(**wet)
    assert [each.field for each in refused.value.errors] == ["attributes.depth_cm"]
    assert (await steps.opened(**wet, attributes={"depth_cm": 12.5})).item == "E0406"


async def test_changes_at_the_same_moment_get_different_versions(real_place: str):
    async def rename(number: int) -> int:
        return (await catalogue_commands.change(other("E0102", name=f"名{number}"), CENTRE_CLERK, NOW)).version

    assert sorted(await asyncio.gather(*map(rename, range(6)))) == [2, 3, 4, 5, 6, 7]


async def test_a_district_does_not_see_its_neighbours_catalogue(real_place: str):
    await catalogue_commands.change(other("E0102", name="只在本区"), CENTRE_CLERK, NOW)
    async with db.transaction("330110"):
        found = (await reference.present()).catalogue.at("E0102", NOW)
    assert found is not None
    assert found.name == BY_CODE["E0102"].name


def test_the_export_is_text_a_spreadsheet_opens():
    rows = list(csv.reader(StringIO(write_csv([versioned(other("E0102"), 1, NOW)]))))
    assert rows[1][:2] == ["E0102", "暴露垃圾"]
