"""A server that is asked to stop answers what is in flight, takes nothing new, and says that all is well."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from app.kernel import db
from app.kernel.actor import Role
from app.listening import listen
from tests.tools import people

ROOT = Path(__file__).parent.parent.parent.parent


class Process:
    """`zjw serve`, as an operator or the supervisor starts it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.port = port

    async def refuses_connections(self) -> None:
        """Wait until nobody listens any more."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def server(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Process]:
    environment = {
        "PATH": os.environ["PATH"],
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }
    with listen("127.0.0.1", 0) as listener, (tmp_path / "log").open("ab") as log:
        port = listener.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "serve", "--fd", str(listener.fileno()),
            cwd=ROOT, env=environment, stdout=log, stderr=log, pass_fds=(listener.fileno(),),
        )  # fmt: skip
    found = Process(process, port)
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=found.base) as http:
            assert (await http.get("/healthz", timeout=30)).status_code == 200
        yield found
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_in_flight_is_answered_and_the_process_ends_well(
    committed: str, server: Process, asked: signal.Signals
) -> None:
    clerk = await people.sign_in(committed, Role.ADMINISTRATOR)
    async with httpx.AsyncClient(base_url=server.base, headers=clerk.headers, timeout=30) as http:
        order = {"source": "slow", "scopes": ["grid.read"]}
        async with db.transaction(committed):
            await db.execute("lock table api_key in access exclusive mode")
            answer = asyncio.create_task(http.post("/v1/keys", json=order, headers={"Idempotency-Key": "slow"}))
            while not await db.fetchval(
                "select count(*) from pg_locks where relation = 'api_key'::regclass and not granted"
            ):
                await asyncio.sleep(0.01)
            server.process.send_signal(asked)
            async with asyncio.timeout(10):
                await server.refuses_connections()
            assert not answer.done()
            assert server.process.returncode is None
        assert (await answer).status_code == 201
    async with asyncio.timeout(10):
        assert await server.process.wait() == 0
    async with db.transaction(committed):
        assert await db.fetchval("select count(*) from api_key where source = 'slow'") == 1


async def test_a_body_on_its_way_is_waited_for(committed: str, server: Process) -> None:
    clerk = await people.sign_in(committed, Role.ADMINISTRATOR)
    body = b'{"source": "slow body", "scopes": ["grid.read"]}'
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"POST /v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: {clerk.headers['Authorization']}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")  # the server reads the body
    writer.write(body[:10])
    server.process.terminate()
    async with asyncio.timeout(20):
        await server.refuses_connections()
        writer.write(body[10:])
        answer = await reader.read()
        assert b"HTTP/1.1 201" in answer
        assert await server.process.wait() == 0
    writer.close()
