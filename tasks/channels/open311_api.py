"""Open311 GeoReport v2 over HTTP: JSON and XML, the specification's own errors, a key for POST only."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Problem, language_of
from media.evidence import EvidenceRef
from tasks.channels import open311_commands as commands
from tasks.channels import open311_discovery, open311_form, open311_xml
from tasks.channels.open311 import (
    Comment,
    Definition,
    ErrorView,
    Receipt,
    Refused,
    Service,
    ServiceRequest,
    Token,
    Update,
)
from tasks.channels.open311_discovery import Discovery

AnyRequest = Request[Any, Any, Any]
JSON, XML = "application/json", "text/xml"
PATH = "/open311/v2"
LARGEST_BODY = 12 * 1024 * 1024
"""A picture and the form around it."""
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_WORDS = {
    400: "A parameter is missing or not valid: every one is listed",
    403: "The key is missing, not valid, or may not send requests",
    404: "No such service, request, token or jurisdiction",
    413: "Too large",
    429: "Too many requests",
}
RESPONSES = {
    status: ResponseSpec(data_container=list[ErrorView], description=words, generate_examples=False)
    for status, words in _WORDS.items()
}
OPT: dict[str, Any] = {"public": True, "answers": (JSON, XML), "refuses": (JSON, XML)}
_READ: dict[str, Any] = {
    "opt": OPT, "tags": ["open311"], "responses": {n: RESPONSES[n] for n in (400, 404, 429)}
}  # fmt: skip


def both(path: str) -> list[str]:
    """Return the addresses of a resource: with each suffix, and without one."""
    return [path, f"{path}.json", f"{path}.xml"]


def split(name: str) -> tuple[str, str | None]:
    """Return the last part of an address without its suffix, and the kind of content the suffix means."""
    for suffix, kind in ((".json", JSON), (".xml", XML)):
        if name.endswith(suffix):
            return name.removesuffix(suffix), kind
    return name, None


def kind_of(request: AnyRequest) -> str:
    """Return JSON or XML: by the suffix of the address, else by Accept, else JSON."""
    named = split(request.url.path)[1]
    if named is not None:
        return named
    accepted = request.accept
    best = accepted.best_match([JSON, XML, "application/xml"], default=JSON)
    return JSON if best == JSON else XML


def answer(
    request: AnyRequest,
    root: str,
    found: Any,
    entry: str | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    """Return a resource, or a list of `entry`s, as it was asked for."""
    kind = kind_of(request)
    if kind == JSON:
        content = msgspec.json.encode(found)
    else:
        content = open311_xml.single(root, found) if entry is None else open311_xml.listed(root, entry, found)
    told = f"{JSON}; charset=utf-8" if kind == JSON else kind  # to text the framework adds it
    return Response(content, status_code=status, media_type=told, headers=headers)


def language(request: AnyRequest) -> int:
    """Return the index of the language of words."""
    return language_of(request.headers.get("accept-language", ""))


def _refusal(request: AnyRequest, status: int, words: Sequence[str], headers: dict[str, str]) -> Response[Any]:
    errors = [ErrorView(status, each) for each in words]
    response = answer(request, "errors", errors, "error", status)
    response.headers.update(headers)
    return response


def on_refused(request: AnyRequest, error: Refused) -> Response[Any]:
    """Answer a refusal as the specification has it."""
    headers = {"Retry-After": "60"} if error.status == 429 else {}
    return _refusal(request, error.status, [words[language(request)] for words in error.reasons], headers)


def on_problem(request: AnyRequest, error: Problem) -> Response[Any]:
    """Answer what the platform refuses everywhere (too many requests, an unknown district) in these words."""
    status = 400 if error.status == 422 else 403 if error.status == 401 else error.status
    return _refusal(request, status, [(error.detail or error.title)[language(request)]], error.headers)


def on_http_exception(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Answer what the framework refuses."""
    if error.status_code >= 500:
        raise error
    return _refusal(request, error.status_code, [error.detail or "not readable"], dict(error.headers or {}))


async def _district(asked: str | None, district: str) -> str:
    return await commands.jurisdiction(asked or "", district)


@get(both("/discovery"), **_READ)
async def discovery(request: AnyRequest) -> Response[Discovery]:
    """Say where what is spoken: formats, how to get a key, and each extension of this endpoint."""
    base = str(request.base_url).rstrip("/") + PATH
    return answer(request, "discovery", open311_discovery.document(base, language(request)))


