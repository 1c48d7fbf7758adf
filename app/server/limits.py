"""Rate limits shared by all server processes: token buckets in the queue server (Lua), taken in small leases."""

import time
from typing import Any

from litestar.datastructures import Headers
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.kernel.actor import Actor
from app.kernel.problem import TooManyRequests


class Limit(Struct, frozen=True):
    """A bucket: tokens a second and the most it holds; a process takes `lease` at a time to save round trips."""

    rate: float
    burst: int
    lease: int = 1


LIMITS = {
    "staff": Limit(200, 2000, 50),
    "machine": Limit(1000, 5000, 100),
    "device": Limit(1000, 5000, 100),
    "citizen": Limit(2, 60, 1),
    "stranger": Limit(20, 400, 5),
}
"""By kind of actor, each for one account, key or (unknown) address."""

_TAKE = """
local rate, burst, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1e6
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(bucket[1]) or burst) + rate * (now - (tonumber(bucket[2]) or now)))
local taken = math.min(want, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tokens - taken, 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {taken, tostring((1 - (tokens - taken)) / rate)}
"""

_LEASE_LIFE = 1.0
_MOST_LEASES = 10_000


class Buckets:
    """The leases of this process. When the queue server is away nobody is limited: work goes first."""

    def __init__(self, redis: "Redis", prefix: str = "zjw:limit:") -> None:
        self._redis: Any = redis
        self._take: Any = self._redis.register_script(_TAKE)
        self._prefix = prefix
        self._leases: dict[str, tuple[int, float]] = {}

    async def wait_for(self, name: str, limit: Limit) -> float:
        """Take one token; return 0, or the seconds until there will be one."""
        if self._spend(name):
            return 0.0
        try:
            taken, wait = await self._take(keys=[self._prefix + name], args=[limit.rate, limit.burst, limit.lease])
        except RedisError:
            return 0.0
        self._keep(name, taken)
        # another request of this process may have brought a lease meanwhile
        return 0.0 if self._spend(name) else max(float(wait), 0.001)

    def _spend(self, name: str) -> bool:
        left, until = self._leases.get(name, (0, 0.0))
        if left <= 0 or time.monotonic() >= until:
            return False
        self._leases[name] = (left - 1, until)
        return True

    def _keep(self, name: str, taken: int) -> None:
        if not taken:
            return
        if len(self._leases) > _MOST_LEASES:
            self._leases.clear()
        now = time.monotonic()
        left, until = self._leases.get(name, (0, 0.0))
        self._leases[name] = ((left if now < until else 0) + taken, now + _LEASE_LIFE)


class RateLimit(ASGIMiddleware):
    """Refuses with 429 and Retry-After whoever asks too often."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Count the request against its account, key or address."""
        if not scope["route_handler"].opt.get("unlimited"):
            name, limit = _bucket(scope)
            wait = await self._buckets.wait_for(name, limit)
            if wait:
                raise TooManyRequests(headers={"Retry-After": str(int(wait) + 1)})
        await next_app(scope, receive, send)


def _bucket(scope: Scope) -> tuple[str, Limit]:
    actor: Actor | None = scope["state"].get("actor")
    if actor is not None and actor.kind in LIMITS:
        return f"{actor.kind}:{actor.id}", LIMITS[actor.kind]
    forwarded = Headers.from_scope(scope).get("x-real-ip", "")
    request: Any = scope
    client: tuple[str, int] | None = request.get("client")
    # only a proxy on this machine is believed about whom it speaks for
    address = forwarded if forwarded and (client is None or client[0] == "127.0.0.1") else (client or ("-", 0))[0]
    return f"address:{address}", LIMITS["stranger"]
