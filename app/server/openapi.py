"""The OpenAPI 3.1 document with every problem an operation may answer, and its page, which needs no internet."""

from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get, static_files
from litestar.datastructures import CacheControlHeader
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from app.identity.matrix import FOR_DEVICES, NOT_FOR_MACHINES
from app.server import contents, examples
from app.server.health import OPEN
from app.server.signatures import READING

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
DOCS = Path(__file__).resolve().parent.parent / "web" / "vendor" / "swagger-ui"

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem document",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_WORDS = {
    "400": "The request cannot be read",
    "401": "Not signed in, or the signature of a machine's change is refused",
    "403": "Not permitted",
    "404": "No such thing, or not yours",
    "405": "Method not allowed",
    "406": "Not acceptable",
    "409": "Not possible in the present state or version",
    "410": "Gone",
    "412": "Precondition failed",
    "413": "Too large",
    "415": "Unsupported media type",
    "422": "The content is not valid: every bad field is listed",
    "426": "The app is too old",
    "428": "Precondition required",
    "429": "Too many requests: Retry-After",
    "460": "Checksum mismatch",
    "503": "Temporarily unavailable: Retry-After",
}


def _problem_response(status: str) -> dict[str, Any]:
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _WORDS[status], "content": schema}


def _may_answer(responses: dict[str, Any], status: str) -> None:
    """Add the problem to what an operation says of a status; what the framework says of 400 is not so here."""
    described = responses.get(status)
    if described is None or (status == "400" and described["description"] == HTTPStatus.BAD_REQUEST.description):
        responses[status] = _problem_response(status)
    else:  # an answer of its own, as XML may be, or the body of a check that fails
        described["content"] = described.get("content", {}) | _problem_response(status)["content"]


def complete(document: dict[str, Any], opts: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Add to each operation its kinds of content, the problems it may answer and the credentials it needs.

    `opts` holds what the handlers declare, by (method, path).
    """
    contents.plain(document)
    document["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method not in METHODS:
                continue
            opt = opts[method, path]
            contents.describe(operation, opt)
            for status in _statuses(method, path, bool(opt.get("public"))):
                _may_answer(operation["responses"], status)
            if not opt.get("public"):
                _close(method, operation, opt)
    examples.show(document)
    return document


def _statuses(method: str, path: str, public: bool) -> set[str]:
    """Return the problems an operation may answer."""
    statuses = {"400", "401", "404", "405", "406", "413", "415", "422", "429", "503"}
    if method not in ("get", "head"):
        statuses |= {"409", "410", "412", "428"}
    if not public:
        statuses |= {"403"}
    if "/uploads" in path or "/sync/" in path:
        statuses |= {"409", "410", "412", "426", "460"}
    return statuses


def _header(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": 200}
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


_SIGNED = [
    _header("X-Timestamp", "Needed with X-Api-Key: Unix seconds, at most 5 minutes from the server's clock"),
    _header("X-Nonce", "Needed with X-Api-Key: 8-100 characters `A-Za-z0-9._~-`, new for each request of the key"),
    _header(
        "X-Signature",
        "Needed with X-Api-Key: hex HMAC-SHA-256 of the key's secret over"
        " `timestamp LF nonce LF METHOD LF path?query LF body`",
    ),
]


def _close(method: str, operation: dict[str, Any], opt: dict[str, Any]) -> None:
    """Say which credentials an operation takes, and that a machine signs what changes something."""
    credentials = [{"bearer": list[str]()}]
    action = opt.get("action")
    if not opt.get("first_password"):  # who has no password changes none, and ends no session
        if action not in NOT_FOR_MACHINES:
            credentials.append({"apiKey": []})
            if method.upper() not in READING:
                operation.setdefault("parameters", []).extend(_SIGNED)
        if action is None or action in FOR_DEVICES:
            credentials.append({"deviceKey": []})
    operation["security"] = credentials


def describe_conditions(document: dict[str, Any], versioned: set[tuple[str, str]]) -> None:
    """Describe ETag, If-Match and If-None-Match where they are understood."""
    for method, path in versioned:
        operation = document["paths"][path][method]
        tag = {"description": 'Version and digest: `"7-0f3c…"`', "schema": {"type": "string"}}
        operation["responses"]["200"].setdefault("headers", {})["ETag"] = tag
        if method == "get":
            operation["responses"]["304"] = {"description": "You have it already"}
            header = _header("If-None-Match", "The ETag of the answer you have")
        else:
            header = _header("If-Match", 'The version you saw, `"7"` or its whole ETag, in place of `version`')
        operation.setdefault("parameters", []).append(header)


def _declared(app: Litestar) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the handlers of an app declare in `opt`, by (method, path)."""
    return {
        (method.lower(), route.path_format): dict(handler.opt)
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
    }


@lru_cache(maxsize=4)
def document_of(app: Litestar) -> bytes:
    """Return the OpenAPI document of an app as JSON."""
    # through JSON, so that only its kinds of values remain
    schema: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema()))
    opts = _declared(app)
    describe_conditions(schema, {at for at, opt in opts.items() if opt.get("versioned")})
    return msgspec.json.encode(complete(schema, opts))


@get("/openapi.json", opt=OPEN, include_in_schema=False, sync_to_thread=False)
def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI document."""
    return Response(document_of(request.app), media_type="application/json")


PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>综警网 API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"><link rel="icon" href="data:,">
<div id="docs"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script></html>
"""
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'"
)


class _Page(OpenAPIRenderPlugin):
    """The API reference as a page; everything it needs is served from here."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
        return PAGE.encode()


class _Document(OpenAPIRenderPlugin):
    """The complete document, in place of the framework's own."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        return document_of(request.app)


def config() -> OpenAPIConfig:
    """Return how an app describes itself: a page below /docs, without the framework's pages that load from CDNs."""
    return OpenAPIConfig(
        title="综警网 Field force platform",
        version="1",
        description="Grid, visits, evidence, case router and evaluation of a district's field forces."
        " Errors are RFC 9457 problem documents in Chinese or English (`Accept-Language`).",
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", description="Access token of staff or a citizen"
                ),
                "apiKey": SecurityScheme(
                    type="apiKey",
                    security_scheme_in="header",
                    name="X-Api-Key",
                    description="Key of a machine. Enough to read (GET, HEAD, OPTIONS); any other request is signed:"
                    " `X-Timestamp`, `X-Nonce`, `X-Signature`, else 401 `signature-refused`.",
                ),
                "deviceKey": SecurityScheme(type="apiKey", security_scheme_in="header", name="X-Device-Key"),
            }
        ),
        render_plugins=[_Page(), _Document()],
        use_handler_docstrings=True,
        openapi_router=Router(
            "/docs",
            route_handlers=[],
            opt=OPEN,
            include_in_schema=False,
            response_headers={"Content-Security-Policy": _CSP},
        ),
    )


_files: Any = static_files
assets = _files.create_static_files_router(
    path="/docs/assets",
    directories=[DOCS],
    opt=OPEN,
    include_in_schema=False,
    cache_control=CacheControlHeader(max_age=3600),
)
