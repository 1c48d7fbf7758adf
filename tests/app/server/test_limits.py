"""Rate limits: shared by all processes, fair by account, and open when the queue is away."""

import asyncio

import httpx
import pytest
from redis.asyncio import Redis

from app.kernel.actor import Role
from app.server import limits
from app.server.limits import Buckets, Limit
from tests.tools import people

TIGHT = Limit(rate=1, burst=3, lease=1)


async def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(redis: Redis) -> None:
    buckets = Buckets(redis)
    assert [await buckets.wait_for("a", TIGHT) for _ in range(3)] == [0, 0, 0]
    wait = await buckets.wait_for("a", TIGHT)
    assert 0 < wait <= 1
    assert await buckets.wait_for("b", TIGHT) == 0, "another account has a bucket of its own"


async def test_a_bucket_fills_again_at_its_rate(redis: Redis) -> None:
    buckets, quick = Buckets(redis), Limit(rate=50, burst=1)
    assert await buckets.wait_for("a", quick) == 0
    wait = await buckets.wait_for("a", quick)
    assert 0 < wait <= 0.02
    await asyncio.sleep(wait + 0.005)
    assert await buckets.wait_for("a", quick) == 0


async def test_processes_together_never_give_more_than_the_burst(redis: Redis) -> None:
    limit = Limit(rate=0.001, burst=40, lease=5)
    processes = [Buckets(redis) for _ in range(4)]
    waits = await asyncio.gather(*(processes[n % 4].wait_for("a", limit) for n in range(100)))
    assert sum(w == 0 for w in waits) <= 40
    assert sum(w == 0 for w in waits) >= 25, "leases of idle processes are the only loss"


async def test_when_the_queue_is_away_nobody_is_limited() -> None:
    away = Buckets(Redis.from_url("unix:///nowhere/queue.sock"))
    assert [await away.wait_for("a", TIGHT) for _ in range(10)] == [0] * 10


async def test_who_asks_too_often_gets_429_and_when_to_come_back(
    district: str, probe: httpx.AsyncClient, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "staff", TIGHT)
    busy = (await people.sign_in(district, Role.STATION)).headers
    other = (await people.sign_in(district, Role.STATION)).headers
    codes = [(await probe.get("/v1/me", headers=busy)).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = await probe.get("/v1/me", headers=busy)
    assert refused.json()["type"] == "/problems/too-many-requests"
    assert int(refused.headers["retry-after"]) >= 1
    assert (await probe.get("/v1/me", headers=other)).status_code == 200


async def test_strangers_are_counted_by_address_which_only_a_proxy_here_may_name(
    district: str, probe: httpx.AsyncClient, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "stranger", TIGHT)

    async def ask(address: str, client: tuple[str, int]) -> int:
        transport = httpx.ASGITransport(probe._transport.app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return (await http.get("/v1/test/long", headers={"X-Real-IP": address})).status_code

    proxy, abroad = ("127.0.0.1", 1), ("203.0.113.9", 1)
    assert [await ask("198.51.100.1", proxy) for _ in range(4)] == [200, 200, 200, 429]
    assert await ask("198.51.100.2", proxy) == 200
    assert [await ask(f"198.51.100.{n}", abroad) for n in range(10, 14)] == [200, 200, 200, 429]


async def test_health_is_never_limited(probe: httpx.AsyncClient, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(limits.LIMITS, "stranger", TIGHT)
    assert {(await probe.get("/healthz")).status_code for _ in range(10)} == {200}
