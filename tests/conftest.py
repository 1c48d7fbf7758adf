"""Real PostgreSQL and Valkey for every test: started once, a migrated template, a clone of it for each process.

The services live in `ZJW_TEST_HOME` (default `.local/test`) and stay up between runs; `make test` gives them a folder
of its own and removes it. Use one of:

- `district`: inside a transaction of district 330109 that is rolled back afterwards (fast; the default choice);
- `committed`: real commits; every table that was filled is emptied afterwards;
- `redis`: an empty Valkey database of this process.
"""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
import pytest_asyncio
from litestar import Litestar
from redis.asyncio import Redis

from app.embedded.services import Services
from app.identity import cipher
from app.identity import commands as identity
from app.kernel import db
from app.server import create_app
from app.settings import Settings
from tests.tools import databases, people

hypothesis.settings.register_profile(
    "zjw",
    deadline=None,
    # How fast a machine is says nothing about the code.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    # On the build machine the same examples every time: a red build can be repeated.
    derandomize=os.environ.get("CI") == "true",
)
hypothesis.settings.load_profile("zjw")

DISTRICT = "330109"
NEIGHBOUR = "330110"


@pytest.fixture(scope="session")
def services() -> Services:
    """Database and queue server of the tests, running."""
    home = Path(os.environ.get("ZJW_TEST_HOME") or Path(__file__).parent.parent / ".local" / "test")
    services = Services.at(home, durable=False)
    services.start()
    return services


@pytest.fixture(scope="session")
def database_url(services: Services) -> Iterator[str]:
    """Address of this process's own database: migrated, with the empty districts 330109 and 330110."""
    with databases.clone(services, (DISTRICT, NEIGHBOUR)) as url:
        yield databases.as_application(url)


@pytest.fixture(scope="session")
def redis_url(services: Services) -> Iterator[str]:
    """Address of a Valkey database that no other test process uses."""
    with databases.queue_number(services) as number:
        yield services.valkey.url(number)


@pytest_asyncio.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[str]:
    """The kernel's engine with its pool started on `database_url`."""
    db.configure(database_url)
    cipher.configure("test", {"test": people.CIPHER_KEY})
    identity.configure(people.SIGNING_KEY)
    await db.start(1, 12)
    yield database_url
    await db.stop()


class _RollBack(Exception):
    pass


@pytest_asyncio.fixture
async def district(database: str) -> AsyncIterator[str]:
    """Inside `db.transaction("330109")`; whatever the test did is rolled back. Gives the district's code."""
    try:
        async with db.transaction(DISTRICT):
            yield DISTRICT
            raise _RollBack
    except _RollBack:
        pass


@pytest_asyncio.fixture
async def committed(database: str) -> AsyncIterator[str]:
    """No transaction around the test: commits are real, all filled tables emptied afterwards. Gives the district."""
    yield DISTRICT
    await databases.empty(database)


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of an empty Valkey database."""
    client = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest_asyncio.fixture(scope="session")
async def app(database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Litestar]:
    """The whole application on this process's database and queue; its lifespan is held by a task of its own."""
    application = create_app(
        Settings(
            database_url=database,
            redis_url=redis_url,
            media_url=tmp_path_factory.mktemp("media").as_uri(),
            jwt_key=base64.b64encode(people.SIGNING_KEY).decode(),
            cipher_keys=("test:" + base64.b64encode(people.CIPHER_KEY).decode(),),
            mini_program_url="http://127.0.0.1:9",  # nothing listens there: no test asks the internet
        )
    )
    started, ended = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with application.lifespan():
            started.set()
            await ended.wait()

    task = asyncio.create_task(live())
    await asyncio.wait({task, asyncio.ensure_future(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
    yield application
    ended.set()
    await task


@pytest_asyncio.fixture
async def http(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, in the test's own task: with `district` its changes are rolled back too."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
