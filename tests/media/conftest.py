"""A media store in a folder of the test, people, and the media routes behind the real server's layers."""

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
from litestar import Litestar, Router
from litestar.di import Provide

from app.kernel import clock
from app.kernel.actor import Role
from app.server import authentication, errors
from app.server.envelope import Envelope
from media import api, configuration
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
    """The store's folder."""
    configuration.configure((tmp_path / "media").as_uri(), bytes(32), LIMITS)
    yield tmp_path / "media"
    configuration.configure((tmp_path / "gone").as_uri(), bytes(32))


@pytest_asyncio.fixture
async def officer(committed: str) -> Person:
    """An officer of the district."""
    return await people.sign_in(committed, Role.OFFICER)


@pytest_asyncio.fixture
async def colleague(committed: str) -> Person:
    """Another one."""
    return await people.sign_in(committed, Role.OFFICER)


def make_app() -> Litestar:
    """The media routes as the server mounts them."""
    return Litestar(
        [Router("/v1", route_handlers=api.routes, middleware=[authentication.Authentication(clock.now, "330109")])],
        middleware=[Envelope()],
        dependencies={
            "actor": Provide(authentication.provide_actor, sync_to_thread=False),
            "now": Provide(authentication.provide_now, sync_to_thread=False),
        },
        exception_handlers=errors.handlers,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=2 * 1024 * 1024,
    )


@pytest.fixture
def client(root: Path, officer: Person) -> httpx.AsyncClient:
    """HTTP without a network, signed in as the officer."""
    headers = officer.headers | {"Tus-Resumable": "1.0.0"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_app()), base_url="http://test", headers=headers)


@pytest_asyncio.fixture
async def address(root: Path, committed: str) -> AsyncIterator[str]:
    """Address of a real server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app: Any = make_app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False))
    listener.listen()  # connections wait until the server takes them
    serving = asyncio.create_task(server.serve([listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving
