"""Conditional requests (RFC 9110, 13) on whatever carries a `version`: ETag, If-None-Match and If-Match.

A handler says `opt={"versioned": True}`. Of a GET, the answer gets `ETag: "<version>-<digest of the answer>"`: the
version alone would not do, for an answer also depends on who asks and when (what they may do now, what is overdue).
A change takes the version from If-Match, where what stands behind the hyphen may be left out; it reaches the handler
as the `version` of the body. With `"version_required": True` a change that names no version is refused.
"""

import hashlib
import re
from contextvars import ContextVar
from typing import Any, cast

from litestar import Request, Response
from litestar.exceptions import SerializationException
from litestar.serialization import encode_json

from app.kernel.problem import PreconditionFailed, Problem, StaleVersion, VersionRequired, invalid

AnyRequest = Request[Any, Any, Any]

_TAG = re.compile(r'"(\d{1,9})(?:-[0-9a-f]{1,64})?"')
_asked: ContextVar[AnyRequest | None] = ContextVar("asked", default=None)
"""The request being answered, when its route is versioned: the framework hands the last hook the answer alone."""


async def before_request(request: AnyRequest) -> None:
    """Put the version of If-Match into the body of a change; VersionRequired or Invalid when it cannot be."""
    opt = request.route_handler.opt
    versioned = bool(opt.get("versioned"))
    _asked.set(request if versioned else None)
    if not versioned or request.method in ("GET", "HEAD"):
        return
    body = await _body(request)
    if body is None:
        return  # the handler says what is wrong with it
    given = request.headers.get("if-match", "*").strip()
    if given != "*":
        _state(body, given)
    elif opt.get("version_required") and body.get("version") is None:
        raise VersionRequired


def _state(body: dict[str, Any], given: str) -> None:
    tag = _TAG.fullmatch(given)
    if tag is None:
        raise invalid("If-Match", '应为一个版本号，如 "7"', 'is one version such as "7"')
    version = int(tag[1])
    if body.get("version") not in (None, version):
        raise invalid("version", "与 If-Match 不一致", "is not that of If-Match")
    body["version"] = version


async def _body(request: AnyRequest) -> dict[str, Any] | None:
    try:
        found = await request.json()
    except SerializationException:
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) else None


async def after_request(response: Response[Any]) -> Response[Any]:
    """Name the version of what is answered, and answer 304 to whoever has it already."""
    request = _asked.get()
    version = getattr(getattr(response, "content", None), "version", None)  # a stream has no content
    if request is None or version is None:
        return response
    response.content = encode_json(response.content)
    tag = f'"{version}-{hashlib.sha256(response.content).hexdigest()[:16]}"'
    if request.method in ("GET", "HEAD") and _has(request.headers.get("if-none-match", ""), tag):
        response = Response(None, status_code=304)
    response.headers["ETag"] = tag
    return response


def _has(given: str, tag: str) -> bool:
    known = [each.strip().removeprefix("W/") for each in given.split(",")]
    return tag in known or known == ["*"]


def translated(request: AnyRequest, found: Problem) -> Problem:
    """Return a stale version as what it is to a request with If-Match: 412, with the present version."""
    if isinstance(found, StaleVersion) and "if-match" in request.headers:
        return PreconditionFailed(headers=found.headers, **found.facts)
    return found
