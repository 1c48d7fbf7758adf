"""Open pages over a real server: a notice arrives after its commit, heartbeats, ends, and nobody else's."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar

from app.cli.serve import Server
from app.identity import commands as identity
from app.identity import identification
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.notices import api, live, streams
from tests.app.notices.cases import opened, tell
from tests.tasks.cases import stage
from tests.tools import people
from tests.tools.databases import become_owner
from tests.tools.people import Person

EVENTS = {"Accept": "text/event-stream"}


@pytest_asyncio.fixture
async def server(app: Litestar) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """The whole application over real HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=20))
    task = asyncio.create_task(made.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", made
    made.should_exit = True
    await task


class Page:
    """An open page: the blocks it gets, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> list[str]:
        """The next block of lines; empty when the stream has ended."""
        lines: list[str] = []
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line:
                    return lines
                lines.append(line)
        return lines

    async def notice(self) -> dict[str, Any]:
        """The next notice, whatever heartbeats come before it."""
        while True:
            lines = await self.block()
            assert lines, "the stream has ended"
            if lines[0].startswith("id: "):
                assert lines[1] == "event: notice"
                return json.loads(lines[2].removeprefix("data: "))


@asynccontextmanager
async def page(url: str, who: Person, **headers: str) -> AsyncGenerator[Page]:
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", f"{url}/v1/notices/stream", headers=who.headers | EVENTS | headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        opened_page = Page(response)
        assert await opened_page.block() == ["retry: 3000"]
        yield opened_page


async def clerk_of(organisation: Any, area: str) -> Person:
    return await people.sign_in(stage.DISTRICT, Role.TOWN_CENTRE, organisation, area)


async def test_a_page_gets_its_notices_once_each_and_nobody_elses(
    real_place: str, server: tuple[str, uvicorn.Server]
) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    other = await clerk_of(stage.OTHER_TOWN, "330109004")
    async with page(server[0], mine) as here, page(server[0], other) as there:
        cases = []
        for _ in range(2):
            cases.append(await opened(clock.now()))
            await tell(clock.now(), times=2)
        assert [(await here.notice())["number"] for _ in cases] == [case.number for case in cases]
        theirs = await opened(clock.now(), lead=stage.OTHER_TOWN)
        await tell(clock.now())
        assert (await there.notice())["number"] == theirs.number
        assert here.response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in here.response.headers
        watch = streams.watches[stage.DISTRICT]
        assert [stream.waiting.qsize() for stream in watch.streams] == [0, 0]


async def test_a_notice_is_not_shown_before_its_commit_but_then_even_if_younger_ones_were(
    real_place: str, server: tuple[str, uvicorn.Server]
) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    slow, done = new_id(), asyncio.Event()
    written = asyncio.Event()
    at = clock.now()

    async def write_slowly() -> None:
        async with db.transaction(stage.DISTRICT):
            await db.execute(
                "insert into notice (id, recipient, kind, about, step, number, zh, en, critical, made_at)"
                " values ($1, $2, 'assigned', $1, 's', 'SLOW', '', '', false, $3)",
                slow,
                stage.TOWN_CENTRE,
                at,
            )
            written.set()
            await done.wait()

    async with page(server[0], mine) as here:
        writing = asyncio.create_task(write_slowly())
        await written.wait()
        quick = await opened(clock.now())
        await tell(clock.now())
        assert (await here.notice())["number"] == quick.number
        done.set()
        await writing
        assert (await here.notice())["number"] == "SLOW"


async def test_a_page_that_opens_again_gets_what_it_missed(real_place: str, server: tuple[str, uvicorn.Server]) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    await opened(clock.now())
    await tell(clock.now())
    async with db.transaction(stage.DISTRICT):
        last = await db.fetchval("select id from notice")
    missed = await opened(clock.now())
    await tell(clock.now())
    async with page(server[0], mine, **{"Last-Event-ID": str(last)}) as here:
        assert (await here.notice())["number"] == missed.number
        after = await opened(clock.now())
        await tell(clock.now())
        assert (await here.notice())["number"] == after.number


async def test_heartbeats_come_while_nothing_happens_until_the_session_ends(
    real_place: str, server: tuple[str, uvicorn.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    async with page(server[0], mine) as here:
        assert [await here.block() for _ in range(3)] == [[": heartbeat"]] * 3
        await identity.logout_everywhere(mine.actor, clock.now())
        while lines := await here.block():
            assert lines == [": heartbeat"]
    identification.forget_all()


async def test_all_pages_of_a_process_share_one_loop_that_ends_with_the_last(
    real_place: str, server: tuple[str, uvicorn.Server]
) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    listening = (
        "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%zjw_notices%'"
    )
    async with page(server[0], mine) as one, page(server[0], mine) as two:
        case = await opened(clock.now())
        await tell(clock.now())
        assert [(await each.notice())["number"] for each in (one, two)] == [case.number] * 2
        async with db.transaction(stage.DISTRICT):
            await become_owner()  # who sees what other sessions do
            assert await db.fetchval(listening) == 1
    while streams.watches:
        await asyncio.sleep(0.01)


async def test_a_stopping_server_ends_its_pages_at_once(real_place: str, server: tuple[str, uvicorn.Server]) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    async with page(server[0], mine) as here:
        server[1].should_exit = True
        assert await here.block() == []


async def test_who_asks_for_something_else_than_events_gets_406(
    real_place: str, server: tuple[str, uvicorn.Server]
) -> None:
    mine = await clerk_of(stage.TOWN_CENTRE, stage.TOWN)
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server[0]}/v1/notices/stream", headers=mine.headers)
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")


async def test_a_connection_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PATIENCE_SECONDS", 0.05)
    ended = False

    async def events() -> AsyncGenerator[bytes]:
        nonlocal ended
        try:
            while True:
                yield b": heartbeat\n\n"
        finally:
            ended = True

    async def never(*_: object) -> Any:
        await asyncio.Event().wait()

    running = events()
    async with asyncio.timeout(5):
        await api.Events(iterator=running).send_body(never, never)
    await running.aclose()
    assert ended
