"""The citizens' mini-program over HTTP: sign in, submit, follow, add, withdraw, rate, reopen, appeal, join."""

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
from app.kernel.crs import Datum, Place
from app.kernel.problem import language_of
from tasks.cases import near_commands, orders
from tasks.cases.near_commands import Near
from tasks.channels import citizen, commands, privacy_commands
from tasks.channels.citizen import JoinedRow, JoinedView, Login, RequestRow, RequestView
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


@get("/citizen/joined", opt=FOLLOW, tags=TAGS)
async def joined(actor: NamedDependency[Actor], languages: Languages = "", limit: Limit = 100) -> list[JoinedRow]:
    """List the requests of others that I joined, the last joined first: what they are about and how they stand."""
    return await commands.joined(actor, language_of(languages), limit)


@get("/citizen/joined/{request_id:uuid}", opt=FOLLOW, tags=TAGS)
async def follow_joined(
    request_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Languages = "",
) -> JoinedView:
    """Follow a request that I joined: the steps of organisations and what these say, no word of whoever reported it."""
    return await commands.follow_joined(request_id, actor, language_of(languages), now)


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


@get("/citizen/near", opt=FOLLOW, tags=TAGS)
async def near(
    lon: Annotated[float, QueryParameter(ge=-180, le=180)],
    lat: Annotated[float, QueryParameter(ge=-90, le=90)],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    datum: FromQuery[Datum] = Datum.WGS84,
    metres: Annotated[int, QueryParameter(ge=100, le=2000)] = 500,
) -> list[Near]:
    """List what others reported around a place, to join it: the item and the place rounded to 100 m, nothing else.

    Open cases of the last 30 days that a clerk has looked at; the answer's places are WGS 84.
    """
    scope.require_any(actor, "request.follow")
    return await near_commands.near(Place(lon=lon, lat=lat, datum=datum), metres, actor, now)


@post("/citizen/requests/{request_id:uuid}/join", opt={"action": "request.submit"}, tags=TAGS, status_code=200)
async def join(
    request_id: FromPath[UUID],
    data: JSONBody[orders.JoinReporter],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Near:
    """Report the same as one of the near ones: I am told how it goes on. A second tap changes nothing."""
    return await near_commands.join(request_id, data, actor, now)


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
    joined,
    follow_joined,
    export,
    erase,
    near,
    join,
    *(_order(kind) for kind in (orders.Add, orders.Withdraw, orders.Rate, orders.Reopen, orders.Appeal)),
]
