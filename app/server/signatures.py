"""A machine that changes something signs what it asks: the key alone, a changed request or a replay does nothing."""

from typing import Any

from litestar.datastructures import Headers
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.identity import commands, keys
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import Problem, Text
from app.server import bodies

HEADERS = ("x-timestamp", "x-nonce", "x-signature")
READING = ("GET", "HEAD", "OPTIONS")

REASONS: dict[str, Text] = {
    "missing": (
        "缺少 X-Timestamp、X-Nonce 或 X-Signature",
        "X-Timestamp, X-Nonce or X-Signature is missing",
    ),
    "window": (
        "X-Timestamp 应为 Unix 秒，与服务器时间相差不超过 5 分钟",
        "X-Timestamp is in Unix seconds, at most 5 minutes from the server's clock",
    ),
    "nonce": (
        "X-Nonce 已用过，或不是 8–100 个 URL 安全字符",
        "X-Nonce was used before, or is not 8-100 URL-safe characters",
    ),
    "wrong": ("签名与请求不符", "The signature does not fit the request"),
}


class SignatureRefused(Problem):
    """The signature of a machine's change does not fit what was sent; `reason` is wrong."""

    type = "signature-refused"
    status = 401
    title = ("请求签名未通过", "The request's signature is refused")


class SignatureMissing(SignatureRefused):
    """A machine's change is not signed; `reason` is missing."""

    type = "signature-missing"
    title = ("请求没有签名", "The request is not signed")


class SignatureExpired(SignatureRefused):
    """The timestamp of a signed request lies outside the window; `reason` is window."""

    type = "signature-expired"
    title = ("请求签名时间不在允许范围内", "The signature's time is outside the window")


class NonceRefused(SignatureRefused):
    """The nonce of a signed request came before, or is none; `reason` is nonce."""

    type = "nonce-refused"
    title = ("请求的随机数不可用", "The request's nonce is refused")


KINDS: dict[str, type[SignatureRefused]] = {
    "missing": SignatureMissing,
    "window": SignatureExpired,
    "nonce": NonceRefused,
    "wrong": SignatureRefused,
}


class Signatures(ASGIMiddleware):
    """Checks what the key's secret signed, over the request as it was sent; then hands its body on."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass people, devices and reading straight on."""
        actor: Actor | None = scope["state"].get("actor")
        request: Any = scope
        if actor is None or actor.kind != "machine" or request["method"] in READING:
            await next_app(scope, receive, send)
            return
        body = await _admit(scope, receive, actor)
        pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Any:
            return pending.pop() if pending else await receive()

        await next_app(scope, replay, send)


async def _admit(scope: Scope, receive: Receive, actor: Actor) -> bytes:
    """Return the body of a request that is signed rightly; what its headers show is refused before the body is read."""
    headers = Headers.from_scope(scope)
    timestamp, nonce, signature = (headers.get(name, "") for name in HEADERS)
    if not (timestamp and nonce and signature):
        raise _refused("missing")
    now = scope["state"]["now"]
    if not keys.is_timely(timestamp, now):
        raise _refused("window")
    if not keys.is_nonce(nonce):
        raise _refused("nonce")
    body = await bodies.read(receive)
    request: Any = scope
    signed = keys.request_text(request["method"], _target(request), _attributes(headers) + body)
    if not keys.signature_fits(scope["state"]["api_secret"], timestamp, nonce, signed, signature):
        raise _refused("wrong")
    # last, so that only who has the secret uses nonces up; committed whatever becomes of the request
    async with db.transaction(actor.district):
        claimed = await commands.use_nonce(actor.id, nonce, now)
    if not claimed:
        raise _refused("nonce")
    return body


def _refused(reason: str) -> SignatureRefused:
    return KINDS[reason](REASONS[reason], reason=reason)


def _attributes(headers: Headers) -> bytes:
    """Return the attributes of a CloudEvent that come as headers: they are content and signed before the body."""
    found = sorted((name.lower(), value) for name, value in headers.multi_items())
    return "".join(f"{name}:{value}\n" for name, value in found if name.startswith("ce-")).encode("latin-1")


def _target(request: Any) -> str:
    """Return path and query as they were sent: decoded, two different addresses may look the same."""
    raw: bytes = request["raw_path"]
    query: bytes = request["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")
