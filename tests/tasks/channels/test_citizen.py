"""A citizen signs in by the mini-program, submits, follows in plain words and sees nobody else's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest_asyncio
import uvicorn

from app.demo import mini_program
from app.kernel.ids import new_id
from tasks.channels import commands
from tasks.channels.citizen import Request
from tasks.channels.mini_program import Endpoint
from tests.tasks.cases import stage
from tests.tools import people


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[str]:
    """The mini-program platform's stand-in, over real HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(mini_program.create_app(), log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    commands.configure(Endpoint(url, "app", "secret"))
    yield url
    server.should_exit = True
    await task


async def test_the_same_person_is_the_same_citizen_and_a_code_works_once(
    district: str, http: httpx.AsyncClient, platform: str
) -> None:
    first = await http.post("/v1/citizen/login", json={"code": "demo-wang-1"})
    again = await http.post("/v1/citizen/login", json={"code": "demo-wang-1"})
    later = await http.post("/v1/citizen/login", json={"code": "demo-wang-2"})
    assert [first.status_code, again.status_code, later.status_code] == [200, 401, 200]
    assert again.json()["type"] == "/problems/mini-program-code-refused"
    who = [
        (await http.get("/v1/me", headers={"Authorization": f"Bearer {each.json()['access_token']}"})).json()["id"]
        for each in (first, later)
    ]
    assert who[0] == who[1]


async def test_a_platform_that_is_away_is_said_and_may_be_tried_again(district: str, http: httpx.AsyncClient) -> None:
    commands.configure(Endpoint("http://127.0.0.1:9", "app", "secret"))
    answer = await http.post("/v1/citizen/login", json={"code": "demo-wang-1"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")


async def test_a_request_is_followed_in_plain_words(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    sent = {"text": "小区门口积水，老人出不了门", "id": str(new_id())}
    made = await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)
    assert made.status_code == 201, made.text
    request = made.json()
    assert request["text"] == sent["text"]
    assert next(step["text"] for step in request["steps"]) == "收到诉求"
    assert not {"actor", "handler", "legs", "body"} & set(request)
    listed = (await http.get("/v1/citizen/requests", headers=wang.headers)).json()
    assert [row["id"] for row in listed] == [request["id"]]


async def test_the_list_goes_on_over_its_pages(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    made = [
        (await http.post("/v1/citizen/requests", json={"text": f"路灯不亮 {n}"}, headers=wang.headers)).json()["id"]
        for n in range(3)
    ]
    seen: list[str] = []
    path: str | None = "/v1/citizen/requests?limit=2"
    while path:
        answer = await http.get(path, headers=wang.headers)
        seen += [row["id"] for row in answer.json()]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == made[::-1]
    assert (await http.get("/v1/citizen/requests?after=x", headers=wang.headers)).status_code == 422


async def test_a_second_tap_is_the_same_request(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    sent = {"text": "路灯不亮", "id": str(new_id())}
    numbers = {
        (await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)).json()["number"] for _ in range(2)
    }
    assert len(numbers) == 1


async def test_taps_at_the_same_moment_without_an_id_are_one_request(committed: str, http: httpx.AsyncClient) -> None:
    wang, li = await people.sign_in_citizen(committed), await people.sign_in_citizen(committed)
    sent = {"text": "井盖松动", "place": {"lon": 120.26, "lat": 30.18, "datum": "gcj02"}}

    async def tap(who: people.Person = wang, **changes: object) -> str:
        answer = await http.post("/v1/citizen/requests", json=sent | changes, headers=who.headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    [first] = set(await asyncio.gather(*(tap() for _ in range(5))))
    others = [
        await tap(li),
        await tap(text="井盖不见了"),
        await tap(address="演示路 1 号"),
        await tap(id=str(new_id())),
    ]
    photo = {"id": str(new_id()), "sha256": "0" * 64, "size": 7, "media_type": "image/jpeg"}
    others.append(await tap(photos=[photo]))  # what it shows is not lost with the words that were there already
    assert await tap(photos=[photo]) == others[-1]
    moved = await tap(place={"lon": 120.27, "lat": 30.18, "datum": "gcj02"})
    assert len({first, *others, moved}) == 7
    assert await tap(item="H305") not in {first, *others, moved}
    withdrawn = await http.post(f"/v1/citizen/requests/{others[0]}/withdraw", json={}, headers=li.headers)
    assert withdrawn.status_code == 200, withdrawn.text
    assert await tap(li) not in {first, *others, moved}  # what was withdrawn may be said again


async def test_the_same_words_later_are_a_request_of_their_own(district: str) -> None:
    wang = stage.CITIZEN
    request, now = Request(text="路灯不亮"), datetime(2026, 11, 23, 2, tzinfo=UTC)
    first = await commands.submit(request, wang, 0, now)
    assert (await commands.submit(request, wang, 0, now + timedelta(minutes=9))).id == first.id
    assert (await commands.submit(request, wang, 0, now + timedelta(minutes=11))).id != first.id


async def test_items_of_the_staff_are_none_a_citizen_can_choose(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    for code in ("SOS", "S001", "V002"):
        answer = await http.post("/v1/citizen/requests", json={"text": "救命", "item": code}, headers=wang.headers)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "item")
        assert (await http.get(f"/v1/items/{code}", headers=wang.headers)).status_code == 404


async def test_a_time_without_a_zone_or_out_of_all_bounds_is_a_bad_field(
    district: str, http: httpx.AsyncClient
) -> None:
    wang = await people.sign_in_citizen(district)
    for time in ("2026-11-23T08:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        sent = {"text": "路灯不亮", "occurred_at": time}
        answer = await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)
        assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["occurred_at"])


async def test_a_photo_of_an_impossible_time_is_taken(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    photo = {"id": str(new_id()), "sha256": "a" * 64, "size": 10, "media_type": "image/jpeg"}
    sent = {"text": "路灯不亮", "photos": [photo | {"captured_at": "0001-01-01T00:00:00+14:00"}]}
    assert (await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)).status_code == 201


async def test_another_citizen_finds_nothing(district: str, http: httpx.AsyncClient) -> None:
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    made = await http.post("/v1/citizen/requests", json={"text": "路灯不亮"}, headers=wang.headers)
    path = f"/v1/citizen/requests/{made.json()['id']}"
    foreign = [
        await http.get(path, headers=li.headers),
        await http.post(f"{path}/add", json={"text": "我也是"}, headers=li.headers),
        await http.post(f"{path}/withdraw", json={}, headers=li.headers),
    ]
    assert {answer.status_code for answer in foreign} == {404}
    assert (await http.get("/v1/citizen/requests", headers=li.headers)).json() == []


async def test_a_citizen_adds_and_withdraws(district: str, http: httpx.AsyncClient) -> None:
    wang = await people.sign_in_citizen(district)
    made = await http.post("/v1/citizen/requests", json={"text": "路灯不亮"}, headers=wang.headers)
    path = f"/v1/citizen/requests/{made.json()['id']}"
    added = await http.post(f"{path}/add", json={"text": "已经三天了"}, headers=wang.headers)
    assert added.json()["steps"][-1]["words"] == "已经三天了"
    gone = await http.post(f"{path}/withdraw", json={"reason": "已经修好"}, headers=wang.headers)
    assert gone.json()["state"] == "withdrawn"
    assert gone.json()["possible"] == []
