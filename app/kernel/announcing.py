"""What a command leaves for others - facts to score, events to deliver, changes for phones - by one statement."""

from collections.abc import Sequence

from app.kernel import changes, db, fact, outbox
from app.kernel.changes import Draft
from app.kernel.event import Event
from app.kernel.fact import Fact

_EVENTS_FROM = len(fact.COLUMNS) + 1
_CHANGES_FROM = _EVENTS_FROM + len(outbox.arguments(()))
_INSERT = (
    f"with f as ({fact.insert(1)}), e as ({outbox.insert(_EVENTS_FROM)}), c as ({changes.insert(_CHANGES_FROM)}) select"
)


async def announce(facts: Sequence[Fact], events: Sequence[Event], drafts: Sequence[Draft]) -> None:
    """Write all three in the current transaction, as `fact.append`, `outbox.emit` and `changes.append_many` do."""
    if not (facts or events or drafts):
        return
    await db.execute(_INSERT, *fact.arguments(facts), *outbox.arguments(events), *changes.arguments(drafts))
    if events:
        outbox.ring()