@get(both("/services"), **_READ)
async def services(
    request: AnyRequest,
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[list[Service]]:
    """List the services a citizen may ask for."""
    found = await commands.services(await _district(jurisdiction_id, district), now)
    return answer(request, "services", found, "service")


@get("/services/{service_code:str}", **_READ)
async def service(
    request: AnyRequest,
    service_code: FromPath[str],
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[Definition]:
    """Say which attributes a service asks for. `service_code` may end in `.json` or `.xml`."""
    code = split(service_code)[0]
    found = await commands.definition(await _district(jurisdiction_id, district), code, now)
    return answer(request, "service_definition", found)


@get(both("/requests"), **_READ)
async def requests(
    request: AnyRequest,
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
    service_request_id: FromQuery[str | None] = None,
    service_code: FromQuery[str | None] = None,
    start_date: FromQuery[str | None] = None,
    end_date: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
    bbox: FromQuery[str | None] = None,
    updated_after: FromQuery[str | None] = None,
    updated_before: FromQuery[str | None] = None,
    page: FromQuery[str | None] = None,
    page_size: FromQuery[str | None] = None,
) -> Response[list[ServiceRequest]]:
    """List public requests, newest first, of the last 90 days unless asked otherwise; `Link: rel=next` if more follow.

    Lists are separated by commas. `service_request_id` overrides everything else. Extensions: `bbox`
    (west,south,east,north), `updated_after` (then the earliest change comes first), `updated_before`, `page`,
    `page_size`.
    """
    fields = {name: request.query_params.getall(name) for name in request.query_params.dict()}
    wanted = open311_form.wanted(fields, now)
    found = await commands.requests(await _district(jurisdiction_id, district), wanted, language(request), now)
    headers: dict[str, str] = {}
    if found.more:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
        following = urlencode([*kept, ("page", str(wanted.page + 1))])
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return answer(request, "service_requests", found.requests, "request", headers=headers)


@get("/requests/{service_request_id:str}", **_READ)
async def one_request(
    request: AnyRequest,
    service_request_id: FromPath[str],
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[list[ServiceRequest]]:
    """Get one public request, as a list of one. The id may end in `.json` or `.xml`."""
    number = split(service_request_id)[0]
    found = await commands.request(await _district(jurisdiction_id, district), number, language(request), now)
    return answer(request, "service_requests", [found], "request")


@get("/tokens/{token_id:str}", **_READ)
async def token(
    request: AnyRequest,
    token_id: FromPath[str],
    district: NamedDependency[str],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[list[Token]]:
    """Get the id of a request by its token. Requests get their id at once here; a token is the id of the case."""
    found = await commands.token(await _district(jurisdiction_id, district), split(token_id)[0])
    return answer(request, "service_requests", [found], "request")


@get(both("/requests/{service_request_id:str}/updates"), **_READ)
async def updates(
    request: AnyRequest,
    service_request_id: FromPath[str],
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[list[Update]]:
    """List the public steps of a request, oldest first (extension)."""
    found = await commands.updates(
        await _district(jurisdiction_id, district), service_request_id, language(request), now
    )
    return answer(request, "service_request_updates", found, "request_update")


@get(both("/requests/{service_request_id:str}/comments"), **_READ)
async def comments(
    request: AnyRequest,
    service_request_id: FromPath[str],
    district: NamedDependency[str],
    now: NamedDependency[datetime],
    jurisdiction_id: FromQuery[str | None] = None,
) -> Response[list[Comment]]:
    """List what the sender added to a request, once staff dealt with it (extension)."""
    found = await commands.comments(await _district(jurisdiction_id, district), service_request_id, now)
    return answer(request, "comments", found, "comment")


def _form(*names: str, attributes: bool = False) -> RequestBody:
    """Return how a form is described: every field is text, one value each."""
    text = Schema(type=OpenAPIType.STRING)
    schema = Schema(
        type=OpenAPIType.OBJECT,
        properties=dict.fromkeys(names, text),
        description="`attribute[CODE]` holds the value of an attribute of the service" if attributes else None,
    )
    content = {kind: OpenAPIMediaType(schema=schema) for kind in (FORM, MULTIPART)}
    return RequestBody(content=content, required=True)


FIELDS = (
    "api_key", "jurisdiction_id", "service_code", "lat", "long", "address_string", "address_id", "description",
    "email", "phone", "first_name", "last_name", "device_id", "account_id", "media_url",
)  # fmt: skip


@dataclass
class _Submission(Operation):
    """Describes the form of a request; the framework wants a dataclass."""

    def __post_init__(self) -> None:
        self.request_body = _form(*FIELDS, attributes=True)


@dataclass
class _Comment(Operation):
    """Describes the form of a comment."""

    def __post_init__(self) -> None:
        self.request_body = _form("api_key", "jurisdiction_id", "description")


class _Sent(Struct, frozen=True):
    """The fields of a form, and the picture that came as its part `media`."""

    fields: dict[str, list[str]]
    picture: bytes = b""
    media: EvidenceRef | None = None


async def _sent(request: AnyRequest) -> _Sent:
    """Return the fields of a form and of the address (`api_key`, `jurisdiction_id`); Refused when they are no form."""
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    found: dict[str, list[str]] = {
        name: request.query_params.getall(name)
        for name in ("api_key", "jurisdiction_id")
        if name in request.query_params
    }
    if kind == MULTIPART:
        return await _parts(request, found)
    body = await request.body()
    if body and kind != FORM:
        raise Refused(400, (f"请以 {FORM} 发送", f"send it as {FORM}"))
    return _Sent(found | open311_form.decode(body))


async def _parts(request: AnyRequest, found: dict[str, list[str]]) -> _Sent:
    pictures: list[UploadFile] = []
    for name, value in (await request.form()).multi_items():
        if not isinstance(value, UploadFile):
            found.setdefault(name, []).append(str(value))
        elif name != "media" or pictures:
            raise Refused(400, (f"{name}：只接收一个文件 media", f"{name}: one file is taken, media"))
        else:
            pictures.append(value)
    if not pictures:
        return _Sent(found)
    picture = await pictures[0].read()
    if not picture:
        raise Refused(400, ("media：文件为空", "media: the file is empty"))
    digest = hashlib.sha256(picture).hexdigest()
    media = EvidenceRef(id=new_id(), sha256=digest, size=len(picture), media_type=_type_of(pictures[0], picture))
    return _Sent(found, picture, media)


def _type_of(file: UploadFile, content: bytes) -> str:
    """Return what a client says a file is; many say nothing of use: then its first bytes tell."""
    if file.content_type.startswith(("image/", "video/")):
        return file.content_type[:100]
    return next((kind for begin, kind in _BEGINNINGS.items() if content.startswith(begin)), "application/octet-stream")


_BEGINNINGS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png"}


async def _entered(request: AnyRequest, default: str, now: datetime) -> tuple[_Sent, Actor]:
    """Return what was sent, and whose key came with it; Refused (403, 404)."""
    sent = await _sent(request)
    key, where = ((sent.fields.get(name) or [""])[-1] for name in ("api_key", "jurisdiction_id"))
    return sent, await commands.holder(await _district(where, default), key, now)


_WRITE: dict[str, Any] = {"opt": OPT, "tags": ["open311"], "responses": RESPONSES, "status_code": 201}


@post(both("/requests"), operation_class=_Submission, request_max_body_size=LARGEST_BODY, **_WRITE)
async def submit(
    request: AnyRequest, district: NamedDependency[str], now: NamedDependency[datetime]
) -> Response[list[Receipt]]:
    """Send a request with the `api_key` of a machine; nothing is signed. The same content within 10 minutes is one.

    A place (`lat` and `long`, `address_string` or `address_id`) and `service_code` are required. Contacts are sealed
    and never public; `device_id` and `account_id` are not kept. In a form of parts, `media` is a picture: it is kept
    as evidence and not public.
    """
    sent, actor = await _entered(request, district, now)
    asked = open311_form.submission(sent.fields, sent.media)
    receipt = await commands.submit(asked, sent.picture, actor, language(request), now)
    return answer(request, "service_requests", [receipt], "request", 201)


@post(both("/requests/{service_request_id:str}/comments"), operation_class=_Comment, **_WRITE)
async def comment(
    request: AnyRequest,
    service_request_id: FromPath[str],
    district: NamedDependency[str],
    now: NamedDependency[datetime],
) -> Response[list[Comment]]:
    """Add to a request with the key that sent it (extension)."""
    sent, actor = await _entered(request, district, now)
    text = (sent.fields.get("description") or [""])[-1]
    added = await commands.comment(service_request_id, text, actor, now)
    return answer(request, "comments", [added], "comment", 201)


routes: list[Any] = [
    Router(
        PATH,
        route_handlers=[
            discovery, services, service, requests, one_request, token, updates, comments, submit, comment,
        ],
        exception_handlers={Refused: on_refused, Problem: on_problem, HTTPException: on_http_exception},
    )
]  # fmt: skip
