"""Commands over HTTP with 8 clients, each with a case of its own, beside bare transactions writing the same rows."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from bench import cases as single
from bench import texts
from bench.figure import Figure
from bench.load import Outcome, UnexpectedAnswer, call, exchange, request
from bench.platform import Context, Platform

CLIENTS, CASES = 8, 160
TOWN = "330109001"

Step = tuple[str, str, dict[str, Any]]
"""Who (town or station), which command, with what body."""


async def run(context: Context) -> list[Figure]:
    """Milliseconds of one command out of a mix of eight: sign, record, delegate, submit, confirm. The worker is off."""
    async with context.platform(demo=True, worker=False) as platform:
        who, station, ids = await _assigned(platform)
        await _load(platform.port, who, station, ids[:CLIENTS])
        before = await single._snapshot(platform.database_url)
        ours = await _load(platform.port, who, station, ids[CLIENTS:])
        rows = await single._written_since(platform.database_url, before)
    count = len(ours.times)
    bare = await single._insert(await context.database(), rows, count)
    each = sum(map(len, rows.values())) / count
    floor = f"bare insert of the {each:.1f} rows it leaves"
    return [
        Figure(name="commands over HTTP, 8 clients", value=ours.rate, unit="/s", floor=bare, floor_name=floor),
        Figure(name="command over HTTP, median", value=ours.percentile(0.5), unit="ms"),
        Figure(
            name="command over HTTP, 95th percentile (bar: 40)",
            value=ours.percentile(0.95),
            unit="ms",
            floor=CLIENTS / bare * 1000,
            floor_name="mean of such a transaction, 8 at once",
        ),
    ]


async def _assigned(platform: Platform) -> tuple[dict[str, dict[str, str]], str, list[str]]:
    """Cases assigned to a town centre by the district's desk; who signs in as what, the station below, the cases."""
    assert platform.demo is not None
    accounts = platform.demo.accounts
    town = next(each for each in accounts if each.role == "town_centre" and each.area == TOWN)
    station = next(each for each in accounts if each.role == "station" and each.area.startswith(TOWN))
    centre = next(each for each in accounts if each.role == "district_centre")
    seats = {"town": town, "station": station, "centre": centre}
    who = {name: await single._signed_in(platform.port, each.username) for name, each in seats.items()}
    ids: list[str] = []
    for number in range(CASES):
        title, description = texts.report(number)
        opened = {"item": "H037", "title": title, "description": description}
        status, case = await call(platform.port, request("POST", "/v1/cases", opened, who["centre"]))
        for command, body in (("accept", {}), ("assign", {"to": str(town.organisation)})):
            if status >= 400:
                raise UnexpectedAnswer(f"{status}: {case}")
            if command not in [each["command"] for each in case["allowed"]]:
                continue
            path, tag = f"/v1/cases/{case['id']}/{command}", {"If-Match": f'"{case["version"]}"'}
            status, case = await call(platform.port, request("POST", path, body, who["centre"] | tag))
        if str(case["lead"]) != str(town.organisation):
            raise UnexpectedAnswer(f"the case is not the town's: {status} {case}")
        ids.append(case["id"])
    return who, str(station.organisation), ids


def _steps(station: str) -> list[Step]:
    return [
        ("town", "sign", {}),
        ("town", "record", {"work": "已派人到现场查看（压测）"}),
        ("town", "delegate", {"to": station}),
        ("station", "sign", {}),
        ("station", "record", {"work": "已到现场（压测）"}),
        ("station", "submit", {"result": "已处理（压测）"}),
        ("town", "confirm", {}),
        ("town", "submit", {"result": "已办结（压测）"}),
    ]


async def _load(port: int, who: dict[str, dict[str, str]], station: str, ids: list[str]) -> Outcome:
    """All steps of all cases; each client takes the next case when it is through with one."""
    queue = iter(ids)
    started = time.perf_counter()
    times = await asyncio.gather(*(_client(port, who, _steps(station), queue) for _ in range(CLIENTS)))
    elapsed = time.perf_counter() - started
    found = sorted(one for each in times for one in each)
    return Outcome(len(found) / elapsed, found)


async def _client(port: int, who: dict[str, dict[str, str]], steps: list[Step], queue: Iterator[str]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    for case in queue:
        _, shown = await exchange(reader, writer, request("GET", f"/v1/cases/{case}", None, who["centre"]))
        version = msgspec.json.decode(shown)["version"]
        for actor, command, body in steps:
            tag = {"If-Match": f'"{version}"'}
            prepared = request("POST", f"/v1/cases/{case}/{command}", body, who[actor] | tag)
            started = time.perf_counter()
            status, answer = await exchange(reader, writer, prepared)
            times.append(time.perf_counter() - started)
            if status != 200:
                raise UnexpectedAnswer(f"{command}: {status} {answer.decode(errors='replace')[:500]}")
            version = msgspec.json.decode(answer)["version"]
    writer.close()
    return times
