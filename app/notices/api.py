"""The inbox over HTTP, the stream of open pages, addresses of messages, the state of the channels."""

import asyncio
import contextlib
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Message, Receive, Send

from app.kernel.actor import Actor
from app.kernel.problem import NotAcceptable
from app.notices import commands, live
from app.notices.commands import ChannelView, Follow, Phone
from app.notices.store import NoticeView

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
After = Annotated[
    str | None,
    QueryParameter(pattern=r"^(unread|read)\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
]
READ: dict[str, Any] = {"action": "notice.read"}
FOLLOW: dict[str, Any] = {"action": "request.follow"}
EVENTS = "text/event-stream"
PATIENCE_SECONDS = 30.0
"""How long a reader may leave what is sent to it lying."""


class Events(ASGIStreamingResponse):
    """Server-sent events; a connection that takes nothing for a while is closed."""

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send what the iterator gives until it ends, the reader is gone or too slow."""

        async def prompt(message: Message) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await send(message)

        try:
            await super().send_body(prompt, receive)
        except* TimeoutError:
            pass


@get("/notices", opt=READ, tags=["notices"])
async def notices(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    after: After = None,
    limit: Limit = 50,
) -> Response[list[NoticeView]]:
    """List my notices and those of my desks, unread ones first, newest first."""
    where, _, last = (after or "unread.").partition(".")
    rows = await commands.inbox(actor, where == "unread", UUID(last) if last else None, limit)
    headers: dict[str, str] = {}
    if len(rows) == limit:
        place = "unread" if rows[-1].read_at is None else "read"
        following = {"after": f"{place}.{rows[-1].id}", "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@post("/notices/{notice_id:uuid}/read", opt=READ, tags=["notices"], status_code=200)
async def read(notice_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> NoticeView:
    """Mark a notice as read; one of a desk is read for the whole desk."""
    return await commands.read(notice_id, actor, now)


@get(
    "/notices/stream",
    opt=READ | {"uncompressed": True},
    tags=["notices"],
    media_type=EVENTS,
    response_headers=[ResponseHeader(name="X-Accel-Buffering", value="no")],
    responses={200: ResponseSpec(data_container=str, media_type=EVENTS, description="Notices as they come")},
)
async def stream(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Events:
    """Send my notices and those of my desks as server-sent events, from now on.

    Ask with `Accept: text/event-stream` (406 otherwise). `Last-Event-ID` brings what was missed since that notice.
    A comment comes every 15 s when nothing else does; the stream ends after 15 minutes, at sign-out and when the
    reader does not keep up: open it again.
    """
    if EVENTS not in request.headers.get("accept", ""):
        raise NotAcceptable(("请用 Accept: text/event-stream 请求", "Ask with Accept: text/event-stream"))
    last: UUID | None = None
    with contextlib.suppress(ValueError):
        last = UUID(request.headers.get("last-event-id", ""))
    events = await live.open_stream(actor, last, now)
    return Events(iterator=events, media_type=EVENTS, headers={"X-Accel-Buffering": "no"})


@put("/notices/phone", opt=READ, tags=["notices"], status_code=204)
async def set_phone(data: JSONBody[Phone], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Say where text messages about pressing matters go, for me or a desk of mine; null ends them."""
    await commands.set_phone(data, actor, now)


@post("/notices/follows", opt=FOLLOW, tags=["notices"], status_code=204)
async def follow(data: JSONBody[Follow], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Agree to subscribe messages of the mini-program about one of my requests."""
    await commands.follow(data, actor, now)


@delete("/notices/follows/{case_id:uuid}", opt=FOLLOW, tags=["notices"])
async def unfollow(case_id: FromPath[UUID], actor: NamedDependency[Actor]) -> None:
    """End subscribe messages about a request."""
    await commands.unfollow(case_id, actor)


@get("/notices/channels", opt={"action": "notice.watch"}, tags=["notices"])
async def channels(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[ChannelView]:
    """Show which channels are switched on and how many deliveries of seven days wait, went out or were given up."""
    return await commands.overview(actor, now)


routes: list[Any] = [notices, read, stream, set_phone, follow, unfollow, channels]
