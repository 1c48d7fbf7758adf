"""The stream of case events: nothing is passed over, each row only to whom it is, followed over a real server."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar

from app.cli.serve import Server
from app.identity import commands as identity
from app.kernel import clock, db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from app.worker import delivery
from media import configuration as media_configuration
from tasks.cases import intake
from tasks.cases.report import Report, Reporter
from tasks.channels import stream_commands, stream_store
from tasks.channels.stream_commands import EventPage
from tasks.channels.stream_events import CaseEvent
from tests.tasks.cases import stage, town
from tests.tasks.channels import receivers as r
from tests.tasks.channels.receivers import CENTRE, NOW
from tests.tools import people

SSE = {"Accept": "text/event-stream"}


async def read(after: int = 0, actor: Actor = CENTRE, limit: int = 100) -> EventPage:
    return await stream_commands.page(actor, after, limit, NOW)


def ids(page: EventPage) -> list[str]:
    return [str(each.id) for each in page.events]


async def test_a_slow_transaction_is_not_passed_over(committed: str) -> None:
    slow, quick = r.opened(), r.opened()
    written, end = asyncio.Event(), asyncio.Event()

    async def subscriber_that_takes_long() -> None:
        async with db.transaction(committed):
            await stream_commands.on_case(slow, NOW)
            written.set()
            await end.wait()

    task = asyncio.create_task(subscriber_that_takes_long())
    await written.wait()
    await r.told(quick)
    first = await read()
    assert ids(first) == [str(quick.id)]
    end.set()
    await task
    assert ids(await read(first.after)) == [str(slow.id)]  # it comes behind what was read by then


async def test_the_events_of_a_case_stand_in_order_whatever_order_they_were_delivered_in(committed: str) -> None:
    case = uuid4()
    # the clocks of two servers differ: what came later says it was earlier
    events = [r.opened(case), r.moved(case, 2, at=NOW - timedelta(seconds=2)), r.closed(case, 2)]
    await r.happen(*events)
    await r.relay(events[2])
    assert ids(await read()) == [str(each.id) for each in events]
    await r.relay(*events)
    assert len((await read()).events) == 3
    sequences = [each.sequence for each in (await read()).events]
    assert sequences == sorted(sequences)


async def test_several_readers_at_once_give_each_event_one_position(committed: str) -> None:
    await r.told(*(r.opened() for _ in range(30)))
    pages = await asyncio.gather(*(read() for _ in range(4)))
    assert all(ids(page) == ids(pages[0]) for page in pages)
    assert {page.after for page in pages} == {30}


async def test_a_position_is_given_by_one_reader_at_a_time(committed: str) -> None:
    late = r.moved(uuid4(), 5)
    await r.told(late)
    async with db.transaction(committed):
        assert await stream_store.place() == 1
        other = asyncio.create_task(_told_and_read(r.opened()), context=Context())
        async with asyncio.timeout(5):
            while not await _others_wait():
                await asyncio.sleep(0.01)
    assert (await other).events[0].id == late.id  # what was given once stays


async def _told_and_read(event: CaseEvent) -> EventPage:
    await r.told(event)
    return await read()


async def _others_wait() -> bool:
    """Whether another session waits for a lock of this one."""
    blocked = "select exists (select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid)))"
    return await db.fetchval(blocked)


async def test_pages_go_on_where_the_last_one_ended(committed: str) -> None:
    await r.told(*(r.opened() for _ in range(5)))
    found, after = list[str](), 0
    while True:
        page = await read(after, limit=2)
        found += ids(page)
        after = page.after
        if not page.more:
            break
    assert len(found) == len(set(found)) == 5


async def test_whoever_comes_back_after_events_were_deleted_is_told(committed: str, http: httpx.AsyncClient) -> None:
    await r.told(r.opened())
    await read()
    await stream_commands.tidy(committed, NOW + stream_commands.KEPT + timedelta(days=1))
    person = await people.sign_in(committed, Role.DISTRICT_CENTRE)
    gap = await http.get("/v1/events", headers=person.headers)
    assert (gap.status_code, gap.json()["type"], gap.json()["kept_from"]) == (410, "/problems/stream-gap", 1)
    whole = await http.get("/v1/events?after=1", headers=person.headers)
    assert (whole.status_code, whole.json()) == (200, {"events": [], "after": 1, "more": False})


@pytest_asyncio.fixture
async def place(committed: str, tmp_path: Path) -> str:
    """The town, committed."""
    media_configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    await town.commit(committed)
    return committed


async def a_case(source: str = "citizen", lead: Any = stage.TOWN_CENTRE) -> str:
    """A case opened by the router, its events brought to the stream."""
    report = Report(
        source=source, item="H008", description="楼下夜里放音乐（演示）", place=town.INSIDE, lead=lead,
        reporter=Reporter(id=stage.CITIZEN.id, name="演示张某", phone="13800001234"),
    )  # fmt: skip
    async with db.transaction(stage.DISTRICT):
        case = await intake.open(report, stage.CITIZEN, NOW)
        rows = await db.fetch("select event_id from outbox")
    for row in rows:
        await delivery.deliver(stage.DISTRICT, row["event_id"], lambda: NOW)
    return str(case.id)


async def test_each_row_only_to_whoever_may_see_the_case(place: str) -> None:
    case = await a_case()
    seen = {name: {each.subject for each in (await read(actor=actor)).events} for name, actor in {
        "centre": stage.CENTRE_CLERK, "town": stage.TOWN_CLERK, "other town": stage.OTHER_TOWN_CLERK,
        "other department": stage.MARKET_CLERK, "station of the place": stage.STATION_CLERK,
    }.items()}  # fmt: skip
    assert seen == {
        "centre": {case}, "town": {case}, "other town": set(), "other department": set(),
        "station of the place": {case},
    }  # fmt: skip


async def test_a_machine_reads_the_events_of_its_own_source_and_only_with_the_scope(
    committed: str, http: httpx.AsyncClient
) -> None:
    await r.told(r.opened(source=r.SOURCE), r.opened(source="110"))
    for source, scopes, expected in (
        (r.SOURCE, ["case.stream"], 1),
        ("fire", ["case.stream"], 0),
        (r.SOURCE, [], None),
    ):
        key = await identity.create_key(committed, source, scopes, NOW)
        answer = await http.get("/v1/events", headers={"X-Api-Key": key.key})
        if expected is None:
            assert answer.status_code == 403
        else:
            assert [each["data"]["source"] for each in answer.json()["events"]] == [source] * expected


# --- server-sent events ----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def server(app: Litestar) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """The whole application over real HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=20))
    task = asyncio.create_task(made.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", made
    made.should_exit = True
    await task


class Stream:
    """An open stream: the blocks it gets, one by one."""

    def __init__(self, response: httpx.Response) -> None:
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


@asynccontextmanager
async def following(url: str, query: str = "", **headers: str) -> AsyncGenerator[Stream]:
    async with (
        httpx.AsyncClient(timeout=20) as client,
        client.stream("GET", f"{url}/v1/cases/events{query}", headers=SSE | headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        stream = Stream(response)
        assert await stream.block() == ["retry: 3000"]
        yield stream


async def test_a_reader_follows_from_now_on_and_goes_on_after_the_last_event_it_had(
    committed: str, server: tuple[str, uvicorn.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_commands, "POLL_SECONDS", 0.02)
    url, _ = server
    person = await people.sign_in(committed, Role.DISTRICT_CENTRE)
    key = (await identity.create_key(committed, r.SOURCE, ["case.stream"], clock.now())).key
    await r.told(r.opened())
    async with following(url, **{"X-Api-Key": key}) as stream:
        events = [r.opened(source="110"), r.opened(), r.opened()]
        await r.told(*events[:2])
        got = await stream.block()
        assert (got[0], got[1]) == ("id: 3", "event: case")
        assert json.loads(got[2].removeprefix("data: "))["id"] == str(events[1].id)
    await r.told(events[2])
    async with following(url, **{"X-Api-Key": key, "Last-Event-ID": "3"}) as stream:
        assert json.loads((await stream.block())[2].removeprefix("data: "))["id"] == str(events[2].id)
    everything = set[str]()
    async with following(url, "?after=0", **{"X-Api-Key": key}) as stream:
        everything = {(await stream.block())[0] for _ in range(3)}
    assert everything == {"id: 1", "id: 3", "id: 4"}
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/v1/cases/events", headers=person.headers)).status_code == 406


async def test_a_heartbeat_says_how_far_the_reader_is_and_the_stream_ends_with_the_key(
    committed: str, server: tuple[str, uvicorn.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_commands, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(stream_commands, "HEARTBEAT_SECONDS", 0.05)
    url, _ = server
    key = await identity.create_key(committed, r.SOURCE, ["case.stream"], clock.now())
    async with following(url, **{"X-Api-Key": key.key}) as stream:
        await r.told(r.opened(source="110"))  # not for this reader
        async with asyncio.timeout(5):
            while (await stream.block()) != [": heartbeat", "id: 1"]:
                pass
        await identity.revoke_key(committed, key.id, clock.now())
        async with asyncio.timeout(5):
            while await stream.block():
                pass


async def test_a_stop_of_the_server_ends_the_streams(committed: str, server: tuple[str, uvicorn.Server]) -> None:
    url, running = server
    person = await people.sign_in(committed, Role.DISTRICT_CENTRE, new_id())
    async with following(url, **person.headers) as stream:
        running.should_exit = True
        assert await stream.block() == []
