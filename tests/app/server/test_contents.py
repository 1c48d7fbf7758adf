"""Operations that take or answer something else than JSON are described as they are."""

from typing import Any

import pytest
from litestar import Litestar, Response, get, post
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, JSONBody
from msgspec import Struct

from app.server import contents, examples
from app.server.openapi import complete


class Complaint(Struct):
    """What is reported."""

    text: str


@get("/export", media_type="text/csv", sync_to_thread=False)
def export() -> str:
    """A table."""
    return "a,b"


@get(
    "/requests",
    opt={"answers": ("application/json", "application/xml")},
    responses={400: ResponseSpec(bytes, description="Not as the standard asks", media_type="application/xml")},
    sync_to_thread=False,
)
def requests(limit: FromQuery[int] = 1) -> Response[list[Complaint]]:
    """JSON or XML, as asked."""
    return Response([])


@get("/tile", media_type="application/vnd.mapbox-vector-tile", sync_to_thread=False)
def tile() -> Response[bytes]:
    """A tile."""
    return Response(b"")


@get("/plain", media_type="text/plain", sync_to_thread=False)
def plain() -> str:
    """Words."""
    return ""


@post("/requests", opt={"takes": ("application/x-www-form-urlencoded", "application/json")}, sync_to_thread=False)
def submit(data: JSONBody[Complaint]) -> Complaint:
    """As a form or as JSON."""
    return data


@pytest.fixture
def described() -> dict[str, Any]:
    handlers = [export, requests, tile, plain, submit]
    app = Litestar(handlers, openapi_config=OpenAPIConfig(title="x", version="1"))
    opts = {
        (method.lower(), path): dict(handler.opt)
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods
    }
    return complete(app.openapi_schema.to_schema(), opts)["paths"]


REFERENCE = {"$ref": "#/components/schemas/Complaint"}


def test_each_kind_of_answer_stands_under_its_own_name(described: dict[str, Any]) -> None:
    answers = {path: methods["get"]["responses"]["200"]["content"] for path, methods in described.items()}
    assert answers["/export"] == {"text/csv": {}}
    assert answers["/tile"] == {"application/vnd.mapbox-vector-tile": {}}
    assert answers["/plain"] == {"text/plain": {"schema": {"type": "string"}}}
    listed = {"schema": {"type": "array", "items": REFERENCE}}
    assert answers["/requests"] == {"application/json": listed, "application/xml": {}}


def test_a_form_holds_what_the_json_would(described: dict[str, Any]) -> None:
    content = described["/requests"]["post"]["requestBody"]["content"]
    assert content == {
        kind: {"schema": REFERENCE} for kind in ("application/x-www-form-urlencoded", "application/json")
    }


def test_a_refusal_in_a_kind_of_its_own_stays_beside_the_problem(described: dict[str, Any]) -> None:
    refusal = described["/requests"]["get"]["responses"]["400"]
    assert refusal["description"] == "Not as the standard asks"
    assert refusal["content"].keys() == {"application/xml", "application/problem+json"}
    assert described["/requests"]["post"]["responses"]["400"]["content"].keys() == {"application/problem+json"}


def test_an_example_in_json_of_what_is_no_json_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(examples.ANSWERS, "Export", {"a": 1})
    operation = {"operationId": "Export", "responses": {"200": {"content": {"text/csv": {}}}}}
    with pytest.raises(ValueError, match="an example in JSON for text/csv"):
        examples.show({"paths": {"/export": {"get": operation}}})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"items": {"oneOf": [{"type": "string"}, {}]}, "maxItems": 3}, {"items": {"type": "string"}, "maxItems": 3}),
        ({"items": {"oneOf": [{}, {}]}}, {"items": {}}),
        ({"prefixItems": [{"type": "number"}] * 2}, {"items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        ({"items": {"oneOf": [{"type": "string"}, {"type": "null"}]}}, None),
        ({"prefixItems": [{"type": "number"}, {"type": "string"}]}, None),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"oneOf": [{"type": "number"}]}),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, None),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "maximum": 3}]}, None),
    ],
)
def test_lists_and_alternatives_are_written_plainly(before: dict[str, Any], after: dict[str, Any] | None) -> None:
    document = {"a": [{"b": {**before}}]}
    contents.plain(document)
    assert document == {"a": [{"b": after or before}]}
