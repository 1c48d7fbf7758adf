"""Around every answer: headers, compression, limits of size, figures, logs - and what strangers never learn."""

import logging

import brotli
import httpx
import pytest

from app.kernel.actor import Role
from tests.tools import people

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/nothing/here", 404),
        ("GET", "/v1/nothing/here", 404),
        ("PUT", "/healthz", 405),
        ("GET", "/v1/me", 401),
        ("POST", "/v1/auth/login", 422),
        ("GET", "/v1/test/crash", 500),
        ("GET", "/docs", 200),
    ],
)
async def test_security_headers_and_a_request_id_are_on_every_answer(
    database: str, probe: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await probe.request(method, path, headers={"X-Request-ID": "trace-1"})
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-request-id"] == "trace-1"
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == "trace-1"


async def test_answers_of_the_api_are_not_cached(district: str, probe: httpx.AsyncClient) -> None:
    person = await people.sign_in(district, Role.STATION)
    assert (await probe.get("/v1/me", headers=person.headers)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("accepted", "encoding"), [("br", "br"), ("gzip", "gzip"), ("identity", None)])
async def test_long_answers_are_compressed_as_the_client_takes_them(
    database: str, probe: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    async with probe.stream("GET", "/v1/test/long", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert (len(raw) < 2000) is (encoding is not None)
    if encoding == "br":
        assert brotli.decompress(raw).startswith(b'["')


async def test_a_body_over_the_limit_is_413_also_when_its_length_is_not_told(
    database: str, probe: httpx.AsyncClient
) -> None:
    async def chunks() -> object:
        for _ in range(30):
            yield b"x" * 100_000

    json = {"Content-Type": "application/json"}
    for content in (b"x" * 3_000_000, chunks()):
        answer = await probe.post("/v1/auth/login", content=content, headers=json)
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


async def test_a_crash_tells_the_caller_nothing(database: str, probe: httpx.AsyncClient) -> None:
    answer = await probe.get("/v1/test/crash")
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_a_database_that_is_away_is_503_with_retry_after_and_no_address(
    database: str, probe: httpx.AsyncClient
) -> None:
    answer = await probe.get("/v1/test/database")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "password" not in answer.text


async def test_a_district_that_is_not_here_is_said_so(database: str, probe: httpx.AsyncClient) -> None:
    for code in ("999999", "abc", "330109;"):
        body = {"username": "a", "password": "b"}
        answer = await probe.post("/v1/auth/login", json=body, headers={"X-District": code})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "X-District")


async def test_a_neighbouring_district_is_reached_by_its_header(committed: str, probe: httpx.AsyncClient) -> None:
    body = {"username": "nobody", "password": "b"}
    answer = await probe.post("/v1/auth/login", json=body, headers={"X-District": "330110"})
    assert answer.status_code == 401


async def test_cross_origin_calls_are_not_invited(database: str, probe: httpx.AsyncClient) -> None:
    answer = await probe.get("/healthz", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_figures_count_by_route_and_status_without_anything_personal(
    district: str, probe: httpx.AsyncClient
) -> None:
    person = await people.sign_in(district, Role.STATION)
    await probe.get("/v1/me", headers=person.headers)
    await probe.get("/v1/me")
    figures = (await probe.get("/metrics")).text
    assert 'zjw_http_requests_total{method="GET",route="/v1/me",status="200"}' in figures
    assert 'zjw_http_requests_total{method="GET",route="/v1/me",status="401"}' in figures
    assert 'zjw_http_request_seconds_bucket{le="0.01",method="GET",route="/v1/me"}' in figures
    assert str(person.actor.id) not in figures


async def test_a_log_line_says_route_status_and_time_and_neither_person_nor_query(
    district: str, probe: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    person = await people.sign_in(district, Role.ADMINISTRATOR)
    with caplog.at_level(logging.INFO, logger="zjw.http"):
        await probe.get("/v1/accounts?after=zhang.san", headers=person.headers)
    [line] = [r for r in caplog.records if r.name == "zjw.http"]
    assert (vars(line)["route"], vars(line)["status"], vars(line)["method"]) == ("/v1/accounts", 200, "GET")
    assert "zhang" not in str(vars(line))


async def test_the_docs_page_needs_nothing_from_elsewhere(database: str, probe: httpx.AsyncClient) -> None:
    page = (await probe.get("/docs")).text
    assert "http:" not in page
    assert "https:" not in page
    assets = [part.split('"')[0] for part in page.split('"/')[1:]]
    assert len([a for a in assets if a.startswith("docs/assets/")]) == 3
    for asset in assets:
        answer = await probe.get(f"/{asset}")
        assert answer.status_code == 200, asset
        assert answer.headers["content-type"].split(";")[0] in ("text/css", "text/javascript", "application/javascript")
    assert "/openapi.json" in (await probe.get("/docs/assets/start.js")).text
