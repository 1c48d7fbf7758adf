"""A citizen gets everything held about them, and has it erased; nobody else's is touched, and the trace holds."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from app import wiring
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from media import configuration, one_shot, storage
from tasks.cases import trail
from tests.media import photos
from tests.tools import people

SENT = {"text": "小区门口积水", "address": "演示路8号", "name": "演示王某", "phone": "13800001234"}
SECRETS = ("小区门口积水", "演示路8号", "演示王某", "13800001234", "已经三天了")


async def with_a_request(district: str, http: httpx.AsyncClient) -> tuple[people.Person, str]:
    """A citizen who submitted a request and added to it."""
    wang = await people.sign_in_citizen(district)
    made = await http.post("/v1/citizen/requests", json=SENT, headers=wang.headers)
    path = f"/v1/citizen/requests/{made.json()['id']}"
    assert (await http.post(f"{path}/add", json={"text": "已经三天了"}, headers=wang.headers)).status_code == 200
    return wang, path


async def test_everything_about_a_citizen_is_handed_out_and_that_is_noted(
    district: str, http: httpx.AsyncClient
) -> None:
    wang, path = await with_a_request(district, http)
    await with_a_request(district, http)
    answer = await http.get("/v1/citizen/export", headers=wang.headers)
    assert answer.status_code == 200, answer.text
    held = answer.json()
    assert held["citizen"]["id"] == str(wang.actor.id)
    (request,) = held["requests"]
    assert path.endswith(request["id"])
    assert (request["description"], request["address"], request["name"], request["phone"]) == tuple(SENT.values())
    assert [(text["text"], text["own"]) for text in request["texts"]] == [("已经三天了", True)]
    noted = await db.fetch("select actor, object from access_log where action = 'personal.export'")
    assert [tuple(row) for row in noted] == [(wang.actor.id, f"citizen:{wang.actor.id}")]


async def test_after_erasure_no_word_of_the_citizen_is_left_but_the_case_and_its_trace_are(
    district: str, http: httpx.AsyncClient
) -> None:
    wang, path = await with_a_request(district, http)
    li, other = await with_a_request(district, http)
    answer = await http.post("/v1/citizen/erase", headers=wang.headers)
    assert (answer.status_code, answer.json()["requests"], answer.json()["texts"]) == (200, 1, 1)
    case = path.rpartition("/")[2]
    tables = {"cases": "id", "case_text": "case_id", "case_contact": "case_id", "case_event": "case_id"}
    tables |= {"case_command": "case_id"}
    rows = [
        row[0]
        for table, key in tables.items()
        for row in await db.fetch(f"select t::text from {table} t where {key} = $1", case)
    ]
    assert rows
    assert [secret for secret in SECRETS if secret in "\n".join(rows)] == []
    assert (await trail.verify_all(district)).broken is None
    assert (await http.get(path, headers=wang.headers)).status_code == 401
    assert (await http.get(other, headers=li.headers)).json()["text"] == SENT["text"]
    noted = await db.fetch("select actor from access_log where action = 'personal.erase'")
    assert [row[0] for row in noted] == [wang.actor.id]
    assert await db.fetchval("select count(*) from outbox where type = 'CitizenErased'") == 1


async def test_with_the_words_go_the_photos_and_their_bytes(
    district: str, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    before = configuration.current()
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    try:
        wang = await people.sign_in_citizen(district)
        content = photos.jpeg()
        sha256 = hashlib.sha256(content).hexdigest()
        photo: dict[str, Any] = {
            "id": str(new_id()),
            "sha256": sha256,
            "size": len(content),
            "media_type": "image/jpeg",
        }
        sent = SENT | {"photos": [photo | {"media_type": "image/jpeg"}]}
        made = await http.post("/v1/citizen/requests", json=sent, headers=wang.headers)
        assert made.status_code == 201, made.text
        await one_shot.bring(wang.actor, UUID(photo["id"]), _once(content), clock.now())
        kept = storage.where(tmp_path / "media", district, sha256)
        assert kept.exists()
        answer = await http.post("/v1/citizen/erase", headers=wang.headers)
        assert (answer.json()["photos"], answer.json()["held"]) == (1, 0)
        assert await db.fetchval("select count(*) from evidence") == 0
        await wiring.SCHEDULES["media.erase"][1](district, clock.now())
        assert not kept.exists()
    finally:
        configuration.restore(before)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_only_citizens_have_data_to_hand_out_and_erase(district: str, http: httpx.AsyncClient) -> None:
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE)
    assert (await http.get("/v1/citizen/export", headers=clerk.headers)).status_code == 403
    assert (await http.post("/v1/citizen/erase", headers=clerk.headers)).status_code == 403
