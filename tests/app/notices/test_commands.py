"""Who is told what when a case moves, once for each thing; whose inbox it is in; what goes into no text."""

from datetime import timedelta

import pytest

from app.kernel import db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from app.notices import commands, configuration
from app.notices.commands import Phone
from app.notices.configuration import Outlets
from app.notices.problems import NoticeNotFound
from app.notices.quiet import parse
from grid import commands as grid_commands
from grid.commands import EndOrganisation
from tasks.cases import orders as o
from tasks.cases import queries, sweeping
from tasks.cases.model import Severity
from tests.app.notices import cases
from tests.app.notices.cases import NOW, give, notices, only, opened, tell
from tests.tasks.cases import stage
from tests.tools import people


async def test_the_desk_that_gets_a_case_is_told(place: str) -> None:
    await opened()
    await tell()
    assert await notices() == [(stage.TOWN_CENTRE, "assigned", "已指派甲镇社会治理中心（演示），请签收")]


async def test_an_event_that_comes_twice_is_one_notice(place: str) -> None:
    configuration.configure(Outlets(webhook_url="http://127.0.0.1:9"))
    case = await opened()
    await give(case, stage.TOWN_CLERK, o.Return(reason="不归镇里"))
    await tell(times=3)
    told = await notices()
    assert len(told) == len(set(told)) == 2
    assert len(await cases.deliveries()) == 2


async def test_a_return_goes_to_the_desk_and_a_dispute_to_the_centre_too(place: str) -> None:
    case = await opened(desk=stage.TOWN_CENTRE, lead=stage.STATION)
    await tell()
    await give(case, stage.STATION_CLERK, o.Return(reason="不归村里"))
    await tell()
    assert (await notices())[-1] == (stage.TOWN_CENTRE, "returned", "甲一村站（演示）已退单（待指派）")
    await give(case, stage.TOWN_CLERK, o.Assign(to=stage.ENFORCEMENT), 2)
    await give(case, stage.OFFICER, o.Return(reason="不归执法"), 3)
    await tell()
    assert [(to, kind) for to, kind, _ in (await notices())[2:]] == [
        (stage.ENFORCEMENT, "assigned"),
        (stage.TOWN_CENTRE, "returned"),
        (stage.CENTRE, "disputed"),
    ]


async def test_urging_reaches_the_holder_each_time_and_says_when_it_is_late(place: str) -> None:
    case = await opened()
    await give(case, stage.TOWN_CLERK, o.Sign())
    leg = (await queries.case(case.id, stage.SYSTEM, NOW)).legs[0]
    await give(case, stage.TOWN_CLERK, o.SetHandler(leg=leg.id, person=stage.TOWN_CLERK.id), 2)
    await tell()
    before = await notices()
    await give(case, stage.CENTRE_CLERK, o.Urge(leg=leg.id), 3)
    await tell(times=2)
    urged = (await notices())[len(before) :]
    assert [(to, kind) for to, kind, _ in urged] == [(stage.TOWN_CENTRE, "urged"), (stage.TOWN_CLERK.id, "urged")]
    assert await sweeping.sweep(place, NOW + timedelta(days=60)) == 1
    await tell()
    # two months too late it comes under supervision at once
    assert {kind for _, kind, _ in (await notices())[len(before) + 2 :]} == {"overdue", "supervised"}


async def test_what_concerns_a_desk_that_ended_reaches_its_successor(place: str) -> None:
    case = await opened()
    await give(case, stage.TOWN_CLERK, o.Sign())
    await tell()
    before = await notices()
    end = EndOrganisation(successor=stage.OTHER_TOWN)
    await grid_commands.end_organisation(stage.TOWN_CENTRE, end, stage.SYSTEM, NOW)
    await give(case, stage.CENTRE_CLERK, o.Urge(), 3)
    await tell(times=2)
    urged = [(to, kind) for to, kind, _ in (await notices())[len(before) :]]
    assert urged == [(stage.OTHER_TOWN, "urged")]


async def test_the_citizen_is_told_when_it_is_done(place: str) -> None:
    case = await opened()
    await cases.finish(case)
    await tell()
    assert [kind for to, kind, _ in await notices() if to == stage.CITIZEN.id] == ["calling_back"]
    await give(case, stage.CITIZEN, o.Rate(score=5), 9)
    await tell()
    assert [kind for to, kind, _ in await notices() if to == stage.CITIZEN.id] == ["calling_back", "closed"]


