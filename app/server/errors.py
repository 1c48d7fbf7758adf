"""Every error leaves as an RFC 9457 problem document, in the language asked for, with all bad fields at once."""

import logging
from typing import Any

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    ValidationException,
)
from litestar.types import Empty
from litestar.utils.scope.state import ScopeState
from redis.exceptions import RedisError

from app import logs
from app.kernel import problem
from app.kernel.problem import FieldError, Invalid, Problem
from app.server import conditions
from app.server.invalid_fields import invalid_fields, translate

logger = logging.getLogger("zjw.http")

MEDIA_TYPE = "application/problem+json"

AnyRequest = Request[Any, Any, Any]


def answer(request: AnyRequest, found: Problem) -> Response[bytes]:
    """Return the problem document as a response."""
    document = found.document(problem.language_of(request.headers.get("accept-language", "")), request.url.path)
    headers = dict(found.headers)
    if found.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    request_id = request.scope["state"].get("request_id")
    if request_id:
        document["request_id"] = request_id
    return Response(
        msgspec.json.encode(document),
        status_code=found.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def on_problem(request: AnyRequest, error: Problem) -> Response[bytes]:
    """Answer a refusal of our own."""
    return answer(request, conditions.translated(request, error))


def on_invalid(request: AnyRequest, error: ValidationException) -> Response[bytes]:
    """Answer parameters or a body that do not fit their types."""
    return answer(request, Invalid(_all_errors(request, error)))


def _all_errors(request: AnyRequest, error: ValidationException) -> list[FieldError]:
    extras: Any = error.extra if isinstance(error.extra, list) else []
    errors: list[FieldError] = []
    for extra in extras:
        if extra.get("source") == "body" or str(extra.get("key", "")).startswith("data"):
            errors += _body_errors(request)
        else:
            message = str(extra.get("message", "")).partition(" - at ")[0]
            errors.append(FieldError(str(extra.get("key", "")), translate(message)))
    return errors or [FieldError("body", ("内容不正确", error.detail))]


def _body_errors(request: AnyRequest) -> list[FieldError]:
    field = request.route_handler.parsed_data_field
    decoded = ScopeState.from_scope(request.scope).json
    if field is None or decoded is Empty:
        return []
    return invalid_fields(decoded, field.annotation)


_BY_STATUS: dict[int, type[Problem]] = {
    400: problem.Unreadable,
    401: problem.NotSignedIn,
    403: problem.NotPermitted,
    404: problem.NotFound,
    405: problem.MethodNotAllowed,
    406: problem.NotAcceptable,
    413: problem.TooLarge,
    415: problem.UnsupportedMedia,
    429: problem.TooManyRequests,
    503: problem.Unavailable,
}


def on_http_exception(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses."""
    kind = _BY_STATUS.get(error.status_code, problem.Unreadable if error.status_code < 500 else Problem)
    return answer(request, kind(headers=dict(error.headers or {})))


def on_endless(request: AnyRequest, error: RecursionError) -> Response[bytes]:
    """Answer content nested deeper than anything means."""
    return answer(request, problem.Unreadable(("嵌套过深", "nested too deeply")))


def on_database(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer 503 with Retry-After when the database or the queue does not; retrying is safe."""
    logger.warning("unavailable", extra={"error": type(error).__name__, "cause": logs.words_of(error)})
    return answer(request, problem.Unavailable(headers={"Retry-After": "2"}))


def on_unstorable(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer 422 for text PostgreSQL cannot hold: U+0000, half a surrogate pair."""
    return answer(
        request,
        problem.invalid("body", "含有无法保存的字符（U+0000）", "has a character that cannot be stored (U+0000)"),
    )


def on_crash(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer 500 and log the trace; never the text of the error."""
    logger.error("crash", exc_info=error, extra={"path": request.url.path})
    return answer(request, Problem())


handlers: dict[int | type[Exception], Any] = {
    Problem: on_problem,
    ValidationException: on_invalid,
    ClientException: on_http_exception,
    MethodNotAllowedException: on_http_exception,
    NotAuthorizedException: on_http_exception,
    NotFoundException: on_http_exception,
    PermissionDeniedException: on_http_exception,
    HTTPException: on_http_exception,
    RecursionError: on_endless,
    RedisError: on_database,
    asyncpg.CannotConnectNowError: on_database,
    asyncpg.AdminShutdownError: on_database,
    asyncpg.CrashShutdownError: on_database,
    asyncpg.ConnectionDoesNotExistError: on_database,
    asyncpg.TooManyConnectionsError: on_database,
    asyncpg.DeadlockDetectedError: on_database,
    asyncpg.SerializationError: on_database,
    asyncpg.InterfaceError: on_database,
    asyncpg.InternalClientError: on_database,  # the connection broke while the driver was between two answers
    ConnectionError: on_database,
    asyncpg.CharacterNotInRepertoireError: on_unstorable,
    asyncpg.UntranslatableCharacterError: on_unstorable,
    Exception: on_crash,
}
"""Exception class → how it is answered."""
