"""What each type of op does: the table the push goes by."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from app.kernel.actor import Actor
from visits.sync.store import Origin
from visits.sync.verdict import Effect, Op
from visits.visit import Moment


class Context(Struct, frozen=True):
    """Who did it, from which push it comes, and when it really happened."""

    actor: Actor
    origin: Origin
    when: Moment


Handler = Callable[[Op, Context], Awaitable[Effect]]

HANDLERS: dict[str, Handler] = {}
"""Op type → handler; each runs inside the op's savepoint."""
