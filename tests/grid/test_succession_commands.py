"""Roles and shifts of a cell that is redrawn: in the new cells at once, and the past stays as it was."""

from datetime import timedelta
from typing import Any

from app.identity import commands as identity
from app.identity import store as identity_store
from app.identity.accounts import Account
from app.kernel import db, ids
from app.kernel.actor import Membership, Role
from app.kernel.crs import Datum
from grid import cells, commands, facts, store
from grid.organisations import Kind
from grid.people import DutyShift, Person
from tests.grid.places import CELLS, DISTRICT, NOW, T0, VILLAGES, organisation, settle, square
from tests.grid.test_commands import file
from tests.grid.test_redraw import FIRST, HALVES, SECOND, SYSTEM, redraw

WEST_HALF, EAST_HALF = f"{VILLAGES[0]}101", f"{VILLAGES[0]}102"
HOUR = timedelta(hours=1)


async def worker(area: str) -> Any:
    """An account with a role over one area; gives its id."""
    account = Account(id=ids.new_id(), username=f"t{ids.new_id().hex}", name="演示")
    await identity_store.add_account(account, "no password", T0)
    await identity.add_membership(DISTRICT, account.id, Membership(Role.GRID_WORKER, None, area), T0)
    return account.id


async def areas_of(account: Any, at: Any = NOW) -> list[str]:
    rows = await db.fetch(
        "select area from membership where account = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2)"
        " order by area",
        account,
        at,
    )
    return [row["area"] for row in rows]


async def test_a_worker_of_a_cell_that_is_split_works_in_both_halves(district: str) -> None:
    await settle()
    mine, neighbour, village = await worker(FIRST), await worker(SECOND), await worker(VILLAGES[0])
    await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW)
    assert await areas_of(mine) == [WEST_HALF, EAST_HALF]
    assert await areas_of(mine, NOW - HOUR) == [FIRST]
    assert (await areas_of(neighbour), await areas_of(village)) == ([SECOND], [VILLAGES[0]])


async def test_workers_of_cells_that_are_merged_work_in_the_one(district: str) -> None:
    await settle()
    both = [await worker(FIRST), await worker(SECOND)]
    await commands.redraw_cells(redraw((FIRST, SECOND), {"c101": square(0, 0, 2)}), SYSTEM, NOW)
    assert [await areas_of(each) for each in both] == [[WEST_HALF]] * 2


async def test_a_dry_run_moves_nobody(district: str) -> None:
    await settle()
    mine = await worker(FIRST)
    await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW, dry_run=True)
    assert await areas_of(mine) == [FIRST]


async def test_a_replacing_import_moves_them_too_and_what_nobody_took_stays(district: str) -> None:
    await settle()
    mine, orphan = await worker(FIRST), await worker(SECOND)
    new = file(c101=square(0, 0, 0.5), c102=square(0.5, 0, 0.5))
    await commands.import_cells(new, Datum.WGS84, SYSTEM, NOW, replace=True)
    assert await areas_of(mine) == [WEST_HALF, EAST_HALF]
    assert await areas_of(orphan) == [SECOND]


async def test_shifts_go_on_in_the_new_cells_and_past_ones_stay(district: str) -> None:
    await settle()
    team = organisation(Kind.STATION, "S", VILLAGES[0])
    person = Person(id=ids.new_id(), name="演示", organisation=team.id, started_at=T0)
    await store.add_organisations([team], ids.new_id())
    await store.add_people([person])
    spans = [(-3, -1), (-1, 2), (5, 8)]
    await store.add_shifts(
        [
            DutyShift(
                id=ids.new_id(), person=person.id, organisation=team.id, area=FIRST,
                starts_at=NOW + begin * HOUR, ends_at=NOW + end * HOUR,
            )
            for begin, end in spans
        ],
        ids.new_id(),
    )  # fmt: skip
    await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW)
    rows = await db.fetch("select area, starts_at, ends_at from duty_shift order by area, starts_at")
    kept = [(r["area"][12:], (r["starts_at"] - NOW) / HOUR, (r["ends_at"] - NOW) / HOUR) for r in rows]
    assert kept == [("001", -3, -1), ("001", -1, 0), ("101", 0, 2), ("101", 5, 8), ("102", 0, 2), ("102", 5, 8)]
    assert [each.area for each in await facts.on_duty(EAST_HALF, NOW)] == [EAST_HALF]


def test_a_sliver_along_a_border_makes_no_heir() -> None:
    after = [each for each in CELLS if each.code != FIRST]
    new = commands.Cell(code=WEST_HALF, polygon=cells.multipolygon(square(0, 0, 1.001)), valid_from=NOW)
    assert cells.heirs([CELLS[0]], [*after, new]) == {FIRST: (WEST_HALF,)}
