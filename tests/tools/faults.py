"""Series of kill −9 against real processes, with a fixed seed; the suite runs short ones, `make soak` long ones."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx

from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey
from app.kernel import db
from tests.tools import bells

ROOT = Path(__file__).parent.parent.parent


class Phoenix:
    """A process that rises again each time it is killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = 0
        self.port = 0

    async def risen(self) -> None:
        """Wait for the next birth."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        assert line, "the process did not start"
        self.pid, self.port = map(int, line.split())

    def kill(self) -> None:
        """kill −9."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def phoenix(role: str, environment: dict[str, str], log: Path) -> AsyncIterator[Phoenix]:
    """A worker or a server that lives as long as the block, however often it is killed."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.tools.phoenix", role,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=output,
        )  # fmt: skip
    found = Phoenix(process)
    try:
        await found.risen()
        yield found
    finally:
        process.kill()  # what it forked dies with it
        await process.wait()


def kill_database(database: Postgres) -> None:
    """kill −9 the database server, and wait until it is gone."""
    os.kill(int((database.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    while database.running():
        pass


def kill_queue(queue: Valkey) -> None:
    """kill −9 the queue server and start it again, empty."""
    os.kill(int((queue.folder / "valkey.pid").read_text()), signal.SIGKILL)
    while queue.running():
        pass
    queue.start()


async def until_done(district: str, seconds: float) -> None:
    """Wait until every event was dealt with."""
    async with asyncio.timeout(seconds):
        while await bells.waiting(district):
            await asyncio.sleep(0.05)


async def kill_workers(
    district: str, environment: dict[str, str], queue: Valkey, log: Path, *, seed: int, kills: int
) -> list[UUID]:
    """Emit events while worker and queue are killed at random points; return the acknowledged ones, all dealt with."""
    chance = random.Random(seed)
    acknowledged: list[UUID] = []
    async with phoenix("worker", environment, log) as worker:
        for n in range(kills):
            for _ in range(chance.randint(1, 4)):
                acknowledged += await bells.emit(district, chance.randint(1, 15))
                await asyncio.sleep(chance.uniform(0, 0.15))
            if n % 4 == 3:
                await asyncio.to_thread(kill_queue, queue)
            else:
                await asyncio.sleep(chance.uniform(0, 0.4))
                worker.kill()
                await worker.risen()
        acknowledged += await bells.emit(district, 5)
        await until_done(district, 60)
    return acknowledged


class Order:
    """One POST a client wants done once: sent again under its key until it is answered."""

    def __init__(self, number: int, path: str, body: dict[str, object]) -> None:
        self.number = number
        self.path = path
        self.body = body
        self.key = uuid4().hex
        self.sent = 0
        self.answers: list[httpx.Response] = []
        self.refusals: list[httpx.Response] = []

    async def place(self, client: httpx.AsyncClient) -> None:
        """Send until there is an answer that settles it, then once more, as a client that lost the answer would."""
        while len(self.answers) < 2:
            self.sent += 1
            try:
                answer = await client.post(self.path, json=self.body, headers={"Idempotency-Key": self.key})
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 429:
                await asyncio.sleep(int(answer.headers["Retry-After"]))
            elif answer.status_code < 500:
                self.answers.append(answer)
            else:
                self.refusals.append(answer)
                await asyncio.sleep(0.05)


async def kill_servers(
    environment: dict[str, str], headers: dict[str, str], log: Path, orders: list[Order], *, seed: int, kills: int
) -> None:
    """Place all orders by eight clients while the server is killed at random points."""
    chance = random.Random(seed)
    waiting = list(reversed(orders))
    async with phoenix("server", environment, log) as server:
        base = f"http://127.0.0.1:{server.port}"

        async def client() -> None:
            async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10) as http:
                while waiting:
                    await waiting.pop().place(http)

        clients = [asyncio.create_task(client()) for _ in range(8)]
        # By progress and not by time: on any machine the server is killed with eight orders under way.
        for left in sorted(chance.sample(range(len(orders) // 10, len(orders) * 9 // 10), kills), reverse=True):
            while len(waiting) > left and not all(client.done() for client in clients):
                await asyncio.sleep(0.002)
            server.kill()
            await server.risen()
        async with asyncio.timeout(60):
            await asyncio.gather(*clients)


async def rows_by_source(district: str) -> dict[str, list[str]]:
    """The keys made by the orders: source → ids."""
    found: dict[str, list[str]] = {}
    async with db.transaction(district):
        for row in await db.fetch("select source, id from api_key"):
            found.setdefault(row["source"], []).append(str(row["id"]))
    return found


async def kill_databases(
    database: Postgres, base: str, headers: dict[str, str], orders: list[Order], *, seed: int, kills: int
) -> list[tuple[int, int]]:
    """Place all orders by eight clients while the database is killed and started again; gives what `/readyz` said.

    Each time: first without a database, then when the server found it again by itself.
    """
    chance = random.Random(seed)
    waiting = list(reversed(orders))
    said: list[tuple[int, int]] = []

    async def client() -> None:
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as http:
            while waiting:
                await waiting.pop().place(http)

    clients = [asyncio.create_task(client()) for _ in range(8)]
    async with httpx.AsyncClient(base_url=base, timeout=30) as http, asyncio.timeout(60):
        for left in sorted(chance.sample(range(len(orders) // 10, len(orders) * 9 // 10), kills), reverse=True):
            while len(waiting) > left and not all(client.done() for client in clients):
                await asyncio.sleep(0.002)
            await asyncio.to_thread(kill_database, database)
            without = (await http.get("/readyz")).status_code
            await asyncio.to_thread(database.start)
            while (found := await http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.05)
            said.append((without, found.status_code))
        await asyncio.gather(*clients)
    return said
