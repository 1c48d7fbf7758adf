"""Households of a cell that was redrawn: each in the cell that covers it now, on the phones of that cell only."""

from typing import Any

from app.kernel import db, event
from app.kernel.actor import system
from grid import commands as grid_commands
from grid.events import CellsEnded
from tests.grid.places import square
from tests.grid.test_redraw import redraw
from tests.visits import stage
from tests.visits.stage import CELL, DISTRICT, EVENING, LATER, MORNING, VILLAGE
from visits import rehousing_commands, round_commands
from visits.rounds import Target

NEW = (f"{VILLAGE}101", f"{VILLAGE}102")


async def split() -> CellsEnded:
    """The first cell in two, the border between the second household and the third."""
    halves = {"c101": square(0, 0, 0.35), "c102": square(0.35, 0, 0.65)}
    await grid_commands.redraw_cells(redraw((CELL,), halves), system(DISTRICT, "test"), EVENING)
    [row] = await db.fetch("select type, body from outbox where type = 'CellsEnded'")
    happened = event.from_body(row["type"], row["body"])
    assert isinstance(happened, CellsEnded)
    return happened


async def homes() -> list[Any]:
    return await db.fetch("select id, area, version from household order by address_key")


async def test_households_come_to_the_cell_that_covers_them(district: str) -> None:
    await stage.build()
    await rehousing_commands.on_cells_ended(await split(), LATER)
    assert [home["area"] for home in await homes()] == [NEW[0], NEW[0], NEW[1], NEW[1]]


async def test_phones_of_the_old_cell_drop_them_and_those_of_the_new_one_get_them(district: str) -> None:
    played = await stage.build()
    happened = await split()
    await db.execute("delete from change")
    await rehousing_commands.on_cells_ended(happened, LATER)
    rows = await db.fetch("select bucket, entity, version, body from change where kind = 'household'")
    removed = {row["entity"] for row in rows if row["body"] is None}
    put = {row["entity"]: row["bucket"] for row in rows if row["body"] is not None}
    assert removed == put.keys() == {str(home) for home in played.homes}
    assert {row["bucket"] for row in rows if row["body"] is None} == {f"cell:{CELL}"}
    assert set(put.values()) == {f"cell:{code}" for code in NEW}
    assert {row["version"] for row in rows} == {2}


async def test_a_second_time_there_is_nothing_to_do(district: str) -> None:
    await stage.build()
    happened = await split()
    for _ in range(2):
        await rehousing_commands.on_cells_ended(happened, LATER)
    assert {home["version"] for home in await homes()} == {2}


async def test_a_round_for_the_cell_goes_on_with_the_same_households(district: str) -> None:
    on = await stage.build()
    new = stage.new_round(on, target=Target(area=CELL))
    round_ = await round_commands.plan_round(new, on.leader.actor, MORNING)
    some = stage.new_round(on, target=Target(area=CELL, households=on.homes[:2]))
    named = await round_commands.plan_round(some, on.leader.actor, MORNING)
    before = await round_commands.preview(round_.id, stage.everything(), on.leader.actor, MORNING)
    await rehousing_commands.on_cells_ended(await split(), LATER)
    after = await round_commands.preview(round_.id, stage.everything(), on.leader.actor, MORNING)
    assert (before.households, after.households, after.version) == (4, 4, 2)
    assert (await round_commands.get_round(round_.id, on.leader.actor)).target.area == VILLAGE
    shown = await round_commands.get_round(named.id, on.leader.actor)
    assert (shown.target.area, set(shown.target.households)) == (NEW[0], set(on.homes[:2]))
