"""Call-backs of visited households over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.kernel.actor import Actor
from visits import callback_commands
from visits.callbacks import Call, CallBack

MANAGE: dict[str, Any] = {"action": "callback.manage"}
Limit = Annotated[int, QueryParameter(ge=1, le=500)]


@get("/visit-callbacks", opt=MANAGE, tags=["visits"])
async def call_backs(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    after: FromQuery[UUID | None] = None,
    limit: Limit = 100,
) -> Response[list[CallBack]]:
    """List the visited households of my area that are to be called back, oldest first."""
    rows = await callback_commands.waiting(actor, after, limit)
    headers: dict[str, str] = {}
    if len(rows) == limit:
        query = urlencode({"after": str(rows[-1].id), "limit": str(limit)})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return Response(rows, headers=headers)


@post("/visit-callbacks/{call_back_id:uuid}/calls", opt=MANAGE, tags=["visits"], status_code=200)
async def called(
    call_back_id: FromPath[UUID],
    data: JSONBody[Call],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> CallBack:
    """Write down what came of a call; after three that nobody answers the call-back ends. Not for who visited."""
    return await callback_commands.called(call_back_id, data, actor, now)


routes: list[Any] = [call_backs, called]
