"""Examples of the API document fit: every body is taken by its operation, every answer and problem is as described."""

import re
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest_asyncio
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.identity.matrix import ACTIONS
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.kernel.problem import CATALOGUE
from app.server import examples
from scoring.teams import scheme
from tests.tools import people
from visits.sync.verdict import Op

METHODS = ("get", "post", "put", "patch", "delete")


@pytest_asyncio.fixture
async def document(http: httpx.AsyncClient) -> dict[str, Any]:
    return (await http.get("/openapi.json")).json()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def json_bodies(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        at: operation["requestBody"]["content"]["application/json"]
        for at, operation in operations(document).items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    }


def handlers(app: Litestar) -> dict[tuple[str, str], HTTPRouteHandler]:
    return {
        (method, route.path_format): handler
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
    }


def faults(document: dict[str, Any], media: dict[str, Any], value: Any) -> list[str]:
    """What the schema of the document has against a value."""
    schema = media["schema"] | {"components": document["components"]}
    return [error.message for error in jsonschema_rs.validator_for(schema, validate_formats=True).iter_errors(value)]


async def test_every_operation_that_takes_json_shows_an_example(document: dict[str, Any]) -> None:
    bodies = json_bodies(document)
    assert len(bodies) > 70
    assert [at for at, media in bodies.items() if "example" not in media] == []


async def test_every_example_of_a_body_is_what_its_handler_takes(app: Litestar, document: dict[str, Any]) -> None:
    known = handlers(app)
    for at, media in json_bodies(document).items():
        field = known[at].parsed_data_field
        assert field is not None, at
        taken = msgspec.json.decode(msgspec.json.encode(media["example"]), type=field.annotation, strict=True)
        if isinstance(taken, dict):  # a platform's record, with names of its own
            continue
        fields = {one.encode_name for one in msgspec.structs.fields(taken)} | {"type"}
        assert set(media["example"]) <= fields, f"{at}: a name nobody reads"


async def test_what_is_inside_an_example_is_right_too() -> None:
    assert scheme.read(examples.SCHEME).code == "demo-grid-monthly"
    for op in examples.REQUESTS["V1SyncPushPush"]["ops"]:
        assert msgspec.convert(op, Op).type == "visit.record"


async def test_every_example_of_an_answer_has_the_shape_of_the_answer(document: dict[str, Any]) -> None:
    shown = 0
    for at, operation in operations(document).items():
        media = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        if "example" in media:
            shown += 1
            assert faults(document, media, media["example"]) == [], at
            node = media["schema"].get("items", media["schema"])
            known = document["components"]["schemas"][node["$ref"].rpartition("/")[2]]["properties"]
            rows = media["example"] if isinstance(media["example"], list) else [media["example"]]
            assert all(set(row) == set(known) for row in rows), at
    assert shown == len(examples.ANSWERS)


async def test_no_example_belongs_to_an_operation_that_is_not_there(document: dict[str, Any]) -> None:
    there = {operation["operationId"] for operation in operations(document).values()}
    assert (examples.REQUESTS.keys() | examples.ANSWERS.keys()) - there == set()


async def test_examples_of_problems_are_problems_of_the_catalogue(document: dict[str, Any]) -> None:
    media = operations(document)["POST", "/v1/cases"]["responses"]
    for status, problems in examples.PROBLEMS.items():
        shown = media[status]["content"]["application/problem+json"]
        assert shown["examples"].keys() == problems.keys()
        for name, value in problems.items():
            kind = CATALOGUE[name]
            assert (value["status"], value["title"], str(kind.status)) == (kind.status, kind.title[0], status)
            assert faults(document, shown, value) == []


async def test_no_example_makes_the_server_fail(
    committed: str, app: Litestar, http: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    known, failed = handlers(app), dict[tuple[str, str], int]()
    for method, path in json_bodies(document):
        action = known[method, path].opt.get("action")
        role = next((one for one in Role if action is None or ACTIONS[action][one] != "-"), None)
        person = await people.sign_in_citizen(committed) if role is None else None
        signed_in = person or await people.sign_in(committed, role or Role.AUDITOR, new_id())
        body = operations(document)[method, path]["requestBody"]["content"]["application/json"]["example"]
        url = re.sub(r"{\w+}", lambda name: "2026-11" if name[0] == "{period}" else examples.CASE, path)
        answer = await http.request(method, url, json=body, headers=signed_in.headers)
        if answer.status_code >= 500 or answer.status_code in (400, 405, 415):
            failed[method, path] = answer.status_code
    # the mini-program's platform is not there in tests
    assert failed == {("POST", "/v1/citizen/login"): 503}