async def test_texts_hold_number_state_and_organisation_and_nothing_of_people(place: str) -> None:
    case = await opened()
    await give(case, stage.TOWN_CLERK, o.Return(reason="不归张某所在的镇"))
    await tell()
    rows = await db.fetch("select number, zh, en from notice")
    assert {row["number"] for row in rows} == {case.number}
    words = " ".join(str(tuple(row)) for row in rows)
    assert not any(secret in words for secret in ("张某", "13800001234", "音乐", "楼下"))


async def test_an_inbox_has_unread_notices_first_and_is_read_page_by_page(place: str) -> None:
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    made = [await opened(NOW + timedelta(hours=n)) for n in range(5)]
    await tell()
    everything = await commands.inbox(clerk.actor, True, None, 100)
    assert [each.case for each in everything] == [case.id for case in reversed(made)]
    await commands.read(everything[0].id, clerk.actor, NOW)
    await commands.read(everything[3].id, clerk.actor, NOW)
    wanted = [everything[n].id for n in (1, 2, 4, 0, 3)]
    found = await commands.inbox(clerk.actor, True, None, 2)
    while len(found) < 5:
        found += await commands.inbox(clerk.actor, found[-1].read_at is None, found[-1].id, 2)
    assert [each.id for each in found] == wanted


async def test_a_desks_notice_is_read_once_for_the_whole_desk(place: str) -> None:
    one, other = [await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN) for _ in range(2)]
    await opened()
    await tell()
    notice = only(await commands.inbox(one.actor, True, None, 10))
    first = await commands.read(notice.id, one.actor, NOW)
    again = await commands.read(notice.id, other.actor, NOW + timedelta(hours=1))
    assert first.read_at == again.read_at == NOW


async def test_somebody_elses_notice_is_not_there(place: str) -> None:
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    stranger = await people.sign_in(place, Role.TOWN_CENTRE, stage.OTHER_TOWN, "330109004")
    await opened()
    await tell()
    notice = only(await commands.inbox(clerk.actor, True, None, 10))
    assert await commands.inbox(stranger.actor, True, None, 10) == []
    for missing in (notice.id, new_id()):
        with pytest.raises(NoticeNotFound):
            await commands.read(missing, stranger.actor, NOW)
    auditor = await people.sign_in(place, Role.AUDITOR)
    with pytest.raises(NotPermitted):
        await commands.inbox(auditor.actor, True, None, 10)
    assert only(await commands.inbox(clerk.actor, True, None, 10)).read_at is None


async def test_a_phone_is_kept_sealed_for_oneself_or_a_desk_of_ones_own(place: str) -> None:
    clerk = (await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)).actor
    await commands.set_phone(Phone("13800005678", desk=stage.TOWN_CENTRE), clerk, NOW)
    await commands.set_phone(Phone("13800005679"), clerk, NOW)
    kept = await db.fetch("select recipient, address from notice_address order by id")
    assert [row["recipient"] for row in kept] == [stage.TOWN_CENTRE, clerk.id]
    assert not any("1380000" in row["address"] for row in kept)
    with pytest.raises(Invalid):
        await commands.set_phone(Phone("13800005678", desk=stage.TRANSPORT), clerk, NOW)
    await commands.set_phone(Phone(None), clerk, NOW)
    assert await db.fetchval("select count(*) from notice_address") == 1


@pytest.mark.parametrize(("severity", "waits"), [("routine", True), ("critical", False)])
async def test_in_quiet_hours_only_what_is_critical_goes_out(place: str, severity: str, waits: bool) -> None:
    configuration.configure(Outlets(webhook_url="http://127.0.0.1:9", quiet=parse("22:00-07:00")))
    night = NOW + timedelta(hours=13)  # 23:00 in Hangzhou
    await opened(severity=Severity(severity))
    await tell(night)
    delivery = (await cases.deliveries())[0]
    assert (delivery["next_at"] > night) == waits
    assert delivery["critical"] != waits
    if waits:
        assert delivery["next_at"] == NOW + timedelta(hours=21)  # 07:00


async def test_a_channel_without_address_is_off_and_said_to_be(place: str) -> None:
    configuration.configure(Outlets(webhook_url="http://127.0.0.1:9"))
    await opened()
    await tell()
    centre = await people.sign_in(place, Role.DISTRICT_CENTRE, stage.CENTRE)
    seen = {str(each.channel): (each.on, each.pending) for each in await commands.overview(centre.actor, NOW)}
    assert seen == {"sms": (False, 0), "subscribe_message": (False, 0), "webhook": (True, 1)}
