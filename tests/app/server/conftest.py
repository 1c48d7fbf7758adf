"""The whole application with a few routes more, whose effects can be counted and whose faults can be provoked."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Struct

from app import wiring
from app.kernel import clock, db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import NotFound
from app.server import create_app
from app.settings import Settings
from tests.tools import people

SIGNED_IN: dict[str, Any] = {"signed_in": True}
MARK = (
    "insert into fact (fact_id, version, kind, occurred_at, recorded_at, attributes)"
    " values ($1, 1, 'mark', $2, $2, '{}')"
)


class Mark(Struct, frozen=True):
    """What to do: leave a mark, and perhaps fail afterwards."""

    fail: str = ""


class Marked(Struct, frozen=True):
    """The mark that was left."""

    id: UUID


class Faults:
    """What the probe routes do next."""

    crash = False


async def _break_connection() -> None:
    """End the session of the transaction the handler is in, and wait until the client has noticed."""
    connection = db.current().connection
    gone = asyncio.Event()

    def notice(_: object) -> None:
        gone.set()

    connection.add_termination_listener(notice)
    other = await db.DB.get_new_connection()
    try:
        await other.execute("set role none")
        await other.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    finally:
        await other.close()
    await gone.wait()


@post("/test/marks", opt=SIGNED_IN, tags=["test"])
async def mark(data: JSONBody[Mark], actor: NamedDependency[Actor]) -> Marked:
    """Leave a mark."""
    made = new_id()
    async with db.transaction(actor.district):
        await db.execute(MARK, str(made), clock.now())
    if data.fail == "crash" and Faults.crash:
        raise RuntimeError("secret inner words")
    if data.fail == "absent":
        raise NotFound
    if data.fail == "break" and Faults.crash:
        await _break_connection()
    return Marked(made)


@get("/test/crash", opt={"public": True}, tags=["test"])
async def crash() -> None:
    """Fail."""
    raise RuntimeError("secret inner words")


@get("/test/database", opt={"public": True}, tags=["test"])
async def database_away() -> None:
    """Fail as when the database restarts."""
    raise ConnectionRefusedError("postgres://user:password@host")


@get("/test/long", opt={"public": True}, tags=["test"])
async def long_answer() -> list[str]:
    """Say much."""
    return ["网格"] * 5000


async def marks(district: str) -> int:
    """How many marks were left."""
    async with db.transaction(district):
        return await db.fetchval("select count(*) from fact where kind = 'mark'")


@pytest.fixture(scope="session")
def probe_app(database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The application with the routes above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "ROUTES", [*wiring.ROUTES, mark, crash, database_away, long_answer])
        return create_app(
            Settings(
                database_url=database,
                redis_url=redis_url,
                media_url=tmp_path_factory.mktemp("media").as_uri(),
                jwt_key=base64.b64encode(people.SIGNING_KEY).decode(),
                cipher_keys=("test:" + base64.b64encode(people.CIPHER_KEY).decode(),),
            )
        )


@pytest_asyncio.fixture
async def probe(probe_app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; its faults are off and its rate limits fresh."""
    Faults.crash = False
    async with httpx.AsyncClient(transport=httpx.ASGITransport(probe_app), base_url="http://test") as client:
        yield client
