"""What a citizen may say of an answer, over HTTP: rate it, ask to reopen, contest a rejection - once."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest_asyncio

from app.kernel import clock
from app.kernel.actor import Actor
from media import configuration
from tasks.cases import commands as cases
from tasks.cases import orders as o
from tests.tasks.cases import stage, town
from tests.tools import people

HANDLE = (
    (stage.STATION_CLERK, o.Sign()),
    (stage.STATION_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),))),
    (stage.CENTRE_CLERK, o.Verify(passed=True)),
)


@pytest_asyncio.fixture
async def wang(committed: str, tmp_path: Path) -> people.Person:
    """A citizen of the made-up town."""
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    await town.commit(committed)
    return await people.sign_in_citizen(committed)


async def submitted(http: httpx.AsyncClient, wang: people.Person) -> str:
    """The path of a new request in the town."""
    place = {"lon": town.INSIDE.lon, "lat": town.INSIDE.lat, "datum": "wgs84"}
    sent = {"text": "楼下夜里放音乐", "item": "H008", "place": place}
    made = await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)
    assert made.status_code == 201, made.text
    return f"/v1/citizen/requests/{made.json()['id']}"


async def handled(http: httpx.AsyncClient, wang: people.Person) -> str:
    """The path of a request that waits for its rating."""
    path = await submitted(http, wang)
    seen = (await http.get(path, headers=wang.headers)).json()
    await give(seen["id"], *HANDLE)
    return path


async def give(request: str, *steps: tuple[Actor, o.Order]) -> None:
    """What the staff do, a second apart."""
    now = clock.now()
    for n, (actor, order) in enumerate(steps, 1):
        await cases.give(UUID(request), order, actor, now + timedelta(seconds=n))


async def test_a_bad_rating_makes_it_be_done_again_and_a_good_one_closes_it(
    wang: people.Person, http: httpx.AsyncClient
) -> None:
    path = await handled(http, wang)
    asked = (await http.get(path, headers=wang.headers)).json()
    assert (asked["state_text"], asked["possible"]) == ("已办理，请您评价", ["add", "rate"])
    for score in (0, 6, "很好"):
        refused = await http.post(f"{path}/rate", json={"score": score}, headers=wang.headers)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "score")
    again = await http.post(f"{path}/rate", json={"score": 1, "opinion": "第二天又放"}, headers=wang.headers)
    assert again.status_code == 200, again.text
    assert (again.json()["state"], again.json()["steps"][-1]["text"]) == ("assigned", "评价")
    assert again.json()["steps"][-1]["words"] == "第二天又放"
    twice = await http.post(f"{path}/rate", json={"score": 5}, headers=wang.headers)
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/transition-refused")
    await give(again.json()["id"], *HANDLE)
    closed = await http.post(f"{path}/rate", json={"score": 5}, headers=wang.headers)
    assert (closed.json()["state"], closed.json()["rating"], closed.json()["possible"]) == ("closed", 5, ["reopen"])


async def test_what_was_not_solved_is_reopened_as_often_as_the_item_says(
    wang: people.Person, http: httpx.AsyncClient
) -> None:
    path = await handled(http, wang)
    await http.post(f"{path}/rate", json={"score": 5}, headers=wang.headers)
    reopened = await http.post(f"{path}/reopen", json={"reason": "又开始了"}, headers=wang.headers)
    assert reopened.status_code == 200, reopened.text
    assert (reopened.json()["state"], reopened.json()["closed_at"]) == ("assigned", None)
    assert reopened.json()["steps"][-1]["text"] == "重新办理"
    await give(reopened.json()["id"], *HANDLE)
    await http.post(f"{path}/rate", json={"score": 5}, headers=wang.headers)
    more = await http.post(f"{path}/reopen", json={"reason": "还是有"}, headers=wang.headers)
    assert (more.status_code, more.json()["type"]) == (409, "/problems/transition-refused")


async def test_a_rejection_is_contested_once_and_only_by_whom_it_was_told(
    wang: people.Person, http: httpx.AsyncClient
) -> None:
    made = await http.post("/v1/citizen/requests", json={"text": "请帮我查别人的话费"}, headers=wang.headers)
    path = f"/v1/citizen/requests/{made.json()['id']}"
    await give(made.json()["id"], (stage.CENTRE_CLERK, o.Reject(reason="不属于本区职责")))
    seen = (await http.get(path, headers=wang.headers)).json()
    assert (seen["state"], seen["steps"][-1]["words"], seen["possible"]) == ("rejected", "不属于本区职责", ["appeal"])
    stranger = await people.sign_in_citizen(wang.actor.district)
    foreign = await http.post(f"{path}/appeal", json={"reason": "我也要"}, headers=stranger.headers)
    assert foreign.status_code == 404
    contested = await http.post(f"{path}/appeal", json={"reason": "就在本区"}, headers=wang.headers)
    assert (contested.status_code, contested.json()["state"]) == (200, "received")
    await give(made.json()["id"], (stage.CENTRE_CLERK, o.Reject(reason="核实后仍不属于")))
    again = await http.post(f"{path}/appeal", json={"reason": "再申诉"}, headers=wang.headers)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/transition-refused")
