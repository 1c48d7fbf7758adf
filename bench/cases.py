"""Opening cases over HTTP with 8 clients, beside a bare insert of the same rows in as many transactions."""

import asyncio
import time
from itertools import cycle, islice
from typing import Any

import asyncpg

from app.demo.accounts import PASSWORD, DemoFile
from app.demo.district import places
from bench import texts
from bench.figure import Figure
from bench.load import call, load, request
from bench.platform import DISTRICT, Context
from bench.points import points_of

CLIENTS = 8
COUNT = 1_200
SCHEMA = f"d{DISTRICT}"

Rows = dict[str, list[tuple[Any, ...]]]


async def run(context: Context) -> list[Figure]:
    """Cases a second and times of single ones. The worker is off, so that only the opening itself is measured."""
    async with context.platform(demo=True, worker=False) as platform:
        assert platform.demo is not None
        requests = await _requests(platform.port, platform.demo)
        await load(platform.port, CLIENTS, requests[:40], expect=201)
        before = await _snapshot(platform.database_url)
        ours = await load(platform.port, CLIENTS, requests[40:], expect=201)
        rows = await _written_since(platform.database_url, before)
    done = len(requests) - 40
    bare = await _insert(await context.database(), rows, done)
    each = sum(map(len, rows.values())) / done
    floor = f"bare insert of the same {each:.1f} rows"
    return [
        Figure(name="case over HTTP, 8 clients", value=ours.rate, unit="/s", floor=bare, floor_name=floor),
        Figure(name="case over HTTP, median", value=ours.percentile(0.5), unit="ms"),
        Figure(name="case over HTTP, 99th percentile", value=ours.percentile(0.99), unit="ms"),
    ]


async def _requests(port: int, demo: DemoFile) -> list[bytes]:
    """Reports of eight town centres on items and places of the whole district."""
    centres = [account.username for account in demo.accounts if account.role == "town_centre"][:CLIENTS]
    headers = [await _signed_in(port, username) for username in centres]
    _, items = await call(port, request("GET", "/v1/items", headers=headers[0]))
    points = points_of(places.build().boundaries[DISTRICT], COUNT)
    who, what = cycle(headers), cycle(item["code"] for item in items)
    return [
        request("POST", "/v1/cases", _case(number, code, lon, lat), header)
        for number, (header, code, (lon, lat)) in enumerate(islice(zip(who, what, points, strict=False), COUNT))
    ]


def _case(number: int, code: str, lon: float, lat: float) -> dict[str, Any]:
    title, description = texts.report(number)
    place = {"lon": lon, "lat": lat, "datum": "wgs84", "accuracy_m": 10}
    return {"item": code, "title": title, "description": description, "place": place}


async def _signed_in(port: int, username: str) -> dict[str, str]:
    _, tokens = await call(port, request("POST", "/v1/auth/login", {"username": username, "password": PASSWORD}))
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def _snapshot(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text"))
    finally:
        await connection.close()


async def _written_since(dsn: str, transaction: int) -> Rows:
    """Per table that transactions from this one on have written: the insert statement, and the rows."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = $1", SCHEMA)
        rows: Rows = {}
        for name in (row["tablename"] for row in tables):
            new = await connection.fetch(
                f"select * from {SCHEMA}.{name} where xmin::text::bigint >= $1 order by ctid", transaction
            )
            if new:
                columns = ", ".join(new[0].keys())
                values = ", ".join(f"${number}" for number in range(1, len(new[0]) + 1))
                rows[f"insert into {name} ({columns}) values ({values})"] = [tuple(row.values()) for row in new]
        return rows
    finally:
        await connection.close()


async def _insert(dsn: str, rows: Rows, count: int) -> float:
    """Transactions a second when each writes its share of the rows; foreign keys are not checked."""
    numbers = iter(range(count))

    async def client(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        for number in numbers:
            async with connection.transaction():
                for statement, all_rows in rows.items():
                    if share := all_rows[number * len(all_rows) // count : (number + 1) * len(all_rows) // count]:
                        await connection.executemany(statement, share)

    connections = [
        await asyncpg.connect(dsn, server_settings={"search_path": f"{SCHEMA}, public"}) for _ in range(CLIENTS)
    ]
    for connection in connections:
        await connection.execute("set session_replication_role to replica")
    started = time.perf_counter()
    await asyncio.gather(*map(client, connections))
    elapsed = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return count / elapsed
