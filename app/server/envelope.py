"""Around every request: its id, security headers, one log line without personal data, and metrics by route."""

import logging
import time
from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from app import tracing
from app.kernel.ids import new_id

logger = logging.getLogger("zjw.http")

REQUESTS = Counter("zjw_http_requests_total", "Requests answered", ("method", "route", "status"))
SECONDS = Histogram(
    "zjw_http_request_seconds",
    "Time to answer",
    ("method", "route"),
    buckets=(0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.3, 2.6, 5.0, 10.0),
)

SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
API_CSP = "default-src 'none'; frame-ancestors 'none'"
_LONGEST_ID = 64


def request_id_of(headers: Headers) -> str:
    """Return the caller's X-Request-ID when it is short and plain, else a new one."""
    given = headers.get("x-request-id", "")
    plain = 0 < len(given) <= _LONGEST_ID and given.isascii() and given.replace("-", "").replace("_", "").isalnum()
    return given if plain else new_id().hex


class Envelope:
    """The outermost layer of every request, whatever becomes of it: routed, refused or not found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, time, mark and log one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers.from_scope(scope)
        with tracing.span("request", server=True, traceparent=headers.get("traceparent", "")) as span:
            await self._answer(scope, receive, send, request_id_of(headers), span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str, span: tracing.Noted) -> None:
        scope["state"]["request_id"] = request_id
        began = time.perf_counter()
        status = 500

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _mark(MutableScopeHeaders.from_message(message), request_id)
            await send(message)

        try:
            await self._app(scope, receive, mark)
        finally:
            _report(scope, request_id, status, time.perf_counter() - began)
            _trace(scope, request_id, status, span)


def _mark(headers: Any, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SECURITY:
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", API_CSP)
    headers.setdefault("Cache-Control", "no-store")


def _report(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    request: Any = scope
    route = str(request.get("path_template") or "-")
    method = request["method"]
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(method, route).observe(seconds)
    logger.info(
        "request",
        extra={"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1), "id": request_id},
    )


def _trace(scope: Scope, request_id: str, status: int, span: tracing.Noted) -> None:
    request: Any = scope
    route = str(request.get("path_template") or "-")
    span.name(f"{request['method']} {route}")
    span.note("http.request.method", request["method"])
    span.note("http.route", route)
    span.note("http.response.status_code", status)
    span.note("zjw.request_id", request_id)
    if status >= 500:
        span.fail(str(status))
