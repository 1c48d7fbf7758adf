"""Private durable services and real server processes for one measurement, removed afterwards."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
from msgspec import Struct

from app import running
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

    async def database(self, name: str | None = None) -> str:
        """Address of a new database with the empty district 330109; one with a name may be there already."""
        name = f"bench_{name or uuid4().hex[:12]}"
        connection = await asyncpg.connect(self.services.postgres.url("postgres"))
        if not await connection.fetchval("select count(*) from pg_database where datname = $1", name):
            await connection.execute(f"create database {name}")
        await connection.close()
        url = self.services.postgres.url(name)
        await runner.add_district(url, DISTRICT, "萧山区", datetime.now(UTC))
        return url

    @asynccontextmanager
    async def platform(
        self, *, demo: bool = False, worker: bool = True, name: str | None = None
    ) -> AsyncGenerator[Platform]:
        """Two server processes and a worker on a database of their own, with the demo district if asked for.

        With a name: on the one that an earlier measurement left, if there is one.
        """
        database_url = await self.database(name)
        home = self.services.home / (name or database_url.partition("bench_")[2][:12])
        loaded = home.exists()
        home.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        environment = os.environ | {
            "ZJW_HOME": str(home),
            "DATABASE_URL": database_url,
            "REDIS_URL": self.services.valkey.url(1),
            "ZJW_PORT": str(port),
            "ZJW_SERVER_PROCESSES": "2",
            "ZJW_LOG_LEVEL": "warning",
        }
        if demo and not loaded:
            loading = await _zjw(environment, "demo", "load", "--kind", "small")
            if await loading.wait():
                raise RuntimeError("the demo district could not be loaded")
        processes = [await _zjw(environment, topic) for topic in ("serve", *(("worker",) if worker else ()))]
        try:
            base_url = f"http://127.0.0.1:{port}"
            await asyncio.to_thread(
                running.wait_until_ready,
                base_url,
                lambda: all(process.returncode is None for process in processes),
                home / "log" / "none",
            )
            yield Platform(base_url, port, database_url, accounts.read(home))
        finally:
            for process in processes:
                if process.returncode is None:
                    process.terminate()
            await asyncio.gather(*(process.wait() for process in processes))


async def _zjw(environment: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "app", *words, env=environment, stdout=quiet)
