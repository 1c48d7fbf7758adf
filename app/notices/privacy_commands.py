"""Personal data of notices: the key that seals addresses of messages is changed; who is erased gets none any more."""

from datetime import datetime

from app.identity import resealing
from app.identity.resealing import Sealed
from app.kernel import db
from app.notices import store
from tasks.channels.events import CitizenErased

_SEALED = (Sealed("notice_address", ("address",)),)


async def stale(district: str) -> int:
    """Return how many addresses of messages an older key or algorithm sealed."""
    async with db.transaction(district):
        return await resealing.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await resealing.reseal(_SEALED, limit)


async def on_erased(event: CitizenErased, now: datetime) -> None:
    """Delete notices and addresses of a citizen who had their data erased, in the event's transaction."""
    del now
    await store.erase(event.citizen)
