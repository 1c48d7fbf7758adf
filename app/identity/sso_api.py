"""Signing in by the government's identity provider, over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Redirect
from msgspec import Meta, Struct

from app.identity import oidc, scope, sso_commands
from app.identity.commands import Tokens
from app.kernel.actor import Actor

COOKIE = "zjw_oidc"


class SsoLink(Struct, frozen=True, forbid_unknown_fields=True):
    """Who the person is at the identity provider (`sub`); null: nobody any more."""

    subject: Annotated[str, Meta(min_length=1, max_length=255)] | None


@get("/auth/oidc/start", opt={"public": True}, tags=["auth"], status_code=302)
async def start(district: NamedDependency[str], now: NamedDependency[datetime]) -> Redirect:
    """Send the browser to the identity provider. The way back is open for ten minutes, once, to this browser."""
    beginning = await sso_commands.begin(district, now)
    cookie = Cookie(
        key=COOKIE,
        value=beginning.browser,
        path="/v1/auth/oidc",
        max_age=int(oidc.LOGIN_LIFE.total_seconds()),
        httponly=True,
        secure=beginning.secure,
        samesite="lax",
    )
    return Redirect(beginning.url, status_code=302, cookies=[cookie])


@get("/auth/oidc/callback", opt={"public": True}, tags=["auth"])
async def callback(
    request: Request[Any, Any, Any],
    now: NamedDependency[datetime],
    of_state: Annotated[str, QueryParameter(name="state")] = "",
    code: FromQuery[str] = "",
) -> Tokens:
    """Come back from the identity provider: the same answer as a sign-in with a password."""
    return await sso_commands.finish(of_state, code, request.cookies.get(COOKIE, ""), now)


@post("/accounts/{account_id:uuid}/sso", opt={"action": "account.manage"}, tags=["accounts"], status_code=204)
async def link(
    account_id: FromPath[UUID],
    data: JSONBody[SsoLink],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """Link an account to a person at the identity provider; its sessions end."""
    scope.require_any(actor, "account.manage")
    await sso_commands.link(actor, account_id, data.subject, now)


routes = [start, callback, link]
