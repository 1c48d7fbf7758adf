"""Every refusal is a problem document that says all that is wrong."""

import httpx
import pytest

from app.kernel.problem import language_of


async def test_every_bad_field_is_listed_at_once(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/auth/login", json={"username": 1.5, "device_id": "x", "colour": 1})
    document = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["type"] == "/problems/invalid"
    assert {e["field"] for e in document["errors"]} == {"username", "password", "device_id", "colour"}


async def test_texts_are_chinese_and_english_when_asked_for(http: httpx.AsyncClient) -> None:
    chinese = await http.get("/v1/me")
    english = await http.get("/v1/me", headers={"Accept-Language": "en-GB,en;q=0.9,zh;q=0.5"})
    assert (chinese.json()["title"], english.json()["title"]) == ("请先登录", "Sign in first")
    assert chinese.json()["type"] == english.json()["type"]


@pytest.mark.parametrize(
    ("header", "expected"), [("", 0), ("zh-CN", 0), ("en", 1), ("fr,en;q=0.3", 1), ("en;q=0.3,zh;q=0.8", 0), ("*", 0)]
)
def test_the_preferred_language_wins(header: str, expected: int) -> None:
    assert language_of(header) == expected


async def test_broken_json_is_400_and_an_unknown_address_404(http: httpx.AsyncClient) -> None:
    broken = await http.post("/v1/auth/login", content=b"{", headers={"Content-Type": "application/json"})
    absent = await http.get("/v1/nothing")
    wrong_method = await http.put("/v1/auth/login")
    assert [a.json()["status"] for a in (broken, absent, wrong_method)] == [400, 404, 405]
    assert {a.headers["content-type"] for a in (broken, absent, wrong_method)} == {"application/problem+json"}


async def test_every_answer_carries_its_request_id_and_the_callers_is_kept(http: httpx.AsyncClient) -> None:
    made = await http.get("/healthz")
    kept = await http.get("/healthz", headers={"X-Request-ID": "abc-123"})
    spoilt = await http.get("/healthz", headers={"X-Request-ID": "a b\tc"})
    assert len(made.headers["x-request-id"]) == 32
    assert kept.headers["x-request-id"] == "abc-123"
    assert len(spoilt.headers["x-request-id"]) == 32


async def test_ready_names_each_part(http: httpx.AsyncClient) -> None:
    answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["parts"] == {"database": "ok", "queue": "ok", "migrations": "ok", "storage": "ok"}
