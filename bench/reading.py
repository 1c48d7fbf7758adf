"""Reading a million cases otherwise than by one page: counts, figures, exports, all pages to the last, claims."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.identity.scope import Reach
from app.kernel import db
from bench import cases as single
from bench import lists, million
from bench.figure import Figure
from bench.load import call, load, request
from bench.platform import DISTRICT, Context, Platform
from grid import facts as grid_facts
from tasks.cases import paging
from tasks.cases.listing import Filter

REPEATS = 5
PAGE = 100
EXPORTED_DAYS = 60
CLIENTS, CLAIMS = 8, 400
OPEN = f"state in ({million.OPEN})"
HANDLED = "avg(handled_at - received_at), percentile_cont(0.9) within group (order by handled_at - received_at)"


async def run(context: Context) -> list[Figure]:
    """Medians of five in milliseconds, over HTTP as one of each role; rows a second of what is many."""
    async with context.platform(demo=True, worker=False, name="million") as platform:
        assert platform.demo is not None
        count = await million.fill(platform.database_url)
        connection: Any = await asyncpg.connect(
            platform.database_url, server_settings={"search_path": f"d{DISTRICT},public", "jit": "off"}
        )
        try:
            return [
                *await _counts(platform, connection, count),
                *await _figures(platform, connection, count),
                *await _exports(platform, connection),
                *await _to_the_last(platform, connection),
                await _claims(platform, connection),
            ]
        finally:
            await connection.close()


async def _headers(platform: Platform, role: str, nth: int = 0) -> dict[str, str]:
    assert platform.demo is not None
    found = [each.username for each in platform.demo.accounts if each.role == role]
    return await single._signed_in(platform.port, found[nth % len(found)])


async def _ms(work: Callable[[], Awaitable[Any]]) -> float:
    taken: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await work()
        taken.append(million.now_ms(began))
    return median(taken)


async def _http_ms(platform: Platform, path: str, headers: dict[str, str]) -> float:
    asked = request("GET", path, None, headers)
    await load(platform.port, 1, [asked])
    return (await load(platform.port, 1, [asked] * REPEATS)).percentile(0.5)


async def _counts(platform: Platform, connection: Any, count: int) -> list[Figure]:
    bare = await _ms(lambda: connection.fetch(f"select state, count(*) from cases where {OPEN} group by state"))
    return [
        Figure(
            name=f"counts by state of {count:,}, HTTP: {role}",
            value=await _http_ms(platform, "/v1/cases/counts", await _headers(platform, role)),
            unit="ms",
            floor=bare,
            floor_name="bare count of the open by state",
        )
        for role in lists.ROLES
    ]


async def _figures(platform: Platform, connection: Any, count: int) -> list[Figure]:
    """Over the periods that are asked for by default, and a year by something else than months."""
    found: list[Figure] = []
    for role, group, days in (
        ("district_centre", "month", 366),
        ("district_centre", "organisation", 31),
        ("district_centre", "organisation", 366),
        ("town_centre", "item", 31),
        ("department", "town", 31),
    ):
        since = datetime.now(UTC) - timedelta(days=days)
        within = await connection.fetchval("select count(*) from cases where received_at >= $1", since)
        bare = await _ms(partial(connection.fetch, f"select {HANDLED} from cases where received_at >= $1", since))
        path = f"/v1/figures/cases?group_by={group}&since={since:%Y-%m-%dT%H:%M:%SZ}"
        name = f"figures by {group} of {within:,} of {count:,}, HTTP: {role}"
        value = await _http_ms(platform, path, await _headers(platform, role))
        found.append(Figure(name=name, value=value, unit="ms", floor=bare, floor_name="bare mean and p90 of all"))
    return found


async def _exports(platform: Platform, connection: Any) -> list[Figure]:
    """Milliseconds to the first byte of the file, and rows a second to its last."""
    since = datetime.now(UTC) - timedelta(days=EXPORTED_DAYS)
    said = f"{since:%Y-%m-%dT%H:%M:%SZ}"
    rows = await connection.fetchval("select count(*) from cases where received_at >= $1", since)
    headers = await _headers(platform, "district_centre")
    began = time.perf_counter()
    bare = (
        f"select {paging.COLUMNS} from cases c where c.received_at >= '{said}' order by c.received_at desc, c.id desc"
    )
    await connection.copy_from_query(bare, output=io.BytesIO(), format="csv")
    floor = rows / (time.perf_counter() - began)
    found: list[Figure] = []
    for kind in ("csv", "xlsx"):
        path = f"/v1/cases/export?format={kind}&since={said}"
        first, whole, size = await _download(platform.port, request("GET", path, None, headers))
        name = f"export of {rows:,} rows, {kind}"
        found += [
            Figure(name=f"{name}: first byte", value=first, unit="ms"),
            Figure(name=f"{name} ({size / 1e6:.0f} MB)", value=rows / whole, unit="/s", floor=floor, floor_name="COPY"),
        ]
    return found


async def _download(port: int, asked: bytes) -> tuple[float, float, int]:
    """Milliseconds to the first byte of the body, seconds to the last, and how many there were."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    writer.write(asked)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0], head
    first, size = 0.0, 0
    while length := int(await reader.readline(), 16):
        size += len(await reader.readexactly(length + 2)) - 2
        first = first or million.now_ms(began)
    writer.close()
    return first, time.perf_counter() - began, size


