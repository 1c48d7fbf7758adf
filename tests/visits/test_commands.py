"""Households as desks and workers keep them: contacts sealed and masked, changes told to the phones of the cell."""

import pytest

from app.identity import cipher
from app.kernel import changes, db
from app.kernel.crs import Datum, Place, convert
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from tests.grid import places
from tests.visits import stage
from tests.visits.stage import MORNING, Stage
from visits import commands
from visits.commands import Unmask
from visits.households import CareNeed, Consent, HouseholdChange, ImportRow
from visits.problems import AddressTaken, ContactWithheld, HouseholdIdTaken, HouseholdNotFound, VersionTaken
from visits.sync import household_commands


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def test_a_contact_is_sealed_in_the_table_and_masked_to_everybody(on: Stage) -> None:
    token = await db.fetchval("select contact from household where id = $1", on.homes[0])
    assert "1380000" not in token
    assert cipher.open_(token) == "13800000000"
    assert (await commands.get_household(on.homes[0], on.leader.actor)).contact == "138****0000"
    assert {home.contact for home in await commands.list_households(on.leader.actor, None, None, None, 10)} == {
        "138****0000", "138****0001", "138****0002", "138****0003",
    }  # fmt: skip


async def test_a_contact_is_shown_singly_and_who_asked_and_why_is_written_down(on: Stage) -> None:
    shown = await commands.unmask(on.homes[0], Unmask(reason="约定夜访时间"), on.worker.actor, MORNING)
    assert shown.contact == "13800000000"
    row = await db.fetchrow("select actor, action, object, reason from access_log where action = 'household.unmask'")
    assert row is not None
    assert tuple(row) == (on.worker.actor.id, "household.unmask", f"household:{on.homes[0]}", "约定夜访时间")
    with pytest.raises(HouseholdNotFound):
        await commands.unmask(on.homes[0], Unmask(reason="好奇"), on.outsider.actor, MORNING)


async def test_without_consent_the_contact_is_forgotten(on: Stage) -> None:
    change = HouseholdChange(version=1, consent=Consent.REFUSED)
    assert (await commands.change_household(on.homes[0], change, on.leader.actor, MORNING)).contact is None
    with pytest.raises(ContactWithheld):
        await commands.unmask(on.homes[0], Unmask(reason="约定夜访时间"), on.worker.actor, MORNING)


async def test_the_point_decides_the_cell_in_whatever_datum_it_comes(on: Stage) -> None:
    lon, lat = convert(places.WEST + 0.001, places.SOUTH + 0.001, Datum.WGS84, Datum.BD09)
    new = stage.household(9, place=Place(lon, lat, Datum.BD09, 5.0))
    home = await commands.register_household(new, on.leader.actor, MORNING)
    assert home.area == stage.CELL
    assert home.lon == pytest.approx(places.WEST + 0.001, abs=1e-7)
    received = await db.fetchval("select received_datum from household where id = $1", home.id)
    assert received == "bd09"


async def test_a_household_of_another_village_than_its_point_keeps_the_village_it_was_given(on: Stage) -> None:
    new = stage.household(9, place=Place(places.WEST + 0.001, places.SOUTH + 0.015, Datum.WGS84))
    assert (await commands.register_household(new, on.leader.actor, MORNING)).area == stage.VILLAGE


async def test_a_known_id_at_another_address_is_not_called_a_known_address(on: Stage) -> None:
    with pytest.raises(HouseholdIdTaken):
        await commands.register_household(stage.household(9, id=on.homes[0]), on.leader.actor, MORNING)
    with pytest.raises(AddressTaken):
        await commands.register_household(stage.household(0, id=on.homes[0]), on.leader.actor, MORNING)


async def test_every_fault_of_a_new_household_is_named(on: Stage) -> None:
    new = stage.household(9, address=" - ", place=Place(110.0, 30.0, Datum.WGS84))
    with pytest.raises(Invalid) as refused:
        await commands.register_household(new, on.leader.actor, MORNING)
    assert [error.field for error in refused.value.errors] == ["address", "place"]


async def test_an_address_is_registered_once_however_it_is_written(on: Stage) -> None:
    with pytest.raises(AddressTaken) as refused:
        await commands.register_household(stage.household(0, address="演示路 １ 号"), on.leader.actor, MORNING)
    assert refused.value.facts["household"] == on.homes[0]


