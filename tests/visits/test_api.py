"""Field work over HTTP: the thin path of a phone, in JSON and in MessagePack."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar, Router
from litestar.di import Provide

from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.server import authentication, errors
from tests.grid import places
from tests.tools import people
from tests.visits import stage
from tests.visits.stage import Stage, op, visit_body
from visits import api

PACKED = {"Content-Type": "application/x-msgpack"}


def client() -> httpx.AsyncClient:
    """HTTP without a network, behind the server's own authentication and error handling."""
    app = Litestar(
        [Router("/v1", route_handlers=api.routes, middleware=[authentication.Authentication(clock.now, "330109")])],
        dependencies={
            "actor": Provide(authentication.provide_actor, sync_to_thread=False),
            "now": Provide(authentication.provide_now, sync_to_thread=False),
        },
        exception_handlers=errors.handlers,
        openapi_config=None,
        logging_config=None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1")


@pytest.fixture
async def on(committed: str) -> Stage:
    return await stage.build()


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


async def publish(http: httpx.AsyncClient, on: Stage) -> str:
    """Plan and give out a night round over HTTP and return its id."""
    today = clock.now().date()
    new = stage.new_round(on, starts_on=today, ends_on=today + timedelta(days=5))
    made = await http.post("/rounds", json=plain(new), headers=on.leader.headers)
    assert made.status_code == 201, made.text
    round_id: str = made.json()["id"]
    shown = await http.post(f"/rounds/{round_id}/preview", json={}, headers=on.leader.headers)
    assert shown.json()["households"] == 4
    members = {"members": [{"person": str(on.worker.actor.id)}]}
    given = await http.post(f"/rounds/{round_id}/assign", json=members, headers=on.leader.headers)
    assert (given.status_code, given.json()["state"]) == (200, "published")
    return round_id


async def test_a_night_round_is_planned_pulled_visited_offline_and_pushed_twice_with_one_effect(on: Stage) -> None:
    async with client() as http:
        round_id = await publish(http, on)
        ask = {"device_id": str(on.device), "app_schema": 2, "epoch": None, "buckets": {}, "limit": 500}
        pulled = (await http.post("/sync/pull", json=ask, headers=on.worker.headers)).json()
        mine = pulled["buckets"][f"person:{on.worker.actor.id}"]["ops"]
        assert [each["kind"] for each in pulled["buckets"][f"squad:{on.squad}"]["ops"]] == ["round"]
        turns = [each["body"] for each in mine if each["kind"] == "assignment"]
        assert len(turns) == 4
        photos = [stage.photo(), stage.photo()]
        demand = {"id": str(new_id()), "text": "楼道灯不亮（演示）"}
        start = clock.now() - timedelta(hours=1)
        body = visit_body(UUID(turns[0]["household"]), start, evidence=photos, demands=[demand])
        visit = op("visit.record", body, captured_at=start.isoformat())
        push = {"device_id": str(on.device), "app_schema": 2, "sent_at": clock.now().isoformat(), "ops": [visit]}
        first = await http.post("/sync/push", json=push, headers=on.worker.headers)
        again = await http.post("/sync/push", json=push, headers=on.worker.headers)
        assert (first.status_code, first.json()["verdicts"][0]["verdict"]) == (200, "applied")
        assert again.json()["verdicts"] == first.json()["verdicts"]
        shown = (await http.get(f"/visits/{visit['entity_id']}", headers=on.leader.headers)).json()
        assert shown["visit"]["cases"] == [demand["id"]]
        assert {each["sha256"] for each in shown["evidence"]} == {each["sha256"] for each in photos}
        link = f"/visits/{visit['entity_id']}/evidence/{photos[0]['id']}/link"
        assert (await http.get(link, params={"variant": "320"}, headers=on.worker.headers)).json()["url"]
        (cell,) = (await http.get(f"/rounds/{round_id}/coverage", headers=on.leader.headers)).json()
        assert (cell["due"], cell["met"], cell["day"] + cell["night"], cell["demands"]) == (4, 1, 1, 1)
    async with db.transaction(stage.DISTRICT):
        assert await db.fetchval("select count(*) from cases") == 1


async def test_messagepack_gives_the_same_answers_as_json(on: Stage) -> None:
    async with client() as http:
        ask = {"device_id": str(on.device), "app_schema": 2}
        plain_answer = await http.post("/sync/pull", json=ask, headers=on.worker.headers)
        packed = msgspec.msgpack.encode(ask)
        packed_answer = await http.post("/sync/pull", content=packed, headers=on.worker.headers | PACKED)
        assert packed_answer.headers["content-type"] == "application/x-msgpack"
        decoded = msgspec.msgpack.decode(packed_answer.content)
        assert decoded | {"server_time": None} == plain_answer.json() | {"server_time": None}
        visit = op("visit.record", visit_body(on.homes[0]))
        push = {"device_id": str(on.device), "app_schema": 2, "sent_at": clock.now().isoformat(), "ops": [visit]}
        first = await http.post("/sync/push", content=msgspec.msgpack.encode(push), headers=on.worker.headers | PACKED)
        again = await http.post("/sync/push", json=push, headers=on.worker.headers)
        assert msgspec.msgpack.decode(first.content)["verdicts"] == again.json()["verdicts"]
        assert again.json()["verdicts"][0]["verdict"] == "applied"


JSON = {"Content-Type": "application/json"}
UNREADABLE = (
    (b"{", JSON, 400),
    (b"\xc1", PACKED, 400),
    (b"[" * 50_000, JSON, 400),
    (b"{}", JSON, 422),
    (b'{"device_id": "x", "app_schema": -1, "sent_at": "now", "ops": []}', JSON, 422),
)


async def test_what_cannot_be_read_is_a_problem(on: Stage) -> None:
    async with client() as http:
        for path in ("/sync/pull", "/sync/push"):
            for content, kind, status in UNREADABLE:
                answer = await http.post(path, content=content, headers=on.worker.headers | kind)
                assert answer.status_code == status, answer.text
                assert answer.json()["type"].startswith("/problems/")
                assert (await http.post(path, content=content, headers=kind)).status_code == 401


async def test_contacts_are_masked_and_shown_only_with_a_reason(on: Stage) -> None:
    async with client() as http:
        listed = await http.get("/households", params={"limit": 2}, headers=on.worker.headers)
        assert [home["contact"] for home in listed.json()] == ["138****0000", "138****0001"]
        following = listed.headers["link"].split(">")[0].removeprefix("<").removeprefix("/v1")
        assert len((await http.get(following, headers=on.worker.headers)).json()) == 2
        address = f"/households/{on.homes[0]}/contact"
        assert (await http.post(address, json={}, headers=on.worker.headers)).status_code in (400, 422)
        shown = await http.post(address, json={"reason": "约定夜访时间"}, headers=on.worker.headers)
        assert shown.json() == {"household": str(on.homes[0]), "contact": "13800000000"}
        assert (
            await http.post(address, json={"reason": "约定夜访时间"}, headers=on.outsider.headers)
        ).status_code == 404


async def test_foreign_rounds_and_visits_look_as_if_they_were_not_there(on: Stage) -> None:
    async with client() as http:
        round_id = await publish(http, on)
        for path in (f"/rounds/{round_id}", f"/rounds/{round_id}/coverage", f"/households/{on.homes[0]}"):
            assert (await http.get(path, headers=on.leader.headers)).status_code == 200
            assert (await http.get(path, headers=on.outsider.headers)).status_code == 404
        assert (await http.get("/rounds", headers=on.outsider.headers)).json() == []


async def test_a_round_is_a_layer_of_the_map_with_an_etag_that_saves_sending_it_again(on: Stage) -> None:
    async with client() as http:
        round_id = await publish(http, on)
        path = f"/tiles/rounds/{round_id}/coverage/10/854/421.mvt"
        tile = await http.get(path, headers=on.leader.headers)
        assert (tile.status_code, tile.headers["content-type"]) == (200, "application/vnd.mapbox-vector-tile")
        assert stage.CELL.encode() in tile.content
        again = await http.get(path, headers=on.leader.headers | {"If-None-Match": tile.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await http.get(path, headers=on.outsider.headers)).status_code == 404
        layer = (await http.get(f"/rounds/{round_id}/coverage/map", headers=on.leader.headers)).json()
        assert (layer["type"], layer["features"][0]["properties"]["by_night"]["due"]) == ("FeatureCollection", 4)
        for path in ("/tiles/visits/10/854/421.mvt", "/visits/heat", "/visits/heat/map"):
            assert (await http.get(path, headers=on.leader.headers)).status_code == 200


async def test_a_file_of_households_is_tried_and_then_taken_with_its_bad_rows_listed(on: Stage) -> None:
    rows = [f"演示巷{n}号,{stage.VILLAGE},{places.WEST + 0.001},{places.SOUTH + 0.004}" for n in (1, 2)]
    content = "\n".join(["地址,村社代码,经度,纬度", *rows, f"演示巷3号,{stage.VILLAGE},x,30", rows[0]]).encode()

    async def bring(**form: str) -> httpx.Response:
        files = {"file": ("households.csv", content, "text/csv")}
        return await http.post("/households/import", files=files, data=form, headers=on.leader.headers)

    async with client() as http:
        tried, taken, again = await bring(dry_run="true"), await bring(), await bring()
        faults = [(each["row"], each["column"]) for each in taken.json()["refused"]]
        assert (tried.json()["taken"], taken.json()["taken"], again.json()["taken"]) == (2, 2, 0)
        assert (tried.json()["dry_run"], faults) == (True, [(4, "lon"), (5, "address")])
        for bad in ({"datum": "mars"}, {"dry_run": "perhaps"}):
            assert (await bring(**bad)).status_code == 422
        listed = (await http.get("/households", headers=on.leader.headers)).json()
        assert len(listed) == 4 + 2


@pytest.mark.parametrize(
    "path",
    [
        "/visits/heat?since=2026-11-23T12:00:00",
        "/visits/heat?area=3301%25",
        "/visits/heat/map?level=street",
        "/households?limit=0",
        "/households?limit=501",
        "/households?area=33010",
        "/households?area=33010%25",
        "/households?after=x",
        "/rounds?limit=0",
        "/visits?limit=501",
        "/sync/unsettled?limit=0",
    ],
)
async def test_a_query_out_of_bounds_is_refused(district: str, path: str) -> None:
    on = await people.sign_in(district, Role.DISTRICT_CENTRE)
    async with client() as http:
        assert (await http.get(path, headers=on.headers)).status_code == 422