async def _to_the_last(platform: Platform, connection: Any) -> list[Figure]:
    """A page from the middle beside the first one, and every page of a town, newest first."""
    db.configure(platform.database_url)
    await db.start(1, 2)
    try:
        now = datetime.now(UTC)
        async with db.transaction(DISTRICT):
            directory = await grid_facts.directory(now)
            halfway = await db.fetchval(
                "select received_at from cases order by received_at offset (select count(*) / 2 from cases) limit 1"
            )
            middle = paging.Mark(False, halfway, UUID(int=0))

            def asked(after: paging.Mark | None, *, by_due: bool, area: str | None = None) -> paging.Query:
                return paging.Query(Filter(area=area), Reach(everything=True), directory, now, PAGE, by_due, after)

            first = await _ms(lambda: paging.page(asked(None, by_due=False)))
            deep = await _ms(lambda: paging.page(asked(middle, by_due=False)))
            village = await connection.fetchval(
                "select left(area, 12) from cases where length(area) >= 12 group by 1 order by count(*) desc limit 1"
            )
            found = [
                Figure(
                    name="page from the middle of all", value=deep, unit="ms", floor=first, floor_name="the first page"
                )
            ]
            for by_due in (True, False):
                met: list[UUID] = []
                after: paging.Mark | None = None
                began = time.perf_counter()
                while rows := await paging.page(asked(after, by_due=by_due, area=village)):
                    met += [row["id"] for row in rows]
                    last: Any = rows[-1]
                    key = "due_at" if by_due and last["due_at"] is not None else "received_at"
                    after = paging.Mark(key == "due_at", last[key], last["id"])
                rate = len(met) / (time.perf_counter() - began)
                began = time.perf_counter()
                bare = await db.fetch(f"select {paging.COLUMNS} from cases c where left(c.area, 12) = $1", village)
                floor = len(bare) / (time.perf_counter() - began)
                assert len(met) == len(set(met)) == len(bare), (len(met), len(set(met)), len(bare))
                order = "overdue first" if by_due else "newest first"
                name = f"all {len(met):,} of a village, page by page, {order}"
                found.append(Figure(name=name, value=rate, unit="/s", floor=floor, floor_name="one bare select"))
            return found
    finally:
        await db.stop()


async def _claims(platform: Platform, connection: Any) -> Figure:
    """Claims of different cases a second, 8 clerks at once."""
    headers = [await _headers(platform, "town_centre", nth) for nth in range(CLIENTS)]
    asked: list[bytes] = []
    for clerk in headers:
        _, rows = await call(platform.port, request("GET", "/v1/cases?state=handling&limit=50", None, clerk))
        for row in rows[: CLAIMS // CLIENTS]:
            _, seen = await call(platform.port, request("GET", f"/v1/cases/{row['id']}", None, clerk))
            if seen["allowed"]:
                asked.append(request("POST", f"/v1/cases/{row['id']}/claim", {"take_over": True}, clerk))
    ours = await load(platform.port, CLIENTS, asked)
    ids = [row[0] for row in await connection.fetch(f"select id from cases where {OPEN} limit $1", len(asked))]
    began = time.perf_counter()
    for case in ids:
        await connection.execute(
            "insert into case_claim (case_id, person, since, until) values ($1, $2, $3, $3)"
            " on conflict (case_id) do update set person = excluded.person",
            case,
            uuid4(),
            datetime.now(UTC),
        )
    floor = len(ids) / (time.perf_counter() - began)
    name = f"claim over HTTP, {CLIENTS} clients"
    return Figure(name=name, value=ours.rate, unit="/s", floor=floor, floor_name="bare upsert, one client")
