"""The OpenAPI document is complete: what is offered, to whom, and every way it may be refused."""

from typing import Any

import httpx
import jsonschema_rs
import pytest_asyncio

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
