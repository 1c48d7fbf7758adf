"""Saved queues: whose they are, what lies in them, and that nobody's view grows by them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.kernel.actor import Actor
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from tasks.cases import intake, queue_commands
from tasks.cases import orders as o
from tasks.cases.listing import Filter
from tasks.cases.problems import QueueNotFound, TooManyQueues
from tasks.cases.queue_commands import ChangedQueue, NewQueue
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play, report


async def kept(name: str, actor: Actor, organisation: UUID | None = None, position: int = 0, **asked: Any):
    new = NewQueue(name=name, filter=Filter(**asked), organisation=organisation, position=position)
    return await queue_commands.add(new, actor, NOW)


async def names(actor: Actor) -> list[str]:
    return [each.name for each in await queue_commands.queues(actor, NOW)]


async def test_a_clerk_sees_their_own_queues_and_their_organisations_in_order(place: str):
    await kept("mine", stage.TOWN_CLERK)
    await kept("second", stage.TOWN_CLERK, stage.TOWN_CENTRE, position=2)
    await kept("first", stage.TOWN_CLERK, stage.TOWN_CENTRE, position=1)
    await kept("theirs", stage.OTHER_TOWN_CLERK, stage.OTHER_TOWN)
    assert await names(stage.TOWN_CLERK) == ["first", "second", "mine"]
    assert await names(stage.MANAGER) == ["first", "second"]  # of the same town centre
    assert await names(stage.OTHER_TOWN_CLERK) == ["theirs"]


@pytest.mark.parametrize("actor", [stage.OTHER_TOWN_CLERK, stage.STATION_CLERK, stage.MANAGER])
async def test_a_queue_of_others_is_neither_changed_nor_thrown_away(place: str, actor: Actor):
    queue = await kept("desk", stage.TOWN_CLERK, stage.TOWN_CENTRE)
    with pytest.raises(QueueNotFound):
        await queue_commands.change(queue.id, ChangedQueue(name="x"), actor, NOW)
    with pytest.raises(QueueNotFound):
        await queue_commands.remove(queue.id, actor, NOW)
    assert await names(stage.TOWN_CLERK) == ["desk"]


async def test_nobody_keeps_a_queue_for_an_organisation_not_theirs(place: str):
    for actor in (stage.OTHER_TOWN_CLERK, stage.OFFICER, stage.CENTRE_CLERK):
        with pytest.raises(Invalid) as caught:
            await kept("x", actor, stage.TOWN_CENTRE)
        assert caught.value.errors[0].field == "organisation"
    with pytest.raises(NotPermitted):
        await kept("x", stage.CITIZEN)


async def test_a_queue_is_changed_by_the_version_that_was_read_and_thrown_away(place: str):
    queue = await kept("old", stage.TOWN_CLERK, state=("assigned",))
    changed = await queue_commands.change(
        queue.id, ChangedQueue(name="new", filter=Filter(item="H008"), version=1), stage.TOWN_CLERK, NOW
    )
    assert (changed.name, changed.filter, changed.version) == ("new", Filter(item="H008"), 2)
    assert await queue_commands.queue(queue.id, stage.TOWN_CLERK, NOW) == changed
    with pytest.raises(StaleVersion):
        await queue_commands.change(queue.id, ChangedQueue(name="late", version=1), stage.TOWN_CLERK, NOW)
    await queue_commands.remove(queue.id, stage.TOWN_CLERK, NOW)
    assert await names(stage.TOWN_CLERK) == []
    with pytest.raises(QueueNotFound):
        await queue_commands.queue(queue.id, stage.TOWN_CLERK, NOW)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Filter(state=("gone",)), "state"),
        (Filter(area="33x"), "area"),
        (Filter(text="的"), "text"),
        (Filter(text="长" * 201), "filter.text"),
        (Filter(since=datetime(1, 1, 1, tzinfo=UTC)), "filter.since"),
        (Filter(until=datetime.fromisoformat("2026-01-01T00:00")), "until"),  # without its zone
        (Filter(item="a\x00"), "item"),
    ],
)
async def test_a_filter_that_no_list_takes_is_not_kept(place: str, asked: Filter, field: str):
    with pytest.raises(Invalid) as caught:
        await queue_commands.add(NewQueue(name="x", filter=asked), stage.TOWN_CLERK, NOW)
    assert caught.value.errors[0].field == field


async def test_so_many_queues_and_no_more(place: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_commands, "MOST_QUEUES", 2)
    await kept("1", stage.TOWN_CLERK)
    await kept("2", stage.TOWN_CLERK)
    with pytest.raises(TooManyQueues):
        await kept("3", stage.TOWN_CLERK)
    await kept("desk", stage.TOWN_CLERK, stage.TOWN_CENTRE)  # counted apart


async def test_all_queues_are_counted_in_one_call_within_what_the_clerk_sees(place: str):
    cases = [await intake.open(report(), stage.CITIZEN, NOW + timedelta(minutes=n)) for n in range(4)]
    await play(cases[0], (stage.TOWN_CLERK, o.Sign()))
    later = NOW + timedelta(days=30)
    for actor, expected in ((stage.TOWN_CLERK, [4, 1, 3, 4, 4, 0, 1]), (stage.OTHER_TOWN_CLERK, [0] * 7)):
        for position, asked in enumerate(
            (
                Filter(),
                Filter(state=("handling",)),
                Filter(state=("assigned",), item="H008"),
                Filter(text="音乐"),
                Filter(overdue=True),
                Filter(area="330109004"),
                Filter(since=NOW + timedelta(minutes=3)),
            )
        ):
            new = NewQueue(name=str(position), filter=asked, position=position)
            await queue_commands.add(new, actor, NOW)
        found = await queue_commands.counts(actor, later)
        assert [each.cases for each in found] == expected
        assert [each.queue for each in found] == [each.id for each in await queue_commands.queues(actor, NOW)]


async def test_counting_stops_at_a_limit_and_says_so(place: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queue_commands, "COUNTED", 2)
    for _ in range(3):
        await opened()
    await kept("all", stage.TOWN_CLERK)
    assert [(each.cases, each.more) for each in await queue_commands.counts(stage.TOWN_CLERK, NOW)] == [(2, True)]
    assert await queue_commands.counts(stage.STATION_CLERK, NOW) == []
