"""Every operation of the application with a request that fits its shape, made from routes and OpenAPI document."""

from typing import Any
from uuid import uuid4

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import Struct


class Operation(Struct, frozen=True):
    """One method of one address; `opt` is what its handler declares about rights."""

    method: str
    path: str
    opt: dict[str, Any]
    url: str
    body: Any = None
    query: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


TEXTS = {
    "date-time": "2026-11-23T08:00:00Z",
    "date": "2026-11-23",
    "time-local": "08:00:00",
    "duration": "PT1H",
    "uri": "https://example.org/",
    "byte": "AAAA",
}
NAMES = {"code": "330109001", "period": "2026-11", "tile": "1.mvt", "of_district": "330109", "file_path": "start.js"}
"""Values of path parameters that are no UUIDs, by name."""


def all_operations(app: Litestar, document: dict[str, Any]) -> list[Operation]:
    """Every operation but the OPTIONS the framework adds by itself."""
    assert all(isinstance(route, HTTPRoute) for route in app.routes), "say who may use what is no HTTP route"
    return [
        _operation(route, handler, method, document)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in sorted(handler.http_methods - {"OPTIONS"})
    ]


def _operation(route: HTTPRoute, handler: HTTPRouteHandler, method: str, document: dict[str, Any]) -> Operation:
    described = document["paths"].get(route.path_format, {}).get(method.lower(), {})
    content = described.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    required = [p for p in described.get("parameters", []) if p["in"] == "query" and p.get("required")]
    return Operation(
        method=method,
        path=route.path_format,
        opt=dict(handler.opt),
        url=_filled(route),
        body=None if schema is None else example(schema, document),
        query={p["name"]: str(example(p["schema"], document)) for p in required},
    )


def _filled(route: HTTPRoute) -> str:
    url = route.path_format
    for name, parameter in route.path_parameters.items():
        kind = parameter.type.__name__
        value = str(uuid4()) if kind == "UUID" else "1" if kind in ("int", "float") else NAMES.get(name, "x")
        url = url.replace("{" + name + "}", value)
    return url


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A small value of a JSON schema: required properties only, first choices."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("oneOf", "anyOf", "allOf"):
        if schema.get(choice):
            return example(schema[choice][0], document)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, document)


def _of_type(kind: str, schema: dict[str, Any], document: dict[str, Any]) -> Any:
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example(properties[name], document) for name in schema.get("required", ())}
    if kind == "array":
        return [example(schema.get("items", {}), document)] * max(1, schema.get("minItems", 0))
    if kind == "string":
        return _text(schema)
    return {"integer": max(1, schema.get("minimum", 1)), "number": 1.5, "boolean": True}.get(kind)


def _text(schema: dict[str, Any]) -> str:
    if schema.get("format") == "uuid":
        return str(uuid4())
    return TEXTS.get(schema.get("format", ""), "x" * max(1, schema.get("minLength", 1)))
