"""Import of households: cells found, good rows taken once, bad ones listed, contacts sealed."""

import asyncio
from typing import Any

import pytest

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import Actor, system
from app.kernel.crs import Datum, convert
from app.kernel.problem import Invalid
from tests.grid import places
from tests.visits.stage import CELL, DISTRICT, MORNING, VILLAGE
from visits import household_import_commands

SYSTEM = system(DISTRICT, "test")
HEADINGS = ["address", "village", "lon", "lat", "contact", "consent"]


def row(number: int, **changes: Any) -> list[Any]:
    cells = {
        "address": f"演示路 {number} 号",
        "village": VILLAGE,
        "lon": places.WEST + 0.001 * number,
        "lat": places.SOUTH + 0.004,
        "contact": f"1380000000{number}",
        "consent": "given",
    }
    return list((cells | changes).values())


async def take(*rows: list[Any], datum: Datum = Datum.WGS84, actor: Actor = SYSTEM, dry_run: bool = False) -> Any:
    return await household_import_commands.import_file([HEADINGS, *rows], datum, actor, MORNING, dry_run=dry_run)


async def kept() -> list[Any]:
    return await db.fetch("select * from household order by address_key")


async def test_good_rows_are_taken_with_their_cell_and_a_sealed_contact(district: str) -> None:
    await places.settle()
    report = await take(row(1), row(2))
    assert (report.taken, report.refused) == (2, ())
    homes = await kept()
    assert [home["area"] for home in homes] == [CELL, CELL]
    assert "13800000001" not in homes[0]["contact"]
    assert cipher.open_(homes[0]["contact"]) == "13800000001"
    told = await db.fetch("select body from change where kind = 'household'")
    assert len(told) == 2
    assert "1380000" not in str(told)


async def test_a_contact_is_kept_as_in_a_single_registration_unless_consent_was_refused(district: str) -> None:
    await places.settle()
    await take(row(1), row(2, consent="unknown"), row(3, consent="refused"), row(4, contact=""))
    assert [home["contact"] is not None for home in await kept()] == [True, True, False, False]


async def test_bad_rows_are_listed_by_line_and_the_good_ones_taken(district: str) -> None:
    await places.settle()
    report = await take(row(1), row(2, lat=31.9), row(3, village="330109099099"), row(4, lat="x"), row(1), row(5))
    assert report.taken == 2
    assert [(each.row, each.column) for each in report.refused] == [
        (3, "place"),
        (4, "village"),
        (5, "lat"),
        (6, "address"),
    ]


async def test_a_village_that_moved_to_another_district_is_refused_with_where_it_went(district: str) -> None:
    await places.settle()
    report = await take(row(1, village="330109009001"))
    [bad] = report.refused
    assert (bad.row, bad.column) == (2, "village")
    assert bad.why == (
        "代码已停用：2021年区划调整划入钱塘区 → 330114",
        "the code is retired: moved to Qiantang district in 2021 → 330114",
    )


async def test_the_same_file_again_takes_nothing_however_the_address_is_written(district: str) -> None:
    await places.settle()
    await take(row(1))
    report = await take(row(1, address="演示路１号"))
    assert (report.taken, [each.column for each in report.refused]) == (0, ["address"])
    assert len(await kept()) == 1


async def test_a_dry_run_reports_the_same_and_writes_nothing(district: str) -> None:
    await places.settle()
    report = await take(row(1), row(1), dry_run=True)
    assert (report.dry_run, report.taken, len(report.refused)) == (True, 1, 1)
    assert await kept() == []
    assert await db.fetch("select 1 from change where kind = 'household'") == []


async def test_a_point_in_another_datum_is_kept_as_received_and_stands_in_the_same_cell(district: str) -> None:
    await places.settle()
    there = (places.WEST + 0.002, places.SOUTH + 0.004)
    lon, lat = convert(*there, Datum.WGS84, Datum.BD09)
    await take(row(1, lon=lon, lat=lat), datum=Datum.BD09)
    [home] = await kept()
    assert (home["lon"], home["lat"]) == pytest.approx(there, abs=1e-7)
    assert (home["received_lon"], home["received_datum"], home["area"]) == (lon, "bd09", CELL)


async def test_of_two_imports_at_once_each_address_is_registered_once(committed: str) -> None:
    async with db.transaction(committed):
        await places.settle()
    results = await asyncio.gather(*(take(row(1), row(2)) for _ in range(4)), return_exceptions=True)
    assert sum(getattr(each, "taken", 0) for each in results) == 2
    assert all(isinstance(each, Invalid) or not isinstance(each, BaseException) for each in results)
    async with db.transaction(committed):
        assert len(await kept()) == 2