async def test_who_moves_out_leaves_the_phones_and_the_address_is_free_again(on: Stage) -> None:
    change = HouseholdChange(version=1, moved_out=True)
    await commands.change_household(on.homes[0], change, on.leader.actor, MORNING)
    await changes.assign_positions()
    gone = [each for each in await changes.read(f"cell:{stage.CELL}", 0, 100) if each.entity == str(on.homes[0])]
    assert [each.body for each in gone] == [None]
    again = await commands.register_household(stage.household(0), on.leader.actor, MORNING)
    assert again.id != on.homes[0]


async def test_a_change_from_an_old_version_is_refused_with_the_present_one(on: Stage) -> None:
    await commands.change_household(on.homes[0], HouseholdChange(version=1, residents=3), on.leader.actor, MORNING)
    with pytest.raises(StaleVersion) as refused:
        await commands.change_household(on.homes[0], HouseholdChange(version=1, residents=4), on.leader.actor, MORNING)
    assert refused.value.facts["version"] == 2
    keep = HouseholdChange(version=2, care_needs=(CareNeed.MOBILITY,))
    kept = await commands.change_household(on.homes[0], keep, on.leader.actor, MORNING)
    assert (kept.residents, kept.contact, kept.care_needs) == (3, "138****0000", (CareNeed.MOBILITY,))


async def test_foreign_households_look_as_if_they_were_not_there(on: Stage) -> None:
    with pytest.raises(HouseholdNotFound):
        await commands.get_household(on.homes[0], on.outsider.actor)
    assert await commands.list_households(on.outsider.actor, None, None, None, 10) == []
    with pytest.raises(NotPermitted):
        await commands.register_household(stage.household(9), on.outsider.actor, MORNING)


async def test_lists_go_by_area_care_need_and_page(on: Stage) -> None:
    one = await commands.list_households(on.leader.actor, stage.CELL, CareNeed.ELDERLY_ALONE, None, 10)
    assert [home.id for home in one] == [on.homes[0]]
    first = await commands.list_households(on.leader.actor, None, None, None, 3)
    rest = await commands.list_households(on.leader.actor, None, None, first[-1].id, 3)
    assert sorted(home.id for home in [*first, *rest]) == sorted(on.homes)


async def test_an_import_takes_the_good_rows_at_once_and_lists_the_bad(on: Stage) -> None:
    def row(address: str, area: str = stage.CELL, contact: str | None = "13900000000") -> ImportRow:
        return ImportRow(
            id=new_id(), address=address, area=area, lon=120.261, lat=30.181, contact=contact, consent=Consent.GIVEN
        )

    rows = [row("导入路1号"), row("演示路1号"), row("导入路2号", "330109002001"), row("导入路3号", contact=None)]
    report = await commands.import_households(rows, on.leader.actor, MORNING)
    assert (report.taken, [each.field for each in report.refused]) == (2, ["rows[1].address", "rows[2].area"])
    home = await commands.get_household(rows[0].id, on.leader.actor)
    assert (home.contact, home.area) == ("139****0000", stage.CELL)
    assert "139" not in await db.fetchval("select contact from household where id = $1", rows[0].id)
    await changes.assign_positions()
    told = {each.entity for each in await changes.read(f"cell:{stage.CELL}", 0, 100)}
    assert {str(rows[0].id), str(rows[3].id)} <= told
    amended = await household_commands.amend_household(rows[0].id, {"residents": 5}, 1, on.leader.actor, MORNING)
    assert (amended.household.residents, amended.merged, amended.conflicts) == (5, False, ())


async def test_a_published_questionnaire_never_changes_and_reaches_every_phone(on: Stage) -> None:
    with pytest.raises(VersionTaken):
        await commands.publish_questionnaire(stage.FORM, on.centre.actor, MORNING)
    await changes.assign_positions()
    (told,) = await changes.read("reference", 0, 10)
    assert (told.kind, told.entity) == ("questionnaire", "night:1")
    with pytest.raises(NotPermitted):
        await commands.publish_questionnaire(stage.FORM, on.worker.actor, MORNING)
