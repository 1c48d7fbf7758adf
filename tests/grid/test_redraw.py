"""Split, merge and redraw of cells: new cells take the whole ground, the old ones end and stay to be read."""

from datetime import timedelta
from typing import Any

import pytest
import shapely
from shapely import Polygon

from app.kernel import db, ids
from app.kernel.actor import Actor, Membership, Role, system
from app.kernel.crs import Datum, convert
from app.kernel.problem import Invalid, NotPermitted
from grid import commands, store
from grid.commands import Redraw
from grid.problems import CellsRefused
from tests.grid.places import DISTRICT, NOW, TOWN, VILLAGES, settle, square
from tests.grid.test_commands import file

SYSTEM = system(DISTRICT, "test")
FIRST, SECOND, THIRD = (f"{VILLAGES[0]}00{n}" for n in (1, 2, 3))
HALVES = {"c101": square(0, 0, 0.5), "c102": square(0.5, 0, 0.5)}


def redraw(ends: tuple[str, ...], cells: dict[str, Any]) -> Redraw:
    """Cells of the first village that end, and new ones by `c` and the three digits of their number."""
    return Redraw(ends=ends, cells=file(**cells), datum=Datum.WGS84, reason="网格调整（演示）")


async def living(at: Any = NOW) -> list[str]:
    return [cell.code[12:] for cell in await store.cells([VILLAGES[0]], at)]


async def test_a_cell_is_split_and_the_old_one_stays_in_the_past(district: str) -> None:
    await settle()
    report = await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW)
    assert (report.taken, report.ended) == (2, (FIRST,))
    assert await living() == ["002", "003", "101", "102"]
    assert await living(NOW - timedelta(days=1)) == ["001", "002", "003"]
    old = await store.cell(FIRST)
    assert old is not None
    assert old.valid_to == NOW


async def test_two_cells_are_merged(district: str) -> None:
    await settle()
    await commands.redraw_cells(redraw((FIRST, SECOND), {"c101": square(0, 0, 2)}), SYSTEM, NOW)
    assert await living() == ["003", "101"]


async def test_a_border_between_two_cells_is_moved(district: str) -> None:
    await settle()
    moved = {"c101": square(0, 0, 1.2), "c102": square(1.2, 0, 0.8)}
    report = await commands.redraw_cells(redraw((FIRST, SECOND), moved), SYSTEM, NOW)
    assert report.findings == ()


@pytest.mark.parametrize(
    ("cells", "fault", "square_metres"),
    [
        ({"c101": square(0, 0, 0.5), "c102": square(0.6, 0, 0.4)}, "lost", 107_000),
        ({"c101": square(0, 0, 0.6), "c102": square(0.5, 0, 0.5)}, "overlap", 107_000),
        ({"c101": square(0, 0, 1.1)}, "overlap", 107_000),
        ({"c001": square(0, 0)}, "code", None),
    ],
)
async def test_ground_lost_or_covered_twice_and_used_codes_refuse_it_and_nothing_changes(
    district: str, cells: dict[str, Any], fault: str, square_metres: float | None
) -> None:
    await settle()
    with pytest.raises(CellsRefused) as refused:
        await commands.redraw_cells(redraw((FIRST,), cells), SYSTEM, NOW)
    found = next(each for each in refused.value.facts["findings"] if each["fault"] == fault)
    assert found["square_metres"] == (square_metres and pytest.approx(square_metres, rel=0.01))
    assert await living() == ["001", "002", "003"]
    assert await db.fetch("select 1 from change union all select 1 from outbox") == []


async def test_a_dry_run_reports_and_changes_nothing(district: str) -> None:
    await settle()
    report = await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW, dry_run=True)
    assert (report.accepted, report.taken, report.ended) == (True, 2, (FIRST,))
    assert await living() == ["001", "002", "003"]
    assert await db.fetch("select 1 from access_log") == []


async def test_a_drawing_in_another_datum_covers_the_same_ground(district: str) -> None:
    await settle()
    corners = [
        convert(lon, lat, Datum.WGS84, Datum.GCJ02) for lon, lat in shapely.get_coordinates(square(0, 0)).tolist()
    ]
    cells = file(c101=Polygon(corners))
    wish = Redraw(ends=(FIRST,), cells=cells, datum=Datum.GCJ02, reason="网格调整（演示）")
    assert (await commands.redraw_cells(wish, SYSTEM, NOW, dry_run=True)).findings == ()


async def test_only_living_cells_in_reach_can_end(district: str) -> None:
    await settle()
    await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW)

    def who(role: Role, area: str) -> Actor:
        return Actor(id=ids.new_id(), kind="staff", district=DISTRICT, memberships=(Membership(role, None, area),))

    again = redraw((SECOND, FIRST), {"c103": square(0, 0, 2)})
    with pytest.raises(Invalid) as refused:
        await commands.redraw_cells(again, SYSTEM, NOW)
    assert [each.field for each in refused.value.errors] == ["ends[1]"]
    with pytest.raises(Invalid):
        await commands.redraw_cells(again, who(Role.TOWN_CENTRE, "330109002"), NOW)
    with pytest.raises(NotPermitted):
        await commands.redraw_cells(again, who(Role.GRID_WORKER, TOWN), NOW)


async def test_phones_are_told_and_who_redrew_and_why_is_kept(district: str) -> None:
    await settle()
    await commands.redraw_cells(redraw((FIRST,), HALVES), SYSTEM, NOW)
    told = {row["bucket"]: row["body"] for row in await db.fetch("select bucket, body from change")}
    assert told.pop(f"cell:{FIRST}") is None
    assert sorted(told) == [f"cell:{VILLAGES[0]}101", f"cell:{VILLAGES[0]}102"]
    assert [(row["type"], row["body"]["cells"]) for row in await db.fetch("select type, body from outbox")] == [
        ("CellsEnded", [FIRST])
    ]
    [kept] = await db.fetch("select action, object, reason from access_log")
    assert tuple(kept) == ("grid.redraw", f"cells:{FIRST}", "网格调整（演示）")
