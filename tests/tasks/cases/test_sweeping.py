"""The sweep on a real database: everything due in one indexed query, each step once, however often it runs."""

import asyncio
import contextvars
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from app.kernel import db
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, StaleVersion
from app.notices import commands as notices
from tasks.cases import calendar_commands, commands, queries, store, supervision_store, sweeping
from tasks.cases import orders as o
from tasks.cases.calendar_commands import ChangedCalendar
from tasks.cases.calendars import CalendarDocument, Day, Year
from tasks.cases.catalogue import Item, versioned
from tasks.cases.escalation import read
from tasks.cases.events import LegEscalated
from tasks.cases.listing import Filter
from tasks.cases.model import Case, State
from tests.tasks.cases import stage
from tests.tasks.cases import steps as common
from tests.tasks.cases.steps import NOW, play
from tests.tools.databases import as_owner

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


async def opened(**changes: Any) -> Case:
    """To be signed in four working hours and handled by Tuesday's close."""
    return await common.opened(**{"item": "E0504"} | changes)


async def steps(case: Case) -> list[str]:
    return [link.type for link in await store.links(case.id)]


async def body(case: Case, type_: str) -> dict[str, Any]:
    return next(link.body for link in reversed(await store.links(case.id)) if link.type == type_)


async def item_with(ladder: str, **changes: Any) -> str:
    """Keep an item of the district with a ladder of its own."""
    plain: Item = stage.item(code="T001", ladder=read(ladder), **changes)
    mine = versioned(plain, 1, plain.effective_from)
    await store.add_items([mine], new_id(), NOW, [new_id()])
    return "T001"


async def handled(**changes: Any) -> Case:
    case = await opened(**changes)
    await play(
        case, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好了", evidence=(stage.photo(),)))
    )
    return case


def failures() -> float:
    return REGISTRY.get_sample_value("zjw_sweep_failures_total", {"error": "KeyError"}) or 0


async def escalated() -> list[LegEscalated]:
    rows = await db.fetch("select body from outbox where type = 'LegEscalated'")
    return [msgspec.convert(row["body"], LegEscalated) for row in rows]


# ---- what is due


@pytest.mark.parametrize("half", ["case_leg_sweep", "cases_sweep"])
async def test_everything_due_is_found_by_an_index(place: str, half: str):
    await opened()
    await db.execute("analyze case_leg")
    await db.execute("set local enable_seqscan = off")  # a handful of rows: the planner would read them all
    plan = await db.fetch(f"explain {supervision_store.DUE}", NOW, NOW, new_id(), 500)
    assert any(half in row[0] for row in plan), plan
    assert not any("Seq Scan" in row[0] for row in plan)


async def test_pages_of_the_sweep_leave_nothing_out(place: str):
    cases = [await opened(description=f"第 {n} 处") for n in range(5)]
    assert await sweeping.sweep(place, NOW + 3 * DAY, batch=2) == 5
    assert [(await steps(case)).count("urged") for case in cases] == [1] * 5


async def test_a_case_that_has_to_wait_keeps_no_other_waiting(place: str):
    """A call-back that is over waits for its child; the leg behind it on the next page is urged all the same."""
    waiting = await opened(item="E0504")
    await opened(item="E0504", parent=waiting.id, description="子事件", lead=None, place=None)
    await play(
        waiting, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好", evidence=(stage.photo(),)))
    )
    await commands.give(waiting.id, o.Verify(passed=True), stage.CENTRE_CLERK, NOW + timedelta(hours=1))
    behind = await opened(description="后面的")
    assert await sweeping.sweep(place, NOW + 60 * DAY, batch=1) >= 1
    assert "urged" in await steps(behind)
    assert (await store.cases([waiting.id]))[0].state is State.CALLING_BACK


# ---- legs


async def test_two_workers_and_a_second_run_climb_each_rung_once(real_place: str):
    async with db.transaction(real_place):
        cases = [await opened(description=f"第 {n} 处") for n in range(6)]
    late = NOW + 10 * DAY
    made = await asyncio.gather(*(sweeping.sweep(real_place, late) for _ in range(3)))
    assert sum(made) == 6
    assert await sweeping.sweep(real_place, late + timedelta(minutes=1)) == 0
    async with db.transaction(real_place):
        for case in cases:
            told = await steps(case)
            assert (told.count("urged"), told.count("supervised")) == (1, 1)  # one each, after ten days of outage


