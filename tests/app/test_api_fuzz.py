"""A generated client tries every operation with all kinds of content: no 5xx, and no answer that is not documented."""

import asyncio
import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from schemathesis.checks import CHECKS, load_all_checks

from app.identity import commands as identity
from app.identity.matrix import ACTIONS
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from tests.tools import faults, people
from tests.tools.operations import all_operations

TOWN = "330109001"
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1200"))
"""Requests for all operations together, however many there are; more find more (100 take a second)."""
LEAST = 2
"""Requests for an operation when there are very many of them."""

load_all_checks()
WANTED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def role_for(action: str | None) -> str:
    """Somebody who may do it, so that the request gets as far as it can."""
    if action is None:
        return Role.DISTRICT_CENTRE
    row = ACTIONS[action]
    preferred = [Role.DISTRICT_CENTRE, Role.TOWN_CENTRE, Role.ADMINISTRATOR, Role.AUDITOR, "citizen", *Role]
    return next((str(role) for role in preferred if row[role] != "-"), "machine")


async def somebody(district: str, role: str) -> dict[str, str]:
    """Headers of somebody new, so that one operation's sign-outs and limits are not another's."""
    if role == "citizen":
        return (await people.sign_in_citizen(district)).headers
    if role == "machine":
        return {"X-Api-Key": (await identity.create_key(district, "12315", sorted(ACTIONS), clock.now())).key}
    return (await people.sign_in(district, Role(role), new_id())).headers


async def furnished(district: str, http: httpx.AsyncClient) -> dict[str, str]:
    """Things that are there, by the name path parameters have for them: half of the requests are about these."""
    centre = await people.sign_in(district, Role.DISTRICT_CENTRE, new_id())
    async with db.transaction(district):
        for code, level, parent in ((district, "district", None), (TOWN, "town", district)):
            await db.execute(
                "insert into area (code, level, name, parent, kind, valid_from, source)"
                " values ($1, $2, $1, $3, '', $4, 'test')", code, level, parent, clock.now(),
            )  # fmt: skip
    unit = {"kind": "department", "name": "演示单位", "code": "demo-unit", "area": district}
    owner = (await http.post("/v1/organisations", json=unit, headers=centre.headers)).json()["id"]
    sensor = {"code": "demo-1", "name": "演示水位计", "kind": "water_level", "owner": owner, "area": district}
    device = (await http.post("/v1/sensing/devices", json=sensor, headers=centre.headers)).json()["device"]["id"]
    citizen = await people.sign_in_citizen(district)
    wish = {"text": "路灯不亮（演示）", "address": "演示路 1 号"}
    request = (await http.post("/v1/citizen/requests", json=wish, headers=citizen.headers)).json()["id"]
    return {
        "code": TOWN, "organisation_id": owner, "device_id": device, "case_id": request, "request_id": request,
        "account_id": str(centre.actor.id), "person_id": str(centre.actor.id), "period": "2026-11",
    }  # fmt: skip


@schemathesis.serializer("application/x-msgpack")
def packed(context: Any, value: Any) -> bytes:
    """Bodies in MessagePack, which the client does not know by itself."""
    return msgspec.msgpack.encode(value)


def shares(document: dict[str, Any]) -> dict[tuple[str, str], int]:
    """How many of the requests each operation gets, by (METHOD, path): one when there is nothing to vary."""
    varied: dict[tuple[str, str], bool] = {
        (method.upper(), path): bool(operation.get("parameters") or operation.get("requestBody"))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    each = max(LEAST, (REQUESTS - list(varied.values()).count(False)) // max(1, sum(varied.values())))
    return {at: each if much else 1 for at, much in varied.items()}


def attack(
    operation: Any, base: str, headers: dict[str, str], known: dict[str, str], requests: int, found: list[str]
) -> None:
    """Send generated requests to one operation and check each answer."""

    @settings(
        max_examples=requests,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.booleans(), version=st.integers(1, 4))
    def tried(case: Any, real: bool, version: int) -> None:
        for name in case.path_parameters or {}:
            if real and name in known:
                case.path_parameters[name] = known[name]
        if real and "case_id" in (case.path_parameters or {}) and isinstance(case.body, dict):
            case.body["version"] = version
        response = case.call(base_url=base, headers=headers, timeout=20)
        case.validate_response(response, checks=[CHECKS.get_one(name) for name in WANTED])

    try:
        tried()
    except (Exception, BaseExceptionGroup) as error:
        found.append(f"{operation.label}: {error}")


class MiniProgramPlatform(BaseHTTPRequestHandler):
    """Vouches for every code, as the real platform does for good ones."""

    def do_GET(self) -> None:
        code = parse_qs(urlsplit(self.path).query).get("js_code", ["x"])[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"openid": code}).encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""


@pytest.fixture
def mini_program() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), MiniProgramPlatform) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def environment(database_url: str, redis_url: str, mini_program: str, tmp_path: Path) -> dict[str, str]:
    return {
        "ZJW_MINI_PROGRAM_URL": mini_program,
        "ZJW_HOME": str(tmp_path / "home"),
        "ZJW_LOG_LEVEL": "warning",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }


def test_the_requests_are_a_total_however_many_operations_there_are() -> None:
    def document(operations: int) -> dict[str, Any]:
        return {"paths": {f"/{n}": {"get": {}, "post": {"requestBody": {"content": {}}}} for n in range(operations)}}

    for operations in (1, 80, 240):
        planned = shares(document(operations))
        assert REQUESTS * 0.6 < sum(planned.values()) <= REQUESTS, operations
        assert planned["GET", "/0"] == 1 < planned["POST", "/0"]


async def test_no_content_makes_the_server_fail_or_answer_what_is_not_documented(
    committed: str, environment: dict[str, str], app: Litestar, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    document = (await http.get("/openapi.json")).json()
    known = await furnished(committed, http)
    credentials = {
        (one.method, one.path): await somebody(committed, role_for(one.opt.get("action")))
        for one in all_operations(app, document)
    }
    for methods in document["paths"].values():  # it would make up credentials of its own
        for operation in methods.values():
            operation.pop("security", None)
    requests = shares(document)
    found: list[str] = []

    def attack_all(base: str) -> None:
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            if "stream" in operation.path:  # has no end to wait for
                continue
            at = operation.method.upper(), operation.path
            attack(operation, base, credentials[at], known, requests[at], found)

    async with faults.phoenix("server", environment, tmp_path / "server.log") as server:
        await asyncio.to_thread(attack_all, f"http://127.0.0.1:{server.port}")
    assert not found, "\n\n".join(found)
