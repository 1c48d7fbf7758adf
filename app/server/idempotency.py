"""`Idempotency-Key` on POST: effect and answer are committed together, so a retry gets the same answer and no effect.

After the IETF draft "The Idempotency-Key HTTP Header Field" (07).
"""

import hashlib
from typing import Any
from uuid import UUID

from litestar.datastructures import Headers
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Empty, HTTPReceiveMessage, Message, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from app import answers
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import Problem, invalid
from app.server import bodies

_LONGEST_KEY = 255


class KeyReused(Problem):
    """The key came before with another request."""

    type = "idempotency-key-reused"
    status = 422
    title = ("同一个 Idempotency-Key 用于了不同的请求", "The Idempotency-Key was used for another request")


class _RolledBack(Exception):
    """Ends the transaction of a request that failed with a 5xx: its key stays free."""


class Idempotency(ASGIMiddleware):
    """Wraps a POST that carries a key into one transaction with the record of its answer."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass everything but a signed-in POST with a key straight on."""
        key = Headers.from_scope(scope).get("idempotency-key")
        actor: Actor | None = scope["state"].get("actor")
        request: Any = scope
        if key is None or actor is None or request["method"] != "POST" or scope["route_handler"].opt.get("streams"):
            await next_app(scope, receive, send)
            return
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise invalid("Idempotency-Key", "长度应为 1–255", "has 1 to 255 characters")
        body = await bodies.read(receive)
        asked = f"POST {scope['path']}?".encode() + scope["query_string"] + b"\n"
        fingerprint = hashlib.sha256(asked + body).hexdigest()
        sent: list[Message] = []
        try:
            async with db.transaction(actor.district):
                await _answer_once(actor, key, fingerprint, scope, body, next_app, sent)
        except _RolledBack:
            pass
        for message in sent:
            await send(message)


async def _answer_once(
    actor: Actor, key: str, fingerprint: str, scope: Scope, body: bytes, next_app: ASGIApp, sent: list[Message]
) -> None:
    if not await answers.claim(actor.id, key, fingerprint, scope["state"]["now"]):
        sent += await _stored(actor.id, key, fingerprint)
        return
    _ask_uncompressed(scope)
    pending: list[HTTPReceiveMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay_body() -> Any:
        return pending.pop() if pending else {"type": "http.disconnect"}

    async def hold(message: Message) -> None:
        sent.append(message)

    try:
        await next_app(scope, replay_body, hold)
    finally:
        # Nothing has left yet: should keeping the answer or the COMMIT fail, the client gets that error as its answer.
        ScopeState.from_scope(scope).response_started = False
    start: Any = sent[0]
    if start["status"] >= 500:
        raise _RolledBack
    content = b"".join(m.get("body", b"") for m in sent[1:] if m["type"] == "http.response.body")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    await answers.keep(actor.id, key, start["status"], headers, content)


def _ask_uncompressed(scope: Scope) -> None:
    """Keep the answer plain: the retry may come from a client that takes other encodings."""
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    ScopeState.from_scope(scope).headers = Empty


async def _stored(actor: UUID, key: str, fingerprint: str) -> list[Message]:
    answer = await answers.kept(actor, key)
    if answer is None or answer.fingerprint != fingerprint:
        raise KeyReused
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"idempotency-replayed", b"true"))
    start: Any = {"type": "http.response.start", "status": answer.status, "headers": headers}
    content: Any = {"type": "http.response.body", "body": answer.body, "more_body": False}
    return [start, content]