async def test_a_rung_tells_whom_the_item_names_and_supervises_at_its_level(place: str):
    ladder = (
        "handle due > superior > notify; handle due + 1 work_day > centre > supervise:2; handle daily > town > urge"
    )
    case = await opened(item=await item_with(ladder), lead=stage.ENFORCEMENT)
    await sweeping.sweep(place, at("2026-11-24T17:31") + 3 * DAY)
    assert await steps(case) == ["received", "accepted", "assigned", "urged", "notified", "supervised"]
    assert (await body(case, "supervised"))["level"] == 2
    leg = (await store.legs(case.id))[0]
    assert leg.supervision_level == 2
    waiting = await escalated()
    assert {(each.what, each.recipients) for each in waiting} == {
        ("notify", (stage.TOWN_CENTRE,)),
        ("supervise:2", (stage.CENTRE,)),
        ("urge", (stage.TOWN_CENTRE,)),
    }
    for each in waiting * 2:  # delivered twice
        await notices.on_escalated(each, NOW)
    rows = await db.fetch("select recipient, zh from notice where kind = 'escalated' order by zh")
    assert len(rows) == 3
    assert {row["recipient"] for row in rows} == {stage.TOWN_CENTRE, stage.CENTRE}


async def test_who_decides_on_an_application_is_reminded_once(place: str):
    case = await opened()
    request = o.Request(kind="extension", amount="1 work_day", reason="等配件")
    await play(case, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, request))
    for hours in (31, 32):
        await sweeping.sweep(place, at("2026-11-23T17:30") + timedelta(hours=hours))
    assert (await steps(case)).count("notified") == 1


async def test_one_leg_that_cannot_be_swept_ends_no_other_and_is_counted(
    real_place: str, caplog: pytest.LogCaptureFixture
):
    async with db.transaction(real_place):
        poison = await opened(description="坏的")
        behind = await opened(description="后面的")
        await db.execute("update cases set item_version = 99 where id = $1", poison.id)
        await db.execute("update case_leg set next_urge_at = $2 where case_id = $1", poison.id, NOW)
    before = failures()
    assert await sweeping.sweep(real_place, NOW + 3 * DAY, batch=1) == 1
    async with db.transaction(real_place):
        assert "urged" in await steps(behind)
        assert "urged" not in await steps(poison)
    assert failures() == before + 1
    assert str(poison.id) in caplog.text
    assert "坏的" not in caplog.text


async def test_a_case_somebody_has_under_lock_is_not_waited_for_and_is_swept_the_next_time(real_place: str):
    async with db.transaction(real_place):
        busy = await opened(description="正在改")
        await opened(description="闲着的")
    async with db.transaction(real_place):
        await store.lock(busy.id)
        other = asyncio.create_task(sweeping.sweep(real_place, NOW + 3 * DAY), context=contextvars.Context())
        assert await asyncio.wait_for(other, 10) == 1
    assert await sweeping.sweep(real_place, NOW + 3 * DAY) == 1


async def test_a_case_that_cannot_be_reckoned_again_ends_no_other(real_place: str):
    async with db.transaction(real_place):
        poison, fine = await opened(description="坏的"), await opened(description="好的")
        storm = CalendarDocument(days=(Day(date=date(2026, 11, 24), off=True, name="台风"),))
        await calendar_commands.write(ChangedCalendar(version=0, calendar=storm), stage.CENTRE_CLERK, NOW)
        await as_owner(
            "alter table case_leg add constraint refused check (case_id <> '" + str(poison.id) + "') not valid"
        )
    assert await sweeping.recompute(real_place, NOW) == 1
    async with db.transaction(real_place):
        assert (await steps(fine))[-1] == "recomputed"
        assert "recomputed" not in await steps(poison)
        await as_owner("alter table case_leg drop constraint refused")


async def test_a_rung_whose_second_order_fails_leaves_nothing_of_the_first(real_place: str):
    """After ten days a leg is urged and supervised: if the supervision cannot be written, it was not urged either."""
    async with db.transaction(real_place):
        case = await opened()
        await as_owner("alter table case_leg add constraint refused check (supervision_level is null) not valid")
    await sweeping.sweep(real_place, NOW + 10 * DAY)
    async with db.transaction(real_place):
        assert "urged" not in await steps(case)
        await as_owner("alter table case_leg drop constraint refused")
    assert await sweeping.sweep(real_place, NOW + 10 * DAY) == 1
    async with db.transaction(real_place):
        assert (await steps(case))[-2:] == ["urged", "supervised"]


