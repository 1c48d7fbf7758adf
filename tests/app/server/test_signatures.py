"""A machine's key alone reads; what changes something is signed, in time, and counts once."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from app.identity import commands
from app.identity.keys import NewKey
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.server import limits
from app.server.bodies import LARGEST
from app.server.signatures import KINDS, REASONS
from tests.app.server.conftest import marks
from tests.tools import people
from tests.tools.signing import Signed, signed

CASES, MARKS = "/v1/cases", "/v1/test/marks"
CLIENT = Path("docs/machines.md").read_text()
JSON = {"Content-Type": "application/json"}
CASE = '{"item":"G001","description":"路灯不亮（演示）","address":"演示路 1 号"}'.encode()


async def made(district: str, *scopes: str) -> NewKey:
    return await commands.create_key(district, "12315", list(scopes), clock.now())


async def send(
    client: httpx.AsyncClient, target: str, headers: dict[str, str], body: Any = b"{}", method: str = "POST"
) -> httpx.Response:
    return await client.request(method, target, content=body, headers=JSON | headers)


def reason(answer: httpx.Response) -> str:
    told = answer.json()
    assert (answer.status_code, told["type"]) == (401, f"/problems/{KINDS[told['reason']].type}"), answer.text
    return told["reason"]


def test_each_refusal_has_a_type_of_its_own() -> None:
    assert KINDS.keys() == REASONS.keys()
    assert len({kind.type for kind in KINDS.values()}) == len(KINDS)


async def test_a_signed_case_of_a_machine_is_taken(district: str, http: httpx.AsyncClient) -> None:
    key = await made(district, "case.create")
    answer = await send(http, CASES, signed(key, "POST", CASES, CASE), CASE)
    assert answer.status_code == 201, answer.text
    assert await db.fetchval("select count(*) from cases") == 1


async def test_the_key_alone_reads_and_changes_nothing(district: str, probe: httpx.AsyncClient) -> None:
    alone = {"X-Api-Key": (await made(district)).key}
    assert (await probe.get("/v1/me", headers=alone)).status_code == 200
    session = f"/v1/auth/sessions/{new_id()}"
    assert reason(await send(probe, MARKS, alone)) == "missing"
    assert reason(await send(probe, session, alone, method="DELETE")) == "missing"
    assert await marks(district) == 0


async def test_refused_signatures_count_against_the_limit_of_the_key(
    district: str, probe: httpx.AsyncClient, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits.LIMITS, "machine", limits.Limit(rate=1, burst=3, lease=1))
    key, other = await made(district), await made(district)
    guess = signed(key, "POST", MARKS, b"{}") | {"X-Signature": "0" * 64}
    codes = [(await send(probe, MARKS, guess)).status_code for _ in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert (await send(probe, MARKS, signed(other, "POST", MARKS, b"{}"))).status_code == 201


@pytest.mark.parametrize("left_out", ["X-Timestamp", "X-Nonce", "X-Signature"])
async def test_each_of_the_three_headers_is_needed(district: str, probe: httpx.AsyncClient, left_out: str) -> None:
    headers = signed(await made(district), "POST", MARKS, b"{}")
    del headers[left_out]
    assert reason(await send(probe, MARKS, headers)) == "missing"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", MARKS, b"{}"),
        ("post", MARKS, b"{}"),
        ("POST", CASES, b"{}"),
        ("POST", f"{MARKS}?a=1", b"{}"),
        ("POST", f"{MARKS}?", b"{}"),
        ("POST", "/v1/test/%6Darks", b"{}"),
        ("POST", MARKS, b"{ }"),
        ("POST", MARKS, b""),
    ],
)
async def test_a_signature_of_another_request_is_refused(
    district: str, probe: httpx.AsyncClient, method: str, target: str, body: bytes
) -> None:
    headers = signed(await made(district), method, target, body)
    assert reason(await send(probe, MARKS, headers)) == "wrong"
    assert await marks(district) == 0


async def test_the_method_that_is_sent_is_the_one_signed(district: str, probe: httpx.AsyncClient) -> None:
    key, session = await made(district), f"/v1/auth/sessions/{new_id()}"
    wrong = await send(probe, session, signed(key, "POST", session, b""), b"", method="DELETE")
    assert reason(wrong) == "wrong"
    right = await send(probe, session, signed(key, "DELETE", session, b""), b"", method="DELETE")
    assert right.json()["type"] not in {f"/problems/{kind.type}" for kind in KINDS.values()}


async def test_the_secret_of_another_key_is_refused(district: str, probe: httpx.AsyncClient) -> None:
    mine, theirs = await made(district), await made(district)
    headers = signed(theirs, "POST", MARKS, b"{}") | {"X-Api-Key": mine.key}
    assert reason(await send(probe, MARKS, headers)) == "wrong"


@pytest.mark.parametrize("text", ["x", "é", "0" * 64])
async def test_what_is_no_signature_is_a_wrong_one(district: str, probe: httpx.AsyncClient, text: str) -> None:
    headers: Any = signed(await made(district), "POST", MARKS, b"{}") | {"X-Signature": text}
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    assert reason(await send(probe, MARKS, headers)) == "wrong"


@pytest.mark.parametrize(("late", "taken"), [(240, True), (-240, True), (360, False), (-360, False)])
async def test_the_clocks_may_differ_by_five_minutes(
    district: str, probe: httpx.AsyncClient, late: int, taken: bool
) -> None:
    answer = await send(probe, MARKS, signed(await made(district), "POST", MARKS, b"{}", late=late))
    assert answer.status_code == 201 if taken else reason(answer) == "window"


@pytest.mark.parametrize("timestamp", ["now", "-1", "1e9", "²", "9" * 400])
async def test_a_timestamp_is_a_number_of_seconds(district: str, probe: httpx.AsyncClient, timestamp: str) -> None:
    headers: Any = signed(await made(district), "POST", MARKS, b"{}") | {"X-Timestamp": timestamp}
    headers = {name: value.encode("latin-1") for name, value in headers.items()}
    assert reason(await send(probe, MARKS, headers)) == "window"


@pytest.mark.parametrize("nonce", ["short", "n" * 101, "with space", "with/slash"])
async def test_a_nonce_is_8_to_100_url_safe_characters(district: str, probe: httpx.AsyncClient, nonce: str) -> None:
    assert reason(await send(probe, MARKS, signed(await made(district), "POST", MARKS, b"{}", nonce=nonce))) == "nonce"


async def test_a_replay_is_refused_and_another_key_may_use_the_nonce(district: str, probe: httpx.AsyncClient) -> None:
    headers = signed(await made(district), "POST", MARKS, b"{}", nonce="nonce-01")
    assert (await send(probe, MARKS, headers)).status_code == 201
    assert reason(await send(probe, MARKS, headers)) == "nonce"
    other = signed(await made(district), "POST", MARKS, b"{}", nonce="nonce-01")
    assert (await send(probe, MARKS, other)).status_code == 201
    assert await marks(district) == 2


async def test_a_wrong_signature_uses_no_nonce_up(district: str, probe: httpx.AsyncClient) -> None:
    key = await made(district)
    wrong = signed(key, "POST", MARKS, b"other", nonce="nonce-01")
    assert reason(await send(probe, MARKS, wrong)) == "wrong"
    assert (await send(probe, MARKS, signed(key, "POST", MARKS, b"{}", nonce="nonce-01"))).status_code == 201


async def test_of_concurrent_twins_exactly_one_passes(committed: str, probe: httpx.AsyncClient) -> None:
    headers = signed(await made(committed), "POST", MARKS, b"{}")
    twins = await asyncio.gather(*(send(probe, MARKS, headers) for _ in range(5)))
    assert sorted(twin.status_code for twin in twins) == [201, 401, 401, 401, 401]
    assert await marks(committed) == 1


async def test_a_request_that_failed_has_used_its_nonce(committed: str, probe: httpx.AsyncClient) -> None:
    body = b'{"fail":"absent"}'
    headers = signed(await made(committed), "POST", MARKS, body) | {"Idempotency-Key": "a"}
    assert (await send(probe, MARKS, headers, body)).status_code == 404
    assert reason(await send(probe, MARKS, headers, body)) == "nonce"


async def test_a_retry_with_a_fresh_nonce_gets_the_same_answer(district: str, probe: httpx.AsyncClient) -> None:
    key = await made(district)
    first, again = [
        await send(probe, MARKS, signed(key, "POST", MARKS, b"{}") | {"Idempotency-Key": "a"}) for _ in range(2)
    ]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert await marks(district) == 1


async def test_a_body_in_pieces_and_an_encoded_query_are_signed_as_sent(
    district: str, probe: httpx.AsyncClient
) -> None:
    target = f"{MARKS}?q=%E7%BD%91&q=+"

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"fail"', b"", b': ""}'):
            yield piece

    headers = signed(await made(district), "POST", target, b'{"fail": ""}')
    assert (await send(probe, target, headers, pieces())).status_code == 201


async def test_a_body_over_the_limit_is_read_no_further_whatever_its_signature(
    district: str, probe: httpx.AsyncClient
) -> None:
    body = bytes(LARGEST + 1)
    answer = await send(probe, MARKS, signed(await made(district), "POST", MARKS, b""), body)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


async def test_people_sign_nothing(district: str, probe: httpx.AsyncClient) -> None:
    person = await people.sign_in(district, Role.STATION)
    assert (await send(probe, MARKS, person.headers)).status_code == 201


@pytest.mark.parametrize(("language", "index"), [("zh-CN", 0), ("en", 1)])
async def test_the_refusal_speaks_chinese_and_english(
    district: str, probe: httpx.AsyncClient, language: str, index: int
) -> None:
    headers = {"X-Api-Key": (await made(district)).key, "Accept-Language": language}
    document = (await send(probe, MARKS, headers)).json()
    assert document["title"] == ("请求没有签名", "The request is not signed")[index]
    assert document["detail"] == REASONS["missing"][index]


async def test_the_documented_client_is_understood(district: str, probe: httpx.AsyncClient) -> None:
    found = re.search(r"```python\n(.*?)```", CLIENT, re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    key = await made(district)
    headers = names["signed"](key.key, key.secret, "POST", MARKS, b"{}")
    assert (await send(probe, MARKS, headers)).status_code == 201


async def test_a_client_that_signs_everything_reads_too(district: str, probe: httpx.AsyncClient) -> None:
    assert (await probe.get("/v1/me", auth=Signed(await made(district)))).status_code == 200


async def test_the_document_names_the_headers_where_something_changes(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    wanted = {"X-Timestamp", "X-Nonce", "X-Signature"}
    for path, method, expected in (
        (CASES, "post", wanted),
        (CASES, "get", set[str]()),
        ("/v1/auth/login", "post", set[str]()),
    ):
        operation = document["paths"][path][method]
        assert {p["name"] for p in operation.get("parameters", [])} & wanted == expected, f"{method} {path}"
        assert "401" in operation["responses"]
    assert "signature-refused" in document["components"]["securitySchemes"]["apiKey"]["description"]
