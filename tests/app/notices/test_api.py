"""The inbox over HTTP: pages by links, reading, what is not yours, phones, and following a request."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
import uvicorn

from app.demo import mini_program
from app.identity import cipher
from app.kernel import db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.notices import configuration
from app.notices.configuration import Outlets
from tasks.cases.intake import Reporter
from tests.app.notices.cases import NOW, opened, tell
from tests.tasks.cases import stage
from tests.tools import people


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[None]:
    """The mini-program platform's stand-in, over real HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(mini_program.create_app(), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    configuration.configure(Outlets(sign_in_url=f"http://127.0.0.1:{listener.getsockname()[1]}"))
    yield
    server.should_exit = True
    await task


async def test_pages_follow_their_links_unread_first(place: str, http: httpx.AsyncClient) -> None:
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    made = [(await opened(NOW + timedelta(hours=n))).number for n in range(5)]
    await tell()
    first = (await http.get("/v1/notices", headers=clerk.headers)).json()
    await http.post(f"/v1/notices/{first[0]['id']}/read", headers=clerk.headers)
    seen: list[str] = []
    path = "/v1/notices?limit=2"
    while path:
        answer = await http.get(path, headers=clerk.headers)
        seen += [each["number"] for each in answer.json()]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert seen == [made[3], made[2], made[1], made[0], made[4]]


async def test_somebody_elses_notice_looks_like_none(place: str, http: httpx.AsyncClient) -> None:
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    stranger = await people.sign_in(place, Role.DEPARTMENT, stage.TRANSPORT)
    await opened()
    await tell()
    [notice] = (await http.get("/v1/notices", headers=clerk.headers)).json()
    foreign, absent = [
        await http.post(f"/v1/notices/{each}/read", headers=stranger.headers) for each in (notice["id"], new_id())
    ]
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json()["type"] == absent.json()["type"] == "/problems/notice-not-found"
    assert (await http.get("/v1/notices", headers=stranger.headers)).json() == []
    read = await http.post(f"/v1/notices/{notice['id']}/read", headers=clerk.headers)
    assert read.json()["read_at"] is not None


@pytest.mark.parametrize(
    ("phone", "desk", "status"),
    [
        ("13800005678", None, 204),
        ("13800005678", str(stage.TOWN_CENTRE), 204),
        (None, None, 204),
        ("13800005678", str(stage.TRANSPORT), 422),
        ("138", None, 422),
        ("<script>", None, 422),
    ],
)
async def test_a_phone_is_ones_own_or_of_a_desk_of_ones_own(
    place: str, http: httpx.AsyncClient, phone: str | None, desk: str | None, status: int
) -> None:
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    answer = await http.put("/v1/notices/phone", json={"phone": phone, "desk": desk}, headers=clerk.headers)
    assert answer.status_code == status, answer.text


async def test_a_citizen_follows_and_unfollows_a_request_of_theirs(
    place: str, platform: None, http: httpx.AsyncClient
) -> None:
    wang, li = await people.sign_in_citizen(place), await people.sign_in_citizen(place)
    case = await opened(reporter=Reporter(id=wang.actor.id))
    consent = {"case": str(case.id), "code": "demo-wang-1"}
    foreign = await http.post("/v1/notices/follows", json=consent, headers=li.headers)
    assert (foreign.status_code, foreign.json()["type"]) == (404, "/problems/case-not-found")
    assert (await http.post("/v1/notices/follows", json=consent, headers=wang.headers)).status_code == 204
    used = await http.post("/v1/notices/follows", json=consent, headers=wang.headers)
    assert used.json()["type"] == "/problems/mini-program-code-refused"
    [kept] = await db.fetch("select recipient, about, address from notice_address")
    assert (kept["recipient"], kept["about"]) == (wang.actor.id, case.id)
    assert cipher.open_(kept["address"]).startswith("demo_")
    assert (await http.delete(f"/v1/notices/follows/{case.id}", headers=wang.headers)).status_code == 204
    assert await db.fetchval("select count(*) from notice_address") == 0


async def test_the_channels_are_shown_to_the_centre_and_the_administrator_only(
    place: str, http: httpx.AsyncClient
) -> None:
    for role, status in ((Role.DISTRICT_CENTRE, 200), (Role.ADMINISTRATOR, 200), (Role.TOWN_CENTRE, 403)):
        person = await people.sign_in(place, role, stage.CENTRE)
        answer = await http.get("/v1/notices/channels", headers=person.headers)
        assert answer.status_code == status
        if status == 200:
            assert {each["on"] for each in answer.json()} == {False}
