"""A real receiver of webhooks on this machine, and events of cases brought to it as server and worker do."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from app.kernel import db, outbox
from app.kernel.ids import new_id
from app.worker import delivery
from tasks.cases.events import CaseClosed, CaseMoved, CaseOpened
from tasks.channels import webhook_commands, webhook_sending
from tasks.channels.stream_events import CaseEvent
from tasks.channels.webhooks import Kind, MadeWebhook, NewWebhook
from tests.tasks.cases import stage

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SOURCE = "minhuwoying"
CENTRE = stage.CENTRE_CLERK
Answer = tuple[int, dict[str, str]]


class Got:
    """A request that came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.event: dict[str, Any] = json.loads(body)

    @property
    def case(self) -> str:
        return self.event["subject"]

    @property
    def version(self) -> int:
        return self.event["data"]["version"]


class Receiver:
    """Keeps what comes and answers as `answer` says; paths in `hanging` get no answer until `gate` opens."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[Got] = []
        self.answer: Callable[[Got], Answer] = lambda _: (200, {})
        self.hanging: set[str] = set()
        self.gate = asyncio.Event()
        self.under_way = 0
        self.most_under_way = 0
        self.came = asyncio.Event()

    def said(self, status: int, **headers: str) -> None:
        """Answer everything with this status from now on."""
        self.answer = lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def at(self, path: str) -> list[Got]:
        """What came to one path."""
        return [each for each in self.got if each.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: request after request (RFC 9112, as far as our client needs it)."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                got = Got(head[0].split()[1], headers, await reader.readexactly(int(headers["content-length"])))
                await self._take(got, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _take(self, got: Got, writer: asyncio.StreamWriter) -> None:
        self.got.append(got)
        self.came.set()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(0)  # others come meanwhile
            if got.path in self.hanging:
                await self.gate.wait()
            status, headers = self.answer(got)
        finally:
            self.under_way -= 1
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
        await writer.drain()


def opened(case: UUID | None = None, version: int = 1, source: str = SOURCE, at: datetime = NOW) -> CaseOpened:
    """A case came in."""
    return CaseOpened(
        id=new_id(), at=at, actor=CENTRE.id, case=case or uuid4(), number="XS20261123-000001", item="H305",
        severity="routine", source=source, external_id="E-1", state="assigned", lead=stage.TOWN_CENTRE,
        area=stage.VILLAGE, lon=120.265, lat=30.185, version=version,
    )  # fmt: skip


def moved(case: UUID, version: int, source: str = SOURCE, at: datetime = NOW) -> CaseMoved:
    """A command had its effect."""
    return CaseMoved(
        id=new_id(), at=at, actor=CENTRE.id, case=case, number="XS20261123-000001", command="recorded",
        before="handling", state="handling", version=version, item="H305", source=source, external_id="E-1",
        reporter=stage.CITIZEN.id, leg=None, organisation=stage.TOWN_CENTRE, parent=None, due_at=None,
    )  # fmt: skip


def closed(case: UUID, version: int, source: str = SOURCE, at: datetime = NOW) -> CaseClosed:
    """A case was closed."""
    return CaseClosed(
        id=new_id(), at=at, actor=CENTRE.id, case=case, number="XS20261123-000001", item="H305", source=source,
        external_id="E-1", outcome="solved", rating=5, version=version,
    )  # fmt: skip


async def happen(*events: CaseEvent) -> None:
    """Write events into the outbox, in transactions of their own, as the router does."""
    for event in events:
        async with db.transaction(stage.DISTRICT):
            await outbox.emit(event)


async def relay(*events: CaseEvent, now: datetime = NOW) -> None:
    """Have the worker deliver these events, in this order."""
    for event in events:
        await delivery.deliver(stage.DISTRICT, event.id, lambda: now)


async def told(*events: CaseEvent, now: datetime = NOW) -> None:
    """Events that happened and reached their subscribers."""
    await happen(*events)
    await relay(*events, now=now)


async def hook(url: str, source: str = SOURCE, events: tuple[Kind, ...] = ("opened", "moved", "closed")) -> MadeWebhook:
    """A webhook of a source."""
    return await webhook_commands.make(NewWebhook(source=source, url=url, events=events), CENTRE, NOW)


async def send(now: datetime = NOW) -> int:
    """Send all that is due at an instant."""
    return await webhook_sending.send_due(stage.DISTRICT, lambda: now)


async def rows(*columns: str) -> list[tuple[Any, ...]]:
    """All deliveries, in the order of their cases' steps."""
    async with db.transaction(stage.DISTRICT):
        found = await db.fetch(f"select {', '.join(columns)} from webhook_delivery order by step, event_id")
    return [tuple(row) for row in found]
