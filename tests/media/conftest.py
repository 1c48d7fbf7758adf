"""A media store in a folder of the test, people, and the whole server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar

from app.kernel.actor import Role
from media import configuration
from media.configuration import Limits
from media.inspection import Bounds
from tests.tools import people
from tests.tools.people import Person

NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LIMITS = Limits(
    image_bytes=1_000_000, video_bytes=4_000_000, person_day_bytes=20_000_000, inspection=Bounds(seconds=10.0)
)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The store's folder, with small limits; what was configured before comes back afterwards."""
    before = configuration.current()
    configuration.configure((tmp_path / "media").as_uri(), bytes(32), LIMITS)
    yield tmp_path / "media"
    configuration.restore(before)


@pytest_asyncio.fixture
async def officer(committed: str) -> Person:
    """An officer of the district."""
    return await people.sign_in(committed, Role.OFFICER)


@pytest_asyncio.fixture
async def colleague(committed: str) -> Person:
    """Another one."""
    return await people.sign_in(committed, Role.OFFICER)


@pytest.fixture
def client(app: Litestar, root: Path, officer: Person) -> httpx.AsyncClient:
    """HTTP without a network, signed in as the officer."""
    headers = officer.headers | {"Tus-Resumable": "1.0.0"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)


@pytest_asyncio.fixture
async def address(app: Any, root: Path, committed: str) -> AsyncIterator[str]:
    """Address of a real server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False))
    listener.listen()  # connections wait until the server takes them
    serving = asyncio.create_task(server.serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving
