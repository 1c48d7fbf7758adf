"""What two people do at the same moment, on connections of their own: a cell ends, an evening fills."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from app.kernel import db, event
from app.kernel.actor import system
from grid import commands as grid_commands
from grid.events import CellsEnded
from tests.grid.places import square
from tests.grid.test_redraw import redraw
from tests.visits import stage
from tests.visits.stage import CELL, DISTRICT, EVENING, MORNING, VILLAGE, Stage
from visits import commands, rehousing_commands, round_commands
from visits.proposal import MemberChoice, PlanRequest
from visits.rounds import Target

WAITING = "select exists (select from pg_locks where not granted)"
Act = Callable[[], Awaitable[Any]]


async def meanwhile(first: Act, second: Act) -> None:
    """Begin the first and hold its transaction open until the second is done or waits for it; then commit."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with db.transaction(DISTRICT):
            await first()
            begun.set()
            while not ended.is_set() and not await db.fetchval(WAITING):
                await asyncio.sleep(0.01)

    async def act() -> None:
        await begun.wait()
        await second()
        ended.set()

    await asyncio.gather(hold(), act())


async def split_cell() -> None:
    halves = {"c101": square(0, 0, 0.35), "c102": square(0.35, 0, 0.65)}
    await grid_commands.redraw_cells(redraw((CELL,), halves), system(DISTRICT, "test"), EVENING)


async def rehouse() -> None:
    """What the worker does as soon as the redraw is committed."""
    async with db.transaction(DISTRICT):
        for row in await db.fetch("select type, body from outbox where type = 'CellsEnded'"):
            happened = event.from_body(row["type"], row["body"])
            assert isinstance(happened, CellsEnded)
            await rehousing_commands.on_cells_ended(happened, EVENING)


async def register(on: Stage) -> None:
    await commands.register_household(stage.household(5), on.leader.actor, MORNING)


async def areas() -> set[str]:
    async with db.transaction(DISTRICT):
        return {row["area"] for row in await db.fetch("select distinct area from household")}


async def test_a_household_registered_while_its_cell_is_split_comes_to_one_of_the_halves(committed: str) -> None:
    on = await stage.build()

    async def split_and_rehouse() -> None:
        await split_cell()
        await rehouse()

    await meanwhile(lambda: register(on), split_and_rehouse)
    assert await areas() == {f"{VILLAGE}101", f"{VILLAGE}102"}


async def test_a_household_registered_before_a_split_is_committed_stands_in_the_new_cell(committed: str) -> None:
    on = await stage.build()
    await meanwhile(split_cell, lambda: register(on))
    assert CELL in await areas(), "the others wait for the worker"
    async with db.transaction(DISTRICT):
        area = await db.fetchval("select area from household where address = $1", stage.household(5).address)
    assert area == f"{VILLAGE}102"


async def test_two_rounds_given_out_at_once_do_not_fill_an_evening_twice(committed: str) -> None:
    on = await stage.build()
    day = date(2026, 11, 23)
    planned = [
        await round_commands.plan_round(
            stage.new_round(
                on, per_evening=2, ends_on=day, target=Target(area=VILLAGE, households=on.homes[n * 2 : n * 2 + 2])
            ),
            on.leader.actor,
            MORNING,
        )
        for n in range(2)
    ]
    only = PlanRequest(members=(MemberChoice(person=on.worker.actor.id),))

    def give_out(n: int) -> Act:
        return lambda: round_commands.assign(planned[n].id, only, on.leader.actor, MORNING)

    await meanwhile(give_out(0), give_out(1))
    lists = [
        each for round_ in planned for each in await round_commands.list_assignments(round_.id, None, on.leader.actor)
    ]
    assert Counter(each.person for each in lists) == {on.worker.actor.id: 2, None: 2}
