"""Pushing 1,000 records at a time over HTTP, beside a bare insert of the same rows, a record to a transaction."""

from itertools import islice
from secrets import token_hex
from time import perf_counter, time
from typing import Any

import msgspec

from app.demo.accounts import DemoKey
from app.demo.district import places
from app.identity import keys
from bench import cases as single
from bench.figure import Figure
from bench.load import call
from bench.platform import Context

SOURCE = "fire-post"
RECORDS, PUSHES = 1_000, 4
BAD = 37
"""Of each thousand, so many are bad; the first push warms up."""


async def run(context: Context) -> list[Figure]:
    """Records a second when new, with some bad among them, and when pushed again. The worker is off."""
    async with context.platform(demo=True, worker=False) as platform:
        assert platform.demo is not None
        key = platform.demo.api_keys[SOURCE]
        batches = _batches()
        await _push(platform.port, key, batches[0], RECORDS - BAD)
        before = await single._snapshot(platform.database_url)
        started = perf_counter()
        for batch in batches[1:]:
            await _push(platform.port, key, batch, RECORDS - BAD)
        fresh = perf_counter() - started
        started = perf_counter()
        for batch in batches[1:]:
            await _push(platform.port, key, batch, 0)
        again = perf_counter() - started
        rows = await single._written_since(platform.database_url, before)
    pushed = RECORDS * PUSHES
    count = (RECORDS - BAD) * PUSHES
    bare = await single._insert(await context.database(), rows, count)
    floor = f"bare insert of the same {sum(map(len, rows.values())) / count:.1f} rows, 8 clients"
    return [
        Figure(name="records pushed, 1,000 each", value=pushed / fresh, unit="/s", floor=bare, floor_name=floor),
        Figure(name="records pushed again", value=pushed / again, unit="/s"),
    ]


def _batches() -> list[list[dict[str, Any]]]:
    """Made-up findings all over the district; one in 27 has a time in the future."""
    middles = [cell.polygon.representative_point() for cell in islice(places.build().cells, RECORDS)]
    where = [(middle.x, middle.y) for middle in middles]
    return [[_record(push, n, *where[n]) for n in range(RECORDS)] for push in range(PUSHES + 1)]


def _record(push: int, number: int, lon: float, lat: float) -> dict[str, Any]:
    bad = number % 27 == 0 and number < 27 * BAD
    return {
        "station_code": f"YS{push}",
        "check_no": number,
        "hazard_name": "压测隐患",
        "hazard_desc": "性能测试用的虚构隐患",
        "hazard_code": "X01",
        "hazard_level": "1",
        "check_time": 7_000_000_000 if bad else int(time()) - 600,
        "x": lon,
        "y": lat,
    }


async def _push(port: int, key: DemoKey, records: list[dict[str, Any]], stored: int) -> None:
    target, body = f"/v1/push/{SOURCE}", msgspec.json.encode({"records": records})
    timestamp, nonce = str(int(time())), token_hex(16)
    signature = keys.sign(key.secret, timestamp, nonce, keys.request_text("POST", target, body))
    headers = {"X-Api-Key": key.key, "X-Timestamp": timestamp, "X-Nonce": nonce, "X-Signature": signature}
    lines = [
        f"POST {target} HTTP/1.1",
        "Host: bench",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    status, answer = await call(port, "\r\n".join([*lines, "", ""]).encode() + body)
    if status != 200 or answer["stored"] != stored:
        raise RuntimeError(f"{status}: {str(answer)[:500]}")
