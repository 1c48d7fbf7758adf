"""Sign-in with 8 clients, beside the same password check (argon2id) alone on both cores."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher

from app.demo.accounts import PASSWORD
from bench.figure import Figure
from bench.load import load, request
from bench.platform import Context

CLIENTS = 8
COUNT = 64


async def run(context: Context) -> list[Figure]:
    """Sign-ins a second, and the median time of one."""
    async with context.platform(demo=True) as platform:
        assert platform.demo is not None
        names = [account.username for account in platform.demo.accounts]
        bodies = [{"username": names[number % len(names)], "password": PASSWORD} for number in range(COUNT)]
        requests = [request("POST", "/v1/auth/login", body) for body in bodies]
        await load(platform.port, CLIENTS, requests[:8])
        ours = await load(platform.port, CLIENTS, requests)
    bare = await asyncio.to_thread(_checks)
    floor = "argon2id checks in 2 threads"
    return [
        Figure(name="login, 8 clients", value=ours.rate, unit="/s", floor=bare, floor_name=floor),
        Figure(name="login, median", value=ours.percentile(0.5), unit="ms"),
    ]


def _checks() -> float:
    hasher = PasswordHasher()
    known = hasher.hash(PASSWORD)
    with ThreadPoolExecutor(2) as pool:
        started = time.perf_counter()
        list(pool.map(hasher.verify, [known] * COUNT, [PASSWORD] * COUNT))
        return COUNT / (time.perf_counter() - started)
