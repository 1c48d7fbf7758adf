"""Private durable services and real server processes for one measurement, removed afterwards."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
from msgspec import Struct

from app.demo import accounts
from app.demo.accounts import DemoFile
from app.embedded.services import Services
from migrations import runner

DISTRICT = "330109"


class Platform(Struct, frozen=True):
    """A running server (two processes) and worker; `demo` holds the accounts if the demo district was asked for."""

    base_url: str
    port: int
    database_url: str
    demo: DemoFile | None


class Context(Struct, frozen=True):
    """What a benchmark may start."""

    services: Services

    async def database(self) -> str:
        """Address of a new database with the empty district 330109."""
        name = f"bench_{uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.services.postgres.url("postgres"))
        await connection.execute(f"create database {name}")
        await connection.close()
        url = self.services.postgres.url(name)
        await runner.add_district(url, DISTRICT, "萧山区", datetime.now(UTC))
        return url

    @asynccontextmanager
    async def platform(self, *, demo: bool = False) -> AsyncGenerator[Platform]:
        """Server and worker on a database of their own, with the demo district if asked for."""
        database_url = await self.database()
        home = self.services.home / database_url.rpartition("bench_")[2][:12]
        home.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environment = os.environ | {
            "ZJW_HOME": str(home),
            "DATABASE_URL": database_url,
            "REDIS_URL": self.services.valkey.url(1),
            "ZJW_LOG_LEVEL": "warning",
        }
        await _zjw(environment, "run", "--detach", "--port", str(port), *(("--demo", "small") if demo else ()))
        try:
            yield Platform(f"http://127.0.0.1:{port}", port, database_url, accounts.read(home))
        finally:
            await _zjw(environment, "stop")


async def _zjw(environment: dict[str, str], *words: str) -> None:
    def call() -> None:
        done = subprocess.run(
            (sys.executable, "-m", "app", *words),
            env=environment,
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"zjw {' '.join(words)}: {done.stdout}{done.stderr}")

    await asyncio.to_thread(call)
