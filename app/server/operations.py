"""For those who keep the platform running: events that some subscriber refused to the last."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.identity import scope
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.outbox import DeadLetter
from app.kernel.problem import Problem

Limit = Annotated[int, QueryParameter(ge=1, le=500)]


class DeadLetterNotFound(Problem):
    """There is no dead letter of that id: it was replayed, or never died."""

    type = "dead-letter-not-found"
    status = 404
    title = ("没有这条死信", "No such dead letter")


@get("/dead-letters", opt={"action": "dead_letter.read"}, tags=["operation"])
async def dead_letters(actor: NamedDependency[Actor], limit: Limit = 100) -> list[DeadLetter]:
    """List events that some subscriber refused to the last try, oldest first, each with what the subscriber said."""
    scope.require_any(actor, "dead_letter.read")
    async with db.transaction(actor.district):
        return await outbox.dead(limit)


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
