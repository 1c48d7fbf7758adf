"""Sends what is due to webhooks: a task for each receiver, so that one that is slow, away or broken holds up no other.

No transaction is open while a receiver is spoken to. Whoever is killed meanwhile has it sent again after the lease.
"""

import asyncio
import logging
import random
import ssl
import time
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import msgspec
from msgspec import Struct

from app.identity import cipher, keys
from app.kernel import db
from app.kernel.clock import Clock
from app.kernel.ids import new_id
from tasks.channels import stream_events, webhook_store, webhook_target, webhooks
from tasks.channels.stream_events import CONTENT_TYPE, CloudEvent
from tasks.channels.webhook_target import Refused
from tasks.channels.webhooks import Answer, Claimed, Settled

logger = logging.getLogger("zjw.webhooks")

POLL_SECONDS = 0.5
AT_ONCE = 8
"""Requests under way to one receiver, of one worker."""
WINDOW = 32
"""Deliveries in hand of one receiver, under way or next."""
LINGER_SECONDS = 0.5
"""How long what is done may wait for more to be written down with it."""
LEASE = timedelta(seconds=60)
"""Longer than the last one in hand can take: 32, 8 at a time, 10 s each."""
MOST_READ = 65_536


class Policy(Struct, frozen=True, kw_only=True):
    """Whether receivers may be at private addresses, and how long one may take to answer."""

    private_allowed: bool = True
    timeout_seconds: float = 10.0


class Letter(Struct, frozen=True, kw_only=True):
    """What is posted: the nonce is new for each try."""

    url: str
    secret: str
    webhook: UUID
    nonce: str
    event: CloudEvent


_policy = Policy()
_running: dict[tuple[str, UUID], "asyncio.Task[int]"] = {}
"""The receivers this process is sending to."""


def configure(policy: Policy) -> None:
    """Set where may be sent to and how patiently."""
    global _policy
    _policy = policy


def policy() -> Policy:
    """Return what is set."""
    return _policy


def client() -> httpx.AsyncClient:
    """Return a client that follows no redirect and heeds no proxy of the environment; the caller closes it."""
    return httpx.AsyncClient(
        verify=_tls(),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # each try has one limit for all of it
        limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
    )


_context: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    global _context
    if _context is None:
        _context = ssl.create_default_context()
    return _context


async def post(letter: Letter, http: httpx.AsyncClient, now: datetime) -> Answer:
    """Post one event, signed as machines sign what they send here, and return what came of it; raises nothing."""
    began = time.monotonic()
    status, error, retry_after = None, None, None
    try:
        async with asyncio.timeout(_policy.timeout_seconds):
            response = await _post(letter, http, now)
        status, retry_after = response.status_code, response.headers.get("retry-after")
        if response.is_redirect:
            error = f"HTTP {status}: redirects are not followed"
    except Refused as refused:
        error = f"not asked: {refused}"
    except TimeoutError:
        error = "no answer in time"
    except httpx.HTTPError as fault:
        error = type(fault).__name__
    duration = round((time.monotonic() - began) * 1000)
    return Answer(status=status, error=error, retry_after=retry_after, duration_ms=duration)


async def _post(letter: Letter, http: httpx.AsyncClient, now: datetime) -> httpx.Response:
    target = await webhook_target.resolve(letter.url, _policy.private_allowed)
    body = msgspec.json.encode(letter.event)
    timestamp = str(int(now.timestamp()))
    signed = keys.request_text("POST", target.path, body)
    headers = {
        "Host": target.host,
        "Content-Type": CONTENT_TYPE,
        "User-Agent": "zjw-webhooks/1",
        "Idempotency-Key": str(letter.event.id),
        "X-Webhook": str(letter.webhook),
        "X-Timestamp": timestamp,
        "X-Nonce": letter.nonce,
        "X-Signature": keys.sign(letter.secret, timestamp, letter.nonce, signed),
    }
    extensions = {"sni_hostname": target.name}
    async with http.stream("POST", target.url, content=body, headers=headers, extensions=extensions) as response:
        read = 0
        async for chunk in response.aiter_raw():  # read, so that the connection serves again; but not for ever
            read += len(chunk)
            if read > MOST_READ:
                break
        return response


async def run(clock: Clock) -> None:
    """Send until cancelled; what is under way then is given back."""
    try:
        while True:
            try:
                for district in await db.districts():
                    await _start(district, clock)
            except Exception as error:
                logger.warning("webhooks", extra={"error": type(error).__name__})
            await asyncio.sleep(POLL_SECONDS)
    finally:
        for task in _running.values():
            task.cancel()
        await asyncio.gather(*_running.values(), return_exceptions=True)
        _running.clear()


async def _start(district: str, clock: Clock) -> None:
    """Begin to send to whoever has something due and is not being sent to."""
    async with db.transaction(district):
        due = await webhook_store.due(clock())
    for webhook in due:
        key = (district, webhook)
        if key not in _running or _running[key].done():
            _running[key] = asyncio.create_task(_send_or_log(district, webhook, clock))
    for key in [key for key, task in _running.items() if task.done()]:
        del _running[key]


async def _send_or_log(district: str, webhook: UUID, clock: Clock) -> int:
    try:
        return await send(district, webhook, clock)
    except Exception as error:
        logger.warning("webhook", extra={"webhook": str(webhook), "error": type(error).__name__})
        return 0


async def send_due(district: str, clock: Clock) -> int:
    """Send all that is due in a district, to all receivers at once, and return how many were taken."""
    async with db.transaction(district):
        due = await webhook_store.due(clock())
    return sum(await asyncio.gather(*(_send_or_log(district, webhook, clock) for webhook in due)))


async def send(district: str, webhook: UUID, clock: Clock) -> int:
    """Send what is due to one receiver until nothing is, several at a time; return how many it took."""
    flying: dict[asyncio.Task[Settled], Claimed] = {}
    settled: list[Settled] = []
    taken, gate = 0, asyncio.Semaphore(AT_ONCE)
    async with client() as http:
        try:
            while True:
                now, room = clock(), WINDOW - len(flying)
                async with db.transaction(district):
                    await webhook_store.settle(webhook, settled, now)
                    claimed = await webhook_store.claim(webhook, new_id(), now, now + LEASE, room)
                for each in claimed:
                    flying[asyncio.create_task(_try(district, webhook, each, http, gate, clock))] = each
                if not flying:
                    return taken
                settled = await _landed(flying)
                taken += sum(each.state == "delivered" for each in settled)
        finally:
            await _give_back(district, flying)


async def _landed(flying: dict["asyncio.Task[Settled]", Claimed]) -> list[Settled]:
    """Wait until half of what is in hand is done, or some of it for a while; take it out and return it."""
    done: set[asyncio.Task[Settled]] = set()
    ends = asyncio.get_running_loop().time() + LINGER_SECONDS
    while not done or (len(flying) - len(done) > WINDOW // 2 and asyncio.get_running_loop().time() < ends):
        await asyncio.wait(flying.keys() - done, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        done = {task for task in flying if task.done()}
    for task in done:
        del flying[task]
    return [task.result() for task in done]


async def _give_back(district: str, flying: dict["asyncio.Task[Settled]", Claimed]) -> None:
    if not flying:
        return
    for task in flying:
        task.cancel()
    await asyncio.gather(*flying, return_exceptions=True)
    async with db.transaction(district):
        await webhook_store.release(list(flying.values()))


async def _answer(district: str, webhook: UUID, claimed: Claimed, http: httpx.AsyncClient, now: datetime) -> Answer:
    """Post one delivery; one that cannot even be made (a secret that nobody can open) is a failed try of its own."""
    try:
        letter = Letter(
            url=claimed.url,
            secret=cipher.open_(claimed.secret),
            webhook=webhook,
            nonce=f"{claimed.id}-{claimed.lease}",
            event=stream_events.cloud_event(claimed.entry, district),
        )
        return await post(letter, http, now)
    except Exception as error:
        logger.warning("webhook", extra={"webhook": str(webhook), "error": type(error).__name__})
        return Answer(error=f"not sent: {type(error).__name__}", duration_ms=0)


async def _try(
    district: str, webhook: UUID, claimed: Claimed, http: httpx.AsyncClient, gate: asyncio.Semaphore, clock: Clock
) -> Settled:
    async with gate:
        answer = await _answer(district, webhook, claimed, http, clock())
    settled = webhooks.judge(claimed, answer, clock(), random.random())
    if settled.state != "delivered":
        extra = {"webhook": str(webhook), "event": str(claimed.entry.event_id), "tries": claimed.attempts}
        logger.warning("dead letter" if settled.state == "dead" else "not delivered", extra=extra)
    return settled
