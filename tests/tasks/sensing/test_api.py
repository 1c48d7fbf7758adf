"""Sensing over HTTP: readings with a device's key, and who may see what."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.kernel import clock
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.worker.delivery import deliver
from app.worker.relay import relay_once
from tasks.sensing import watch_commands
from tests.tasks.sensing.underpass import DISTRICT, SYSTEM, TOWN, Underpass, build, count
from tests.tools.people import sign_in

BODY: dict[str, Any] = {"device": "WL-1", "channel": "level", "value": 12.5}


def key(place: Underpass) -> dict[str, str]:
    return {"X-Device-Key": place.sensor.key or ""}


def fresh(**changes: Any) -> dict[str, Any]:
    """A record of this moment."""
    return BODY | {"at": clock.now().isoformat()} | changes


async def test_a_reading_becomes_a_case_that_its_owner_sees(district: str, http: httpx.AsyncClient):
    place = await build()
    answer = await http.post("/v1/readings", json={"readings": [fresh()]}, headers=key(place))
    assert answer.status_code == 200
    assert answer.json()["counts"] == {"stored": 1}
    await watch_commands.evaluate(place.channel, SYSTEM, clock.now())
    clerk = await sign_in(DISTRICT, Role.DEPARTMENT, place.owner)
    (episode,) = (await http.get("/v1/sensing/episodes", headers=clerk.headers)).json()
    assert (episode["rule"], episode["phase"], episode["value"], episode["unit"]) == ("underpass", "FIRING", 12.5, "cm")
    case = await http.get(f"/v1/cases/{episode['case']}", headers=clerk.headers)
    assert case.status_code == 200
    assert case.json()["source"] == "sensing"


async def test_each_record_has_its_verdict_and_the_reason_names_every_bad_field(district: str, http: httpx.AsyncClient):
    place = await build()
    at = clock.now().isoformat()
    records: list[Any] = [
        fresh(at=at),
        fresh(at=at),
        fresh(at=at, value=13),
        {"device": "", "at": "yesterday", "value": "12", "quality": 7, "unit": "cm"},
        fresh(at="2026-11-23T12:00:00"),
        fresh(at=(clock.now() + timedelta(days=2)).isoformat()),
        fresh(device=str(place.sensor.device.id), at=(clock.now() - timedelta(seconds=1)).isoformat()),
    ]
    told = (await http.post("/v1/readings", json={"readings": records}, headers=key(place))).json()["verdicts"]
    verdicts = [(one["index"], one["verdict"]) for one in told]
    assert verdicts == [
        (0, "stored"),
        (1, "duplicate"),
        (2, "conflict"),
        (3, "refused"),
        (4, "refused"),
        (5, "refused"),
        (6, "stored"),
    ]
    for field in ("device", "channel", "at", "value", "quality", "unit"):
        assert f"{field}:" in told[3]["why_en"]
    assert told[5]["flag"] == "far-future"


@pytest.mark.parametrize("headers", [{}, {"X-Device-Key": "zjwd_nobody"}, {"Authorization": "Bearer zjwd_nobody"}])
async def test_without_a_key_nothing_is_taken(district: str, http: httpx.AsyncClient, headers: dict[str, str]):
    await build()
    answer = await http.post("/v1/readings", json={"readings": [fresh()]}, headers=headers)
    assert (answer.status_code, await count("reading")) == (401, 0)


async def test_the_key_may_come_as_a_bearer_token(district: str, http: httpx.AsyncClient):
    place = await build()
    bearer = {"Authorization": f"Bearer {place.sensor.key}"}
    assert (await http.post("/v1/readings", json={"readings": [fresh()]}, headers=bearer)).status_code == 200


async def test_people_cannot_send_readings_and_devices_cannot_read(district: str, http: httpx.AsyncClient):
    place = await build()
    clerk = await sign_in(DISTRICT, Role.DISTRICT_CENTRE, place.owner)
    assert (await http.post("/v1/readings", json={"readings": [fresh()]}, headers=clerk.headers)).status_code == 403
    for path in ("devices", "episodes", f"readings?device={place.sensor.device.id}&channel=level"):
        assert (await http.get(f"/v1/sensing/{path}", headers=key(place))).status_code == 403


@pytest.mark.parametrize("body", [{}, {"readings": "x"}, {"readings": [1]}, {"readings": [], "more": 1}])
async def test_a_batch_of_another_form_is_refused_whole(district: str, http: httpx.AsyncClient, body: Any):
    place = await build()
    assert (await http.post("/v1/readings", json=body, headers=key(place))).status_code in (400, 422)


async def test_a_batch_of_too_many_is_refused_and_an_empty_one_is_fine(district: str, http: httpx.AsyncClient):
    place = await build()
    answer = await http.post("/v1/readings", json={"readings": [fresh()] * 1001}, headers=key(place))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "readings")
    assert (await http.post("/v1/readings", json={"readings": []}, headers=key(place))).json()["verdicts"] == []


async def test_who_sees_a_device_its_readings_and_its_episodes(district: str, http: httpx.AsyncClient):
    place = await build()
    await http.post("/v1/readings", json={"readings": [fresh()]}, headers=key(place))
    await watch_commands.evaluate(place.channel, SYSTEM, clock.now())
    organisation = place.centre.memberships[0].organisation
    sees = {
        "owner": await sign_in(DISTRICT, Role.DEPARTMENT, place.owner),
        "centre": await sign_in(DISTRICT, Role.DISTRICT_CENTRE, organisation),
        "town of the place": await sign_in(DISTRICT, Role.TOWN_CENTRE, None, TOWN),
        "grid worker of the cell": await sign_in(DISTRICT, Role.GRID_WORKER, None, "330109001001001"),
    }
    blind = {
        "another department": await sign_in(DISTRICT, Role.DEPARTMENT, new_id()),
        "another town": await sign_in(DISTRICT, Role.TOWN_CENTRE, None, "330109002"),
        "another cell": await sign_in(DISTRICT, Role.GRID_WORKER, None, "330109001001002"),
    }
    readings = f"/v1/sensing/readings?device={place.sensor.device.id}&channel=level"
    for who, person in (sees | blind).items():
        expected = int(who in sees)
        for path in ("/v1/sensing/devices", "/v1/sensing/episodes"):
            found = await http.get(path, headers=person.headers)
            assert (who, path, found.status_code, len(found.json())) == (who, path, 200, expected)
        found = await http.get(readings, headers=person.headers)
        assert (who, found.status_code) == (who, 200 if expected else 404)
    for role in (Role.AUDITOR, Role.ADMINISTRATOR):
        person = await sign_in(DISTRICT, role)
        assert (await http.get("/v1/sensing/devices", headers=person.headers)).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "readings?device=x&channel=level",
        "readings?device={id}",
        "readings?device={id}&channel=%00",
        "readings?device={id}&channel=level&since=2026-11-23T00:00:00",
        "readings?device={id}&channel=level&limit=0",
        "episodes?limit=201",
        "episodes?before=1",
        "devices?kind=%00",
    ],
)
async def test_odd_questions_are_refused(district: str, http: httpx.AsyncClient, query: str):
    place = await build()
    clerk = await sign_in(DISTRICT, Role.DEPARTMENT, place.owner)
    path = f"/v1/sensing/{query.format(id=place.sensor.device.id)}"
    assert (await http.get(path, headers=clerk.headers)).status_code in (400, 422)


async def test_a_maintenance_window_without_offsets_is_refused(district: str, http: httpx.AsyncClient):
    place = await build()
    clerk = await sign_in(DISTRICT, Role.DEPARTMENT, place.owner)
    path = f"/v1/sensing/devices/{place.sensor.device.id}/maintenance"
    answer = await http.put(path, json={"begins": "2026-11-23T00:00:00"}, headers=clerk.headers)
    assert answer.status_code in (400, 422)


async def test_lists_are_paged_by_link(district: str, http: httpx.AsyncClient):
    place = await build()
    records = [fresh(at=(clock.now() - timedelta(seconds=n)).isoformat(), value=float(n)) for n in range(5)]
    await http.post("/v1/readings", json={"readings": records}, headers=key(place))
    clerk = await sign_in(DISTRICT, Role.DEPARTMENT, place.owner)
    path: str | None = f"/v1/sensing/readings?device={place.sensor.device.id}&channel=level&limit=2"
    seen: list[float] = []
    while path:
        page = await http.get(path, headers=clerk.headers)
        seen += [reading["value"] for reading in page.json()]
        path = page.links["next"]["url"] if "next" in page.links else None
    assert seen == [0, 1, 2, 3, 4]


async def test_the_centre_registers_devices_rotates_keys_and_sets_maintenance(district: str, http: httpx.AsyncClient):
    place = await build()
    centre = await sign_in(DISTRICT, Role.DISTRICT_CENTRE, place.centre.memberships[0].organisation)
    device = {
        "code": "WL-7",
        "name": "市心路下穿（演示）",
        "kind": "water_level",
        "owner": str(place.owner),
        "channels": [{"name": "level", "unit": "cm"}],
    }
    made = await http.post("/v1/sensing/devices", json=device, headers=centre.headers)
    assert made.status_code == 201
    path = f"/v1/sensing/devices/{made.json()['device']['id']}"
    renewed = (await http.post(f"{path}/key", headers=centre.headers)).json()["key"]
    for each, status in ((made.json()["key"], 401), (renewed, 200)):
        headers = {"X-Device-Key": each}
        answer = await http.post("/v1/readings", json={"readings": [fresh(device="WL-7")]}, headers=headers)
        assert answer.status_code == status
    window = {"begins": "2026-11-23T00:00:00Z", "until": "2026-11-24T00:00:00Z"}
    assert (await http.put(f"{path}/maintenance", json=window, headers=centre.headers)).status_code == 200
    again = await http.post("/v1/sensing/devices", json=device, headers=centre.headers)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/sensing-device-code-taken")


async def test_posted_over_http_and_handed_over_by_the_worker_it_is_a_case(committed: str, http: httpx.AsyncClient):
    place = await build()
    assert (await http.post("/v1/readings", json={"readings": [fresh()]}, headers=key(place))).status_code == 200
    rung: list[UUID] = []

    async def enqueue(_: str, event_id: UUID) -> None:
        rung.append(event_id)

    await relay_once(DISTRICT, enqueue, clock.now)
    for event_id in rung * 2:  # at least once, so also twice
        await deliver(DISTRICT, event_id, clock.now)
    assert await count("cases", "source = 'sensing' and state = 'assigned'") == 1
    assert await count("outbox", "type = 'ReadingsRecorded'") == 0
