"""`Idempotency-Key`: one effect and one answer however often a request comes."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from app import answers
from app.kernel import clock, db
from app.kernel.actor import Role
from tests.app.server.conftest import Faults, marks
from tests.tools import people


async def test_the_same_request_again_gets_the_same_answer_and_has_no_effect(
    district: str, probe: httpx.AsyncClient
) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": "a"}
    first, again = [await probe.post("/v1/test/marks", json={}, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await marks(district) == 1


async def test_without_a_key_each_request_has_its_effect(district: str, probe: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers
    for _ in range(2):
        assert (await probe.post("/v1/test/marks", json={}, headers=headers)).status_code == 201
    assert await marks(district) == 2


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/test/marks", {"fail": "x"}), ("/v1/test/marks?a=1", {}), ("/v1/keys", {})]
)
async def test_a_key_of_another_request_is_refused(
    district: str, probe: httpx.AsyncClient, path: str, body: dict[str, str]
) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": "a"}
    await probe.post("/v1/test/marks", json={}, headers=headers)
    refused = await probe.post(path, json=body, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert await marks(district) == 1


async def test_keys_of_two_people_have_nothing_to_do_with_each_other(district: str, probe: httpx.AsyncClient) -> None:
    for _ in range(2):
        headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": "a"}
        answer = await probe.post("/v1/test/marks", json={}, headers=headers)
        assert "idempotency-replayed" not in answer.headers
    assert await marks(district) == 2


async def test_twins_in_flight_have_one_effect_and_all_get_its_answer(committed: str, probe: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(committed, Role.STATION)).headers | {"Idempotency-Key": "a"}
    twins = await asyncio.gather(*(probe.post("/v1/test/marks", json={}, headers=headers) for _ in range(5)))
    assert {t.status_code for t in twins} == {201}
    assert len({t.content for t in twins}) == 1
    assert sum("idempotency-replayed" in t.headers for t in twins) == 4
    assert await marks(committed) == 1


async def test_a_crash_undoes_the_effect_and_leaves_the_key_free(committed: str, probe: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(committed, Role.STATION)).headers | {"Idempotency-Key": "a"}
    Faults.crash = True
    crashed = await probe.post("/v1/test/marks", json={"fail": "crash"}, headers=headers)
    assert (crashed.status_code, crashed.json()["type"]) == (500, "/problems/internal")
    assert await marks(committed) == 0, "although the handler's own transaction was over"
    Faults.crash = False
    again = await probe.post("/v1/test/marks", json={"fail": "crash"}, headers=headers)
    assert again.status_code == 201
    assert await marks(committed) == 1


async def test_an_answer_that_could_not_be_kept_is_never_given_and_the_key_stays_free(
    committed: str, probe: httpx.AsyncClient
) -> None:
    headers = (await people.sign_in(committed, Role.STATION)).headers | {"Idempotency-Key": "a"}
    Faults.crash = True
    lost = await probe.post("/v1/test/marks", json={"fail": "break"}, headers=headers)
    assert (lost.status_code, lost.json()["type"]) == (503, "/problems/unavailable"), "the handler had said 201"
    assert int(lost.headers["Retry-After"]) > 0
    assert await marks(committed) == 0
    Faults.crash = False
    again = await probe.post("/v1/test/marks", json={"fail": "break"}, headers=headers)
    assert again.status_code == 201
    assert await marks(committed) == 1


async def test_a_refusal_is_an_answer_too(district: str, probe: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": "a"}
    first, again = [await probe.post("/v1/test/marks", json={"fail": "absent"}, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (404, 404)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json() == first.json()


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_1_to_255_characters(district: str, probe: httpx.AsyncClient, key: str) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": key}
    refused = await probe.post("/v1/test/marks", json={}, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_a_stored_answer_suits_a_client_that_takes_no_compression(
    district: str, probe: httpx.AsyncClient
) -> None:
    headers = (await people.sign_in(district, Role.DISTRICT_CENTRE)).headers | {"Idempotency-Key": "a"}
    body = {"item": "G001", "description": "路灯不亮", "address": "示例路" * 100}
    first = await probe.post("/v1/cases", json=body, headers=headers | {"Accept-Encoding": "br"})
    plain = await probe.post("/v1/cases", json=body, headers=headers | {"Accept-Encoding": "identity"})
    assert first.status_code == 201
    assert "content-encoding" not in plain.headers
    assert plain.json() == first.json()


async def test_answers_are_kept_for_a_day(district: str, probe: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(district, Role.STATION)).headers | {"Idempotency-Key": "a"}
    await probe.post("/v1/test/marks", json={}, headers=headers)
    await answers.tidy(district, clock.now() + timedelta(hours=23))
    assert await db.fetchval("select count(*) from idempotency_key") == 1
    await answers.tidy(district, clock.now() + timedelta(hours=25))
    assert await db.fetchval("select count(*) from idempotency_key") == 0


async def test_a_kept_answer_shows_nobody_a_key(district: str, http: httpx.AsyncClient) -> None:
    headers = (await people.sign_in(district, Role.ADMINISTRATOR)).headers | {"Idempotency-Key": "a"}
    asked = {"source": "12315", "scopes": []}
    first, again = [await http.post("/v1/keys", json=asked, headers=headers) for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)
    async with db.transaction(district):
        stored = await db.fetchval("select body from idempotency_key where key = 'a'")
    assert first.json()["secret"].encode() not in stored
    assert first.json()["key"].encode() not in stored
