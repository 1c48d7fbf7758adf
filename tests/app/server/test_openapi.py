"""The OpenAPI document is complete: what is offered, to whom, and every way it may be refused."""

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest_asyncio
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.identity.matrix import NOT_FOR_MACHINES
from app.server.signatures import READING

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


@pytest_asyncio.fixture
async def document(http: httpx.AsyncClient) -> dict[str, Any]:
    return (await http.get("/openapi.json")).json()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


async def test_every_operation_has_a_tag_and_says_what_it_does(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) > 50
    assert [name for name, operation in found if not operation.get("tags")] == []
    assert [name for name, operation in found if len(operation.get("description", "")) < 10] == []


async def test_every_operation_names_the_problems_it_may_answer(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        responses = operation["responses"]
        for status in ("400", "422", "429", "503"):
            if (name, status) == ("GET /readyz", "503"):  # says which part is away
                continue
            assert "application/problem+json" in responses[status]["content"], f"{name} {status}"
        if operation.get("security"):
            assert {"401", "403"} <= responses.keys(), name


async def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [
                found
                for key, part in value.items()
                for found in ([part] if key == "$ref" and isinstance(part, str) else references(part))
            ]
        return [found for part in value for found in references(part)] if isinstance(value, list) else []

    for reference in set(references(document)):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]


async def test_the_ways_to_sign_in_are_described(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey", "deviceKey"}


async def test_every_schema_is_one_of_json_schema_2020_12(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema), name


def schemas(node: Any) -> list[dict[str, Any]]:
    """Every object of the document, whatever it describes."""
    if isinstance(node, dict):
        return [node, *(found for part in node.values() for found in schemas(part))]
    return [found for part in node for found in schemas(part)] if isinstance(node, list) else []


async def test_no_schema_offers_an_alternative_that_fits_everything_or_one_twice(document: dict[str, Any]) -> None:
    choices = [node for node in schemas(document) if "oneOf" in node or "anyOf" in node]
    assert len(choices) > 50
    for node in choices:
        offered = node.get("oneOf", []) + node.get("anyOf", [])
        assert {} not in offered, node
        assert [one for one in offered if offered.count(one) > 1] == [], node


async def test_a_bounded_list_says_what_it_holds_and_how_many(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    squads = known["NewRound"]["properties"]["squads"]
    assert squads == {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1, "maxItems": 100}
    evidence = known["Submit"]["properties"]["evidence"]
    assert (evidence["items"], evidence["maxItems"]) == ({"$ref": "#/components/schemas/EvidenceRef"}, 30)


async def test_a_time_of_the_day_is_described_as_it_is_written(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    for schema in (known["Window"]["properties"]["since"], known["Round"]["properties"]["hours_from"]):
        assert schema["format"] == "time-local"
        for text, right in (("18:30:00", True), ("18:30:00.5", True), ("18:30", False), ("24:00:00", False),
                            ("18:30:00Z", False), ("PT18H30M", False)):  # fmt: skip
            assert bool(re.search(schema["pattern"], text)) == right, text


SIGNATURE = {"X-Timestamp", "X-Nonce", "X-Signature"}


def handlers(app: Litestar) -> dict[str, HTTPRouteHandler]:
    return {
        f"{method} {route.path_format}": handler
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
    }


async def test_signing_is_described_where_a_machine_may_change_something_and_nowhere_else(
    app: Litestar, document: dict[str, Any]
) -> None:
    known = handlers(app)
    signed: set[str] = set()
    for name, operation in operations(document):
        opt = known[name].opt
        closed = opt.get("public") or opt.get("action") in NOT_FOR_MACHINES or opt.get("first_password")
        assert ({"apiKey": []} in operation.get("security", ())) == (not closed), name
        headers = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"}
        wanted = set() if closed or name.split()[0] in READING else SIGNATURE
        assert headers & SIGNATURE == wanted, name
        signed |= {name} if wanted else set()
    assert {"POST /v1/cases", "PUT /v1/evidence/{evidence_id}/content"} <= signed
    assert signed.isdisjoint({"GET /v1/cases", "POST /v1/sync/push", "POST /v1/auth/login", "POST /v1/auth/password"})


async def test_a_sensor_s_key_is_named_where_it_opens_something(document: dict[str, Any]) -> None:
    keyed = {name for name, one in operations(document) if {"deviceKey": []} in one.get("security", ())}
    assert "POST /v1/readings" in keyed
    assert keyed.isdisjoint({"POST /v1/cases", "GET /v1/keys"})


async def test_every_answer_that_succeeds_says_what_kind_of_content_it_has(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("2") and status != "204":
                assert response.get("content") or name.startswith(("HEAD", "PATCH /v1/uploads", "POST /v1/up")), name
                for kind, media in response.get("content", {}).items():
                    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind), f"{name}: {kind}"
                    assert media.get("schema") or not kind.endswith("json"), f"{name}: JSON of any shape"


async def test_pictures_tiles_and_packed_answers_are_not_called_json(document: dict[str, Any]) -> None:
    answers = {name: operation["responses"]["200"]["content"] for name, operation in operations(document)
               if "200" in operation["responses"] and "content" in operation["responses"]["200"]}  # fmt: skip
    assert answers["GET /v1/tiles/cells/{z}/{x}/{tile}"] == {"application/vnd.mapbox-vector-tile": {}}
    assert {"image/jpeg", "video/mp4"} <= answers["GET /v1/media/{of_district}/{evidence_id}/{variant}"].keys()
    assert answers["POST /v1/sync/pull"].keys() == {"application/json", "application/x-msgpack"}
