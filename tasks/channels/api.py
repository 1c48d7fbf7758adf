"""The citizens' mini-program over HTTP: sign in, submit, follow, add, withdraw, rate, reopen, appeal."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from app.identity import scope
from app.identity.commands import Tokens
from app.kernel.actor import Actor
from app.kernel.problem import language_of
from tasks.cases import orders
from tasks.channels import citizen, commands, privacy_commands
from tasks.channels.citizen import Login, RequestRow, RequestView
from tasks.channels.privacy_commands import Erasure, Export

FOLLOW: dict[str, Any] = {"action": "request.follow"}
TAGS = ["citizen"]
Languages = Annotated[str, HeaderParameter(name="Accept-Language")]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]


@post("/citizen/login", opt={"public": True}, tags=TAGS, status_code=200)
async def sign_in(data: JSONBody[Login], district: NamedDependency[str], now: NamedDependency[datetime]) -> Tokens:
    """Sign in with the one-time code of the mini-program (`wx.login`)."""
    return await commands.sign_in(district, data.code, now)


@post("/citizen/requests", opt={"action": "request.submit"}, tags=TAGS)
async def submit(
    data: JSONBody[citizen.Request],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Languages = "",
) -> RequestView:
    """Submit a request with words, place and photos; a second tap (the same `id`) is the same request."""
    return await commands.submit(data, actor, language_of(languages), now)


@get("/citizen/requests", opt=FOLLOW, tags=TAGS)
async def mine(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Languages = "",
    limit: Limit = 100,
    after: FromQuery[str | None] = None,
) -> Response[list[RequestRow]]:
    """List my requests, newest first; `Link: rel=next` when there may be more."""
    scope.require_any(actor, "request.follow")
    rows, mark = await commands.mine(actor, language_of(languages), now, limit, after)
    headers: dict[str, str] = {}
    if mark is not None:
        following = dict(request.query_params.items()) | {"after": mark, "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@get("/citizen/requests/{request_id:uuid}", opt=FOLLOW, tags=TAGS)
async def follow(
    request_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Languages = "",
) -> RequestView:
    """Follow one of my requests: its state in plain words, who handles it, when to expect it, and each public step."""
    scope.require_any(actor, "request.follow")
    return await commands.follow(request_id, actor, language_of(languages), now)


@get("/citizen/export", opt={"action": "personal.export"}, tags=TAGS)
async def export(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Export:
    """Get everything held about me: contact, requests, my words and those said to me, ratings, photos."""
    return await privacy_commands.export(actor, now)


@post("/citizen/erase", opt={"action": "personal.erase"}, tags=TAGS, status_code=200)
async def erase(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Erasure:
    """Erase my contact, my words and the link to my mini-program account, and sign me out.

    My requests go on as cases without my words. This cannot be undone.
    """
    return await privacy_commands.erase(actor, now)


def _order(kind: type[orders.Order]) -> Any:
    """Return the route of one of the citizen's commands."""
    name = orders.name_of(kind)

    async def give(
        request_id: FromPath[UUID],
        data: Any,
        actor: NamedDependency[Actor],
        now: NamedDependency[datetime],
        languages: Languages = "",
    ) -> RequestView:
        return await commands.order(request_id, data, actor, language_of(languages), now)

    give.__annotations__["data"] = JSONBody[kind]
    give.__name__ = f"request_{name}"
    give.__doc__ = f"{kind.words[0]} ({kind.words[1]}): {(kind.__doc__ or '').strip()}"
    opt = {"action": "request.submit"}
    path = f"/citizen/requests/{{request_id:uuid}}/{name}"
    return post(path, opt=opt, tags=TAGS, status_code=200, operation_id=give.__name__)(give)


routes: list[Any] = [
    sign_in,
    submit,
    mine,
    follow,
    export,
    erase,
    *(_order(kind) for kind in (orders.Add, orders.Withdraw, orders.Rate, orders.Reopen, orders.Appeal)),
]
