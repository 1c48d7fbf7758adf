"""Values go into the database and come out as they are in Python."""

import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import shapely

from app.kernel import db
from tests.app.kernel.probe import NOON, ProbeRow

# --- codecs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [{"词": "积水", "n": [1, 2.5, None, True], "deep": {"a": {}}}, [], {}, [{"a": "\u0001\"'\\"}], 3, None],
)
async def test_json_goes_in_and_comes_out_as_objects(district: str, probes: None, body: Any) -> None:
    await db.execute("insert into probe (id, body) values (1, $1)", body)
    assert await db.fetchval("select body from probe") == body
    assert await db.fetchval("select body::json from probe") == body


async def test_piccolo_writes_json_as_objects_and_reads_it_back(district: str, probes: None) -> None:
    await ProbeRow.insert(ProbeRow(id=1, body={"a": [1]}))
    assert await db.fetchval("select jsonb_typeof(body) from probe") == "object"
    assert await ProbeRow.select(ProbeRow.body) == [{"body": {"a": [1]}}]


@pytest.mark.parametrize("at", [NOON, NOON.astimezone(ZoneInfo("Asia/Shanghai")), datetime(1969, 7, 20, tzinfo=UTC)])
async def test_times_keep_their_instant_to_the_microsecond_and_come_back_in_utc(
    district: str, probes: None, at: datetime
) -> None:
    await db.execute("insert into probe (id, at) values (1, $1)", at)
    found = await db.fetchval("select at from probe")
    assert found == at
    assert found.tzinfo is UTC


async def test_naive_times_are_refused_also_through_piccolo(district: str, probes: None) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(asyncpg.DataError, match="naive datetime refused"):
        await db.execute("insert into probe (id, at) values (1, $1)", naive)
    with pytest.raises(asyncpg.DataError, match="naive datetime refused"):
        await ProbeRow.insert(ProbeRow(id=1, at=naive))
    with pytest.raises(asyncpg.DataError, match="naive datetime refused"):
        await ProbeRow.select(ProbeRow.id).where(ProbeRow.at < naive)
    assert await db.fetchval("select count(*) from probe") == 0


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_times_nobody_could_read_back_are_refused(district: str, time: str) -> None:
    with pytest.raises(asyncpg.DataError):
        async with db.transaction(district):
            await db.fetchval("select $1::timestamptz", datetime.fromisoformat(time))
    for kept in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert await db.fetchval("select $1::timestamptz", kept) == kept


async def test_geometry_is_shapely_in_wgs84_and_another_srid_is_refused(district: str, probes: None) -> None:
    place = shapely.Point(120.27, 30.17)
    await db.execute("insert into probe (id, place) values (1, $1)", place)
    found = await db.fetchval("select place from probe")
    assert (found, shapely.get_srid(found)) == (place, 4326)
    with pytest.raises(asyncpg.InvalidParameterValueError):
        async with db.transaction(district):
            await db.execute("insert into probe (id, place) values (2, $1)", shapely.set_srid(place, 4490))


async def test_uuids_and_lists_of_them_come_back_as_uuids(district: str, probes: None) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    await db.execute("insert into probe (id, key) select * from unnest($1::int[], $2::uuid[])", [1, 2], [one, two])
    rows = await db.fetch("select key from probe where key = any($1::uuid[])", [one, two, uuid.uuid4()])
    assert {row["key"] for row in rows} == {one, two}
    assert all(isinstance(row["key"], uuid.UUID) for row in rows)


async def test_copy_writes_every_kind_of_value(district: str, probes: None) -> None:
    place = shapely.Point(120.27, 30.17)
    records = [(n, "字", NOON, place, uuid.uuid4()) for n in range(100)]
    assert await db.copy("probe", ("id", "word", "at", "place", "key"), records) == 100
    row = await db.fetchrow("select id, word, at, place, key from probe where id = 7")
    assert row is not None
    assert tuple(row) == records[7]


async def test_execute_tells_how_many_rows_it_touched(district: str, probes: None) -> None:
    assert await db.execute("insert into probe (id) select generate_series(1, 5)") == 5
    assert await db.execute("update probe set word = 'x' where id > $1", 3) == 2
    assert await db.execute("delete from probe where id > 100") == 0


async def test_a_connection_outside_the_pool_has_the_codecs_too(database: str) -> None:
    connection = await db.DB.get_new_connection()
    try:
        assert await connection.fetchval("""select '{"a": 1}'::jsonb""") == {"a": 1}
    finally:
        await connection.close()
