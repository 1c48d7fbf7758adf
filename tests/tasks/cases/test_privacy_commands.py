"""What cases hold of those who reported them can be taken away, and the trace still holds."""

from datetime import timedelta
from typing import Any

import pytest

from app.kernel import changes, db
from tasks.cases import commands, intake, privacy_commands, queries, trail
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tests.tasks.cases import stage, town

NOW = stage.NOW
LATER = NOW + timedelta(days=800)
WORDS = ("张某", "13800001234", "楼下夜里放音乐", "甲一路8号", "已经三天了")


def report(**changes: Any) -> Report:
    plain: dict[str, Any] = {
        "source": "citizen",
        "item": "H008",
        "description": "楼下夜里放音乐",
        "address": "甲一路8号",
        "reporter": Reporter(id=stage.CITIZEN.id, name="张某", phone="13800001234"),
        "place": town.INSIDE,
        "lead": stage.TOWN_CENTRE,
    }
    return Report(**plain | changes)


async def everything() -> str:
    """All texts that cases, their parts and their feed hold, as one."""
    tables = ("cases", "case_text", "case_contact", "case_event", "case_leg", "case_command", "outbox", "fact")
    found = [row[0] for table in tables for row in await db.fetch(f"select t::text from {table} t")]
    await changes.assign_positions()
    found += [row[0] for row in await db.fetch("select body::text from change where body is not null")]
    return "\n".join(found)


async def test_a_reporter_gets_all_that_is_held_of_them_and_nobody_elses(place: str):
    case = await intake.open(report(), stage.CITIZEN, NOW)
    await intake.open(report(reporter=Reporter(id=stage.STRANGER.id)), stage.STRANGER, NOW)
    await commands.give(case.id, o.Add(text="已经三天了"), stage.CITIZEN, NOW)
    await commands.give(case.id, o.Return(reason="内部理由"), stage.TOWN_CLERK, NOW)
    (held,) = await privacy_commands.reported_by(stage.CITIZEN.id)
    assert (held.id, held.name, held.phone, held.description) == (case.id, "张某", "13800001234", "楼下夜里放音乐")
    assert [(text.step, text.text, text.own) for text in held.texts] == [("added_to", "已经三天了", True)]


async def test_erased_words_are_nowhere_and_the_chain_holds(place: str):
    case = await intake.open(report(), stage.CITIZEN, NOW)
    theirs = report(reporter=Reporter(id=stage.STRANGER.id), description="别人的", address="")
    await intake.open(theirs, stage.STRANGER, NOW)
    added = o.Add(text="已经三天了", command_id=case.id)
    await commands.give(case.id, added, stage.CITIZEN, NOW)
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    await commands.give(case.id, o.Record(work="已上门劝导"), stage.TOWN_CLERK, NOW)
    before = await everything()
    assert {word for word in WORDS[2:] if word in before} == set(WORDS[2:])

    gone = await privacy_commands.erase_reporter(stage.CITIZEN)
    assert (gone.cases, gone.texts) == (1, 1)
    after = await everything()
    assert [word for word in WORDS if word in after] == []
    held = await privacy_commands.reported_by(stage.CITIZEN.id)
    assert (held[0].description, held[0].address, held[0].name, held[0].phone, held[0].texts) == (
        "",
        "",
        None,
        None,
        (),
    )
    assert "已上门劝导" in after  # the words of the crew are not the citizen's
    assert (await privacy_commands.reported_by(stage.STRANGER.id))[0].description == "别人的"
    assert (await trail.verify_all(place)).broken is None


async def test_an_erased_case_goes_on_and_phones_hold_it_without_the_words(place: str):
    case = await intake.open(report(), stage.CITIZEN, NOW)
    signed = await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    await privacy_commands.erase_reporter(stage.CITIZEN)
    await changes.assign_positions()
    (held,) = [each for each in await changes.read(f"squad:{stage.TOWN_CENTRE}", 0, 100) if each.entity == str(case.id)]
    assert held.body is not None
    assert (held.version, held.body["title"], held.body["address"]) == (signed.version + 1, signed.item_name, "")
    seen = await queries.case(case.id, stage.TOWN_CLERK, NOW)
    assert (seen.state, seen.version, seen.description) == ("handling", signed.version + 1, "")
    await commands.give(case.id, o.Record(work="继续处理"), stage.TOWN_CLERK, NOW)
    assert (await trail.verify_all(place)).broken is None


async def test_contacts_go_when_a_case_has_been_over_for_long_and_that_is_noted(place: str):
    over = await intake.open(report(), stage.CITIZEN, NOW)
    await intake.open(report(), stage.CITIZEN, NOW)  # stays open
    rejected = await intake.open(report(lead=None, item="G001", place=None), stage.CITIZEN, NOW)
    await commands.give(over.id, o.Withdraw(), stage.CITIZEN, NOW + timedelta(days=1))
    await commands.give(rejected.id, o.Reject(reason="不属于受理范围"), stage.CENTRE_CLERK, NOW + timedelta(days=500))
    year = NOW + timedelta(days=365)
    assert await privacy_commands.erase_old_contacts(place, NOW, 10, LATER) == 0
    assert [await privacy_commands.erase_old_contacts(place, year, 10, LATER) for _ in range(2)] == [1, 0]
    left = {row[0] for row in await db.fetch("select case_id from case_contact")}
    assert over.id not in left
    assert (len(left), rejected.id in left) == (2, True)
    seen = await queries.contact(over.id, "电话回访", stage.CENTRE_CLERK, LATER)
    assert (seen.name, seen.phone) == (None, None)
    row = await db.fetchrow("select kind, object, at from access_log where action = 'contact.erase'")
    assert row is not None
    assert tuple(row) == ("system", "cases:1", LATER)
    assert (await trail.verify_all(place)).broken is None


@pytest.mark.parametrize("limit", [1, 2])
async def test_contacts_go_in_batches(place: str, limit: int):
    for _ in range(2):
        case = await intake.open(report(), stage.CITIZEN, NOW)
        await commands.give(case.id, o.Withdraw(), stage.CITIZEN, NOW)
    assert await privacy_commands.erase_old_contacts(place, LATER, limit, LATER) == limit
