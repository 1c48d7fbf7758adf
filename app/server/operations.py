"""For those who keep the platform running: events that some subscriber refused to the last."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.identity import scope
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.outbox import DeadLetter
from app.kernel.problem import Problem, invalid

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
After = Annotated[str | None, QueryParameter(max_length=100)]


class DeadLetterNotFound(Problem):
    """There is no dead letter of that id: it was replayed, or never died."""

    type = "dead-letter-not-found"
    status = 404
    title = ("没有这条死信", "No such dead letter")


@get("/dead-letters", opt={"action": "dead_letter.read"}, tags=["operation"])
async def dead_letters(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], limit: Limit = 100, after: After = None
) -> Response[list[DeadLetter]]:
    """List events that some subscriber refused to the last try, oldest first, each with what the subscriber said.

    `Link` names the next page; its `after` is the last letter of this one.
    """
    scope.require_any(actor, "dead_letter.read")
    async with db.transaction(actor.district):
        rows = await outbox.dead(limit, _place(after))
    headers: dict[str, str] = {}
    if len(rows) == limit:
        last = f"{rows[-1].dead_at:%Y%m%dT%H%M%S.%f}Z{rows[-1].event_id}"
        headers["Link"] = f'<{request.url.path}?{urlencode({"after": last, "limit": limit})}>; rel="next"'
    return Response(rows, headers=headers)


def _place(after: str | None) -> tuple[datetime, UUID] | None:
    """Return when the last letter of a page died, and its event; Invalid for what is no such place."""
    if after is None:
        return None
    moment, _, event_id = after.partition("Z")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), UUID(event_id)
    except ValueError:
        raise invalid("after", "应为上一页 Link 中的值", "is the value in the Link of the page before") from None


@post(
    "/dead-letters/{event_id:uuid}/replay",
    opt={"action": "dead_letter.replay"},
    tags=["operation"],
    status_code=204,
)
async def replay(event_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Bring a dead letter back to life: it is delivered again to the subscribers that have not dealt with it."""
    scope.require_any(actor, "dead_letter.replay")
    async with db.transaction(actor.district):
        if not await outbox.replay(event_id, now):
            raise DeadLetterNotFound


routes: list[Any] = [dead_letters, replay]
