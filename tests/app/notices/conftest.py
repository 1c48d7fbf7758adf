"""The made-up town with its cases, and real receivers of messages on this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar, Request, Response, post
from litestar.params import FromPath

from app.notices import adapters, configuration
from app.notices.configuration import Outlets
from media import configuration as media_configuration
from tests.tasks.cases import town


class Receiver:
    """Answers every post as it is told to and keeps what came; `gate` holds answers back."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.answer: dict[str, Any] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    def app(self) -> Litestar:
        """The receiver as an application."""

        @post("/{path:path}", status_code=200)
        async def take(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[Any]:
            """Take whatever comes."""
            self.got.append((path, dict(request.headers), await request.body()))
            await self.gate.wait()
            if path == "/cgi-bin/stable_token":
                return Response({"access_token": "demo-token", "expires_in": 7200}, status_code=self.status)
            return Response(self.answer, status_code=self.status)

        return Litestar([take], openapi_config=None)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver over real HTTP."""
    made = Receiver()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(made.app(), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield made
    made.gate.set()
    server.should_exit = True
    await task


@pytest.fixture(autouse=True)
def all_off() -> Iterator[None]:
    """Every channel is off before and after a test."""
    configuration.configure(Outlets())
    yield
    configuration.configure(Outlets())
    adapters._tokens.clear()


@pytest_asyncio.fixture
async def place(district: str, tmp_path: Path) -> str:
    """The town, in a transaction that is rolled back. Gives the district's code."""
    media_configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    await town.build()
    return district


@pytest_asyncio.fixture
async def real_place(committed: str, tmp_path: Path) -> str:
    """The town, committed; everything is emptied afterwards. Gives the district's code."""
    media_configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    await town.commit(committed)
    return committed