# ---- the case's own times


async def test_a_verification_is_reminded_at_three_quarters_at_its_due_and_every_working_morning(place: str):
    case = await handled()
    found = (await store.cases([case.id]))[0]
    due, nearly = found.verify_due, found.wake_at
    assert due is not None
    assert nearly is not None
    assert nearly < due
    counts: list[int] = []
    for moment in (
        nearly - timedelta(minutes=1),
        nearly,
        due - timedelta(minutes=1),
        due,
        due + timedelta(minutes=1),
        due + DAY,
        due + DAY,
    ):
        await sweeping.sweep(place, moment)
        counts.append((await steps(case)).count("reminded"))
    assert counts == [0, 1, 1, 2, 2, 3, 3]


# ---- the calendar


async def test_days_off_that_are_written_move_dues_with_a_step_each_and_once(place: str):
    case, other = await opened(), await handled()
    assert (await store.legs(case.id))[0].handle_due == at("2026-11-24T17:30")
    assert await sweeping.recompute(place, NOW) == 0
    storm = CalendarDocument(days=(Day(date=date(2026, 11, 24), off=True, name="台风"),))
    written = await calendar_commands.write(ChangedCalendar(version=0, calendar=storm), stage.CENTRE_CLERK, NOW)
    assert written.version == 1
    assert await sweeping.recompute(place, NOW + timedelta(minutes=5)) == 2
    assert (await store.legs(case.id))[0].handle_due == at("2026-11-25T17:30")
    assert (await steps(case))[-1] == "recomputed"
    assert (await steps(other))[-1] == "recomputed"  # its verification
    assert await sweeping.recompute(place, NOW + timedelta(minutes=10)) == 0
    fresh = await opened(description="台风之后")
    assert (await store.legs(fresh.id))[0].handle_due == at("2026-11-25T17:30")


async def test_what_could_not_be_reckoned_again_ends_no_other_and_is_tried_again(real_place: str):
    async with db.transaction(real_place):
        held, broken, other = await opened(), await opened(description="坏"), await opened(description="好")
        storm = CalendarDocument(days=(Day(date=date(2026, 11, 24), off=True, name="台风"),))
        await calendar_commands.write(ChangedCalendar(version=0, calendar=storm), stage.CENTRE_CLERK, NOW)
        await db.execute("update cases set pauses = '7' where id = $1", broken.id)
        await as_owner(f"alter table cases add constraint held check (id <> '{held.id}' or version < 4) not valid")
    assert await sweeping.recompute(real_place, NOW) == 1
    async with db.transaction(real_place):
        assert [(await steps(case))[-1] for case in (held, other)] == ["assigned", "recomputed"]
        await as_owner("alter table cases drop constraint held")
        await db.execute("update cases set pauses = '[]' where id = $1", broken.id)
    assert await sweeping.recompute(real_place, NOW) == 2
    async with db.transaction(real_place):
        assert [(await steps(case))[-1] for case in (held, broken)] == ["recomputed"] * 2
    assert await sweeping.recompute(real_place, NOW) == 0


async def test_what_is_provisional_says_so_until_the_year_is_imported(place: str):
    ladder = "handle due > organisation > urge"
    limits = stage.item().limits
    long = {severity: type(each)(sign="1 work_day", handle="60 work_day") for severity, each in limits.items()}
    case = await opened(item=await item_with(ladder, limits=long))
    view = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    assert (view.provisional, view.legs[0].provisional) == (True, True)
    await db.execute("update cases set total_due = '2027-01-05T00:00Z' where id = $1", case.id)
    await db.execute("update case_leg set handle_due = null where case_id = $1", case.id)
    whole = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    assert (whole.provisional, whole.legs[0].provisional) == (True, False)
    await db.execute("update cases set total_due = null where id = $1", case.id)
    await db.execute("update case_leg set handle_due = $2 where case_id = $1", case.id, view.legs[0].handle_due)
    new_year = Year(year=2027, days=(Day(date=date(2027, 1, 1), off=True, name="元旦"),))
    taken = await calendar_commands.take_year(new_year, stage.CENTRE_CLERK, NOW)
    assert taken.known_until == date(2027, 12, 31)
    assert await sweeping.recompute(place, NOW) == 1
    known = await queries.case(case.id, stage.CENTRE_CLERK, NOW)
    assert (known.provisional, known.legs[0].provisional) == (False, False)
    before = view.legs[0].handle_due
    assert before is not None
    assert known.legs[0].handle_due == before + DAY  # one working day less till then


async def test_a_calendar_written_on_an_old_one_or_with_faults_is_refused(place: str):
    week = ChangedCalendar(version=0, calendar=CalendarDocument(week=()))
    with pytest.raises(Invalid):
        await calendar_commands.write(week, stage.CENTRE_CLERK, NOW)
    some = CalendarDocument(days=(Day(date=date(2026, 12, 4), off=True),))
    await calendar_commands.write(ChangedCalendar(version=0, calendar=some), stage.CENTRE_CLERK, NOW)
    with pytest.raises(StaleVersion):
        await calendar_commands.write(ChangedCalendar(version=0, calendar=some), stage.CENTRE_CLERK, NOW)


# ---- the three loops


async def loops(
    now: datetime = NOW, areas: tuple[str, ...] | None = None
) -> dict[tuple[str, str | None], tuple[int, int]]:
    return {(row.loop, row.town): (row.open, row.overdue) for row in await supervision_store.loops(now, areas)}


async def test_a_suspended_case_is_overdue_nowhere_until_it_goes_on(place: str):
    case = await opened()
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    await commands.give(case.id, o.Supervise(reason="群体投诉"), stage.CENTRE_CLERK, NOW)
    late, overdue = NOW + 30 * DAY, Filter(overdue=True)
    assert (await queries.counts(stage.CENTRE_CLERK, late))["overdue"] == 1
    assert await loops(late) == {("event", stage.TOWN): (1, 1), ("responsible_body", stage.TOWN): (1, 1)}
    await commands.give(case.id, o.Suspend(reason="等配件"), stage.CENTRE_CLERK, NOW)
    assert (await queries.counts(stage.CENTRE_CLERK, late))["overdue"] == 0
    assert await queries.cases(overdue, stage.CENTRE_CLERK, late, 10) == []
    assert [row.overdue for row in await queries.cases(Filter(), stage.CENTRE_CLERK, late, 10)] == [False]
    assert await loops(late) == {("event", stage.TOWN): (1, 0), ("responsible_body", stage.TOWN): (1, 0)}
    await commands.give(case.id, o.Resume(), stage.CENTRE_CLERK, late)
    after = late + 30 * DAY
    assert [row.id for row in await queries.cases(overdue, stage.CENTRE_CLERK, after, 10)] == [case.id]
    assert (await queries.counts(stage.CENTRE_CLERK, late))["overdue"] == 0  # it moved by what stood still


async def test_each_loop_counts_what_is_open_in_it_per_town(place: str):
    case, elsewhere = await opened(), await opened(place=None, description="没有地点")
    assert await loops() == {("event", stage.TOWN): (1, 0), ("event", None): (1, 0)}
    late = NOW + 10 * DAY
    assert (await loops(late))["event", stage.TOWN] == (1, 1)
    await commands.give(case.id, o.Urge(), stage.CENTRE_CLERK, NOW)
    assert (await loops())["responsible_body", stage.TOWN] == (1, 0)
    await commands.give(case.id, o.Reply(answer="今天办结"), stage.TOWN_CLERK, NOW + timedelta(minutes=1))
    assert ("responsible_body", stage.TOWN) not in await loops()
    await commands.give(case.id, o.Supervise(reason="群体投诉"), stage.CENTRE_CLERK, NOW + timedelta(minutes=2))
    assert (await loops(late))["responsible_body", stage.TOWN] == (1, 1)
    await play(
        elsewhere, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="好", evidence=(stage.photo(),)))
    )
    found = await loops()
    assert found["assessment", None] == (1, 0)
    assert {town for _, town in await loops(areas=(stage.TOWN,))} == {stage.TOWN}
    await commands.give(case.id, o.Withdraw(), stage.CENTRE_CLERK, NOW + timedelta(minutes=5))
    gone = await loops()
    assert ("event", stage.TOWN) not in gone
    assert gone["responsible_body", stage.TOWN] == (1, 0)  # until the centre releases it
    assert gone["assessment", stage.TOWN] == (1, 0)
