"""Real receivers of webhooks."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tasks.channels import webhook_sending
from tasks.channels.webhook_sending import Policy
from tests.tasks.channels.receivers import Receiver


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver over real HTTP; its connections end with the test."""
    made = Receiver()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await made.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    made.gate.set()
    server.close()
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


@pytest.fixture(autouse=True)
def plain_policy() -> Iterator[None]:
    """Receivers on this machine, as the settings of the tests have them."""
    webhook_sending.configure(Policy())
    yield
    webhook_sending.configure(Policy())
