"""Webhooks out: deliveries to a receiver on this machine, each claimed, signed, sent and settled, beside bare posts."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import msgspec

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import system
from app.kernel.ids import new_id
from bench.figure import Figure
from bench.platform import DISTRICT, Context
from tasks.cases.events import CaseMoved, CaseOpened
from tasks.channels import source_store, stream_commands, stream_events, webhook_commands, webhook_sending
from tasks.channels.sources import Source, shipped
from tasks.channels.webhooks import NewWebhook

CASES = 500
STEPS = 4
RECEIVERS = 4
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


async def run(context: Context) -> list[Figure]:
    """Measure on a database of its own; floor: posts of the same bodies, as many at a time, nothing stored."""
    db.configure(await context.database())
    cipher.configure("bench", {"bench": bytes(range(32))})
    await db.start(2, 10)
    server = await asyncio.start_server(_receive, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    try:
        return await _measure(url)
    finally:
        server.close()
        await db.stop()


async def _measure(url: str) -> list[Figure]:
    webhook_sending.configure(webhook_sending.Policy())
    kept = await _happen([await _hook(f"source-{n}", url) for n in range(RECEIVERS)])
    began = time.perf_counter()
    sent = await webhook_sending.send_due(DISTRICT, lambda: NOW)
    ours = sent / (time.perf_counter() - began)
    if sent != CASES * STEPS:
        raise RuntimeError(f"{sent} of {CASES * STEPS} events were delivered")
    bare = await _bare(url)
    at_once = webhook_sending.AT_ONCE * RECEIVERS
    return [
        Figure(name="case events kept for stream and webhooks", value=kept, unit="/s"),
        Figure(
            name=f"webhook deliveries, {RECEIVERS} receivers, {CASES} cases of {STEPS} events in order",
            value=ours,
            unit="/s",
            floor=bare,
            floor_name=f"bare posts by httpx, {at_once} at a time",
        ),
    ]


async def _hook(source: str, url: str) -> str:
    async with db.transaction(DISTRICT):  # the source whose events are told
        await source_store.save(
            new_id(), Source(code=source, name=source, mapping=shipped()["110"].mapping, changed_by=system(DISTRICT).id)
        )
    made = await webhook_commands.make(NewWebhook(source=source, url=url), system(DISTRICT), NOW)
    return made.webhook.source


def _opened(case: UUID, source: str) -> CaseOpened:
    return CaseOpened(
        id=new_id(),
        at=NOW,
        actor=case,
        case=case,
        number="XS20261123-000001",
        item="H305",
        severity="routine",
        source=source,
        external_id="E-1",
        state="assigned",
        lead=None,
        area=DISTRICT,
        lon=None,
        lat=None,
        version=1,
    )


def _moved(case: UUID, source: str, version: int) -> CaseMoved:
    return CaseMoved(
        id=new_id(),
        at=NOW,
        actor=case,
        case=case,
        number="XS20261123-000001",
        command="recorded",
        before="handling",
        state="handling",
        version=version,
        item="H305",
        source=source,
        external_id="E-1",
        reporter=None,
        leg=None,
        organisation=None,
        parent=None,
        due_at=None,
    )


async def _happen(sources: list[str]) -> float:
    """Bring the events of all cases to the subscriber, one after the other; return how many a second."""
    began = time.perf_counter()
    for n in range(CASES):
        case, source = uuid4(), sources[n % len(sources)]
        for event in (_opened(case, source), *(_moved(case, source, step) for step in range(2, STEPS + 1))):
            async with db.transaction(DISTRICT):
                await stream_commands.on_case(event, NOW)
    return CASES * STEPS / (time.perf_counter() - began)


async def _bare(url: str) -> float:
    body = msgspec.json.encode(stream_events.cloud_event(stream_events.entry(_opened(uuid4(), "s")), DISTRICT))
    clients = [webhook_sending.client() for _ in range(RECEIVERS)]
    left = iter(range(CASES * STEPS))

    async def lane(client: httpx.AsyncClient) -> None:
        for _ in left:
            await client.post(url, content=body)

    began = time.perf_counter()
    await asyncio.gather(*(lane(client) for client in clients for _ in range(webhook_sending.AT_ONCE)))
    rate = CASES * STEPS / (time.perf_counter() - began)
    for client in clients:
        await client.aclose()
    return rate


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take request after request with a body of known length."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            writer.write(OK)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
