"""Who is asking: puts the actor of a request into its scope, before any handler runs."""

from datetime import datetime
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.identity import identification, scope
from app.identity.problems import PasswordChangeRequired
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.clock import Clock
from app.kernel.problem import NotSignedIn, invalid
from app.wiring import device_of

_known: set[str] = set()


async def district_of(headers: Headers, default: str) -> str:
    """Return the district a request without a token is for: the header `X-District`, else the deployment's default.

    Invalid for a district that is not of this deployment.
    """
    asked = headers.get("x-district", default)
    if asked != default and asked not in _known:
        _known.update(await db.districts())
        if asked not in _known:
            raise invalid("X-District", "没有这个区", "there is no such district here")
    return asked


class Authentication(ASGIMiddleware):
    """Reads `Authorization: Bearer` (staff, citizen), `X-Api-Key` (machine) or `X-Device-Key` (sensor, gateway).

    A handler says in `opt` whether it is `public`; everything else needs an actor.
    """

    def __init__(self, clock: Clock, district: str) -> None:
        self._clock = clock
        self._district = district

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Put `actor`, `now` and `district` into the scope's state, or refuse."""
        headers = Headers.from_scope(scope)
        now = self._clock()
        actor = await self._actor(scope, headers, now)
        state = scope["state"]
        state["now"] = now
        state["actor"] = actor
        state["district"] = await district_of(headers, self._district) if actor is None else actor.district
        scope["user"] = actor
        if actor is None and not scope["route_handler"].opt.get("public"):
            raise NotSignedIn
        await next_app(scope, receive, send)

    async def _actor(self, scope: Scope, headers: Headers, now: datetime) -> Actor | None:
        opt = scope["route_handler"].opt
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and credentials:
            if credentials.startswith("zjwd_"):
                return await self._device(headers, credentials, now)
            return await _person(credentials, opt, now)
        if key := headers.get("x-device-key"):
            return await self._device(headers, key, now)
        if key := headers.get("x-api-key"):
            actor, known, secret = await identification.identify_machine(
                await district_of(headers, self._district), key, now
            )
            scope["state"]["api_key"] = known
            scope["state"]["api_secret"] = secret
            return actor
        return None

    async def _device(self, headers: Headers, key: str, now: datetime) -> Actor:
        actor = await device_of(await district_of(headers, self._district), key, now)
        if actor is None:
            raise NotSignedIn
        return actor


async def _person(token: str, opt: dict[str, Any], now: datetime) -> Actor | None:
    try:
        identified = await identification.identify(identification.read_token(token, now), now)
    except NotSignedIn:
        if opt.get("public"):
            return None
        raise
    if identified.must_change and not (opt.get("first_password") or opt.get("public")):
        raise PasswordChangeRequired
    return identified.actor


async def permitted(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse (403) whoever has no use of the handler's `action` at all, before its body is looked at.

    A handler that names a `rehearsal` lets keys of that scope in as well: it does nothing for good with them.
    Asynchronous, or the framework would hand every request to a thread for it.
    """
    action, rehearsal = handler.opt.get("action"), handler.opt.get("rehearsal")
    actor: Actor = connection.scope["state"]["actor"]
    if action is not None and (rehearsal is None or rehearsal not in actor.scopes):
        scope.require_any(actor, action)


def provide_actor(request: Request[Any, Any, Any], now: NamedDependency[datetime]) -> Actor:
    """Return the request's actor; NotSignedIn when there is none (a public route that asks for one).

    It names `now` to follow it: the framework resolves what depends on nothing in a task group, a task for each.
    """
    del now
    actor: Actor | None = request.scope["state"]["actor"]
    if actor is None:
        raise NotSignedIn
    return actor


def provide_now(request: Request[Any, Any, Any]) -> datetime:
    """Return the instant the request was taken at, UTC."""
    return request.scope["state"]["now"]


def provide_district(request: Request[Any, Any, Any], now: NamedDependency[datetime]) -> str:
    """Return the code of the district the request is for; after `now`, as the actor."""
    del now
    return request.scope["state"]["district"]
