"""The stream of case events over HTTP: pages to pull, and server-sent events to follow."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Message, Receive, Send

from app.kernel.actor import Actor
from app.kernel.problem import NotAcceptable
from tasks.channels import stream_commands
from tasks.channels.stream_commands import EventPage

STREAM: dict[str, Any] = {"action": "case.stream"}
EVENTS = "text/event-stream"
PATIENCE_SECONDS = 30.0
"""How long a reader may leave what is sent to it lying."""
LAST = 2**62
Position = Annotated[int, QueryParameter(ge=0, le=LAST)]
PositionOrNone = Annotated[int | None, QueryParameter(ge=0, le=LAST)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]


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


@get("/events", opt=STREAM, tags=["webhooks"])
async def events(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: Position = 0,
    limit: Limit = 200,
) -> Response[EventPage]:
    """Pull the events of cases past a position, in the order of commits, as CloudEvents 1.0.

    People get those of cases they may see; a machine those of its own source. Nothing is passed over, however long a
    transaction took. Keep `after` of the answer and ask with it next time (`Link: rel=next`). A page may be empty
    though there is `more`. Events are kept for 30 days: 410 `stream-gap` tells that some are gone.
    """
    found = await stream_commands.page(actor, after, limit, now)
    following = urlencode({"after": str(found.after), "limit": str(limit)})
    return Response(found, headers={"Link": f'<{request.url.path}?{following}>; rel="next"'})


@get(
    "/cases/events",
    opt=STREAM | {"uncompressed": True},
    tags=["webhooks"],
    media_type=EVENTS,
    response_headers=[ResponseHeader(name="X-Accel-Buffering", value="no")],
    responses={200: ResponseSpec(data_container=str, media_type=EVENTS, description="Events of cases as they come")},
)
async def follow_events(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: PositionOrNone = None,
) -> Events:
    """Follow the events of cases as server-sent events, each a CloudEvent, from now on or past a position.

    Ask with `Accept: text/event-stream` (406 otherwise). `Last-Event-ID` goes on after that event and misses none. A
    comment comes every 15 s when nothing else does; the stream ends after 15 minutes and at sign-out: open it again.
    """
    if EVENTS not in request.headers.get("accept", ""):
        raise NotAcceptable(("请用 Accept: text/event-stream 请求", "Ask with Accept: text/event-stream"))
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit():
        after = min(int(last[:19]), LAST)
    found = await stream_commands.follow(actor, after, now)
    return Events(iterator=found, media_type=EVENTS, headers={"X-Accel-Buffering": "no"})


routes: list[Any] = [events, follow_events]
