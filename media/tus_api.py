"""Uploads over HTTP by tus 1.0.0 (core, creation, creation-with-upload, expiration, termination, checksum)."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, delete, head, patch, post, route
from litestar.datastructures import MutableScopeHeaders
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.exceptions import InternalServerException
from litestar.params import FromPath
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.kernel.actor import Actor
from app.kernel.problem import MethodNotAllowed
from media import receiving, tus
from media import upload_commands as commands
from media.configuration import limits
from media.uploads import Upload

AnyRequest = Request[Any, Any, Any]

OPEN: dict[str, Any] = {"public": True}
BEGINS: dict[str, Any] = {"signed_in": True, "streams": True}
"""`streams`: bodies are never gathered in memory."""
STREAMS: dict[str, Any] = BEGINS | {"unlimited": True}
"""`unlimited`: the parts of an upload are not counted; its beginning is."""


async def body_of(request: AnyRequest) -> AsyncIterator[bytes]:
    """The body as it comes; Interrupted when the client is gone before its end."""
    try:
        async for chunk in request.stream():
            yield chunk
    except InternalServerException as error:
        raise receiving.Interrupted from error


class Spoken:
    """Around the whole application: every answer to an upload's request names the version, refusals and limits too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Mark the answer."""
        if scope["type"] != "http" or scope["path"].split("/")[2:3] != ["uploads"]:
            await self._app(scope, receive, send)
            return

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableScopeHeaders.from_message(message)["Tus-Resumable"] = tus.VERSION
            await send(message)

        await self._app(scope, receive, mark)


_HOST = re.compile(r"[0-9A-Za-z.:\[\]_-]+")


def _address(request: AnyRequest, upload_id: UUID) -> str:
    """The whole address of an upload as its client reaches it: aiotus 1.1 takes no relative one."""
    host = request.headers.get("host", "")
    path = f"{request.scope['path'].rstrip('/')}/{upload_id}"
    if not _HOST.fullmatch(host):
        return path
    told = request.headers.get("x-forwarded-proto", "").lower()  # set by the proxy that ends TLS
    return f"{told if told in ('http', 'https') else request.scope['scheme']}://{host}{path}"


def _headers(upload: Upload, offset: int | None = None) -> dict[str, str]:
    headers: dict[str, str] = {}
    if offset is not None:
        headers["Upload-Offset"] = str(offset)
    if not upload.completed and offset != upload.length:
        headers["Upload-Expires"] = tus.http_date(upload.expires_at)
    return headers


@route(
    "/uploads",
    http_method=[HttpMethod.OPTIONS],
    opt=OPEN,
    status_code=204,
    include_in_schema=False,
    sync_to_thread=False,
)
def capabilities() -> Response[None]:
    """Tell versions, extensions, checksum algorithms and the largest upload."""
    return _capabilities()


def _capabilities() -> Response[None]:
    largest = max(limits().image_bytes, limits().video_bytes)
    return Response(None, status_code=204, headers=tus.capabilities(largest))


@post("/uploads", opt=BEGINS, tags=["uploads"], status_code=201, request_max_body_size=None)
async def create(request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Response[None]:
    """Begin an upload (tus creation). `Upload-Metadata` may name `filetype`, `sha256` (hex), `evidence` (its id).

    Bytes may come along (creation-with-upload). What is too large or of a wrong type is refused before they are read.
    """
    meant = tus.method_of("POST", request.headers)
    if meant == "OPTIONS":
        return _capabilities()
    if meant != "POST":
        raise MethodNotAllowed(headers={"Allow": "POST, OPTIONS"})
    tus.require_version(request.headers)
    upload = await commands.begin(actor, tus.creation(request.headers), now)
    location = {"Location": _address(request, upload.id)}
    asked = tus.first_part(request.headers)
    if asked is not None:
        offset = await commands.receive(actor, upload, asked, body_of(request), now)
        return Response(None, status_code=201, headers=_headers(upload, offset) | location)
    if upload.length == 0:
        await commands.finish(actor, upload, now)
    return Response(None, status_code=201, headers=_headers(upload) | location)


@head("/uploads/{upload_id:uuid}", opt=STREAMS, tags=["uploads"])
async def ask(
    upload_id: FromPath[UUID], request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Response[None]:
    """Ask how many bytes have come. A request that still writes, its client perhaps long gone, gives way first."""
    return await _as_meant("HEAD", upload_id, request, actor, now)


async def _ask(upload_id: UUID, request: AnyRequest, actor: Actor, now: datetime) -> Response[None]:
    tus.require_version(request.headers)
    upload = await commands.find(actor, upload_id, now)
    offset = await commands.offset(actor, upload, now)
    headers = _headers(upload, offset) | {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(None, status_code=200, headers=headers)


@patch(
    "/uploads/{upload_id:uuid}",
    opt=STREAMS,
    tags=["uploads"],
    status_code=204,
    request_max_body_size=None,
)
async def add(
    upload_id: FromPath[UUID], request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Response[None]:
    """Add bytes (`application/offset+octet-stream`) at `Upload-Offset`; with `Upload-Checksum` all of them or none.

    The answer comes when they are on the disk. The last byte completes the file: its SHA-256 must be the promised one.
    """
    return await _as_meant("PATCH", upload_id, request, actor, now)


async def _add(upload_id: UUID, request: AnyRequest, actor: Actor, now: datetime) -> Response[None]:
    tus.require_version(request.headers)
    asked = tus.part(request.headers)
    upload = await commands.under_way(actor, upload_id, now)
    offset = await commands.receive(actor, upload, asked, body_of(request), now)
    return Response(None, status_code=204, headers=_headers(upload, offset))


@delete("/uploads/{upload_id:uuid}", opt=STREAMS, tags=["uploads"], status_code=204)
async def terminate(
    upload_id: FromPath[UUID], request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Response[None]:
    """End an upload and free what came of it (tus termination)."""
    return await _as_meant("DELETE", upload_id, request, actor, now)


async def _terminate(upload_id: UUID, request: AnyRequest, actor: Actor, now: datetime) -> Response[None]:
    tus.require_version(request.headers)
    await commands.terminate(actor, await commands.find(actor, upload_id, now), now)
    return Response(None, status_code=204)


_MEANT = {"PATCH": _add, "HEAD": _ask, "DELETE": _terminate}


async def _as_meant(method: str, upload_id: UUID, request: AnyRequest, actor: Actor, now: datetime) -> Response[None]:
    """What `X-HTTP-Method-Override` says is meant, whatever the method of the request is (tus 1.0.0)."""
    meant = _MEANT.get(tus.method_of(method, request.headers))
    if meant is None:
        raise MethodNotAllowed(headers={"Allow": "HEAD, PATCH, DELETE, OPTIONS"})
    return await meant(upload_id, request, actor, now)


@post(
    "/uploads/{upload_id:uuid}",
    opt=STREAMS,
    tags=["uploads"],
    status_code=204,
    request_max_body_size=None,
)
async def override(
    upload_id: FromPath[UUID], request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Response[None]:
    """For clients that cannot send PATCH, HEAD or DELETE: POST with `X-HTTP-Method-Override`."""
    return await _as_meant("POST", upload_id, request, actor, now)


routes: list[Any] = [capabilities, create, ask, add, terminate, override]
