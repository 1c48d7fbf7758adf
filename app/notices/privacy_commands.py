"""Personal data of notices: the key that seals addresses of messages is changed."""

from app.identity import sealing_store
from app.identity.sealing_store import Sealed
from app.kernel import db

_SEALED = (Sealed("notice_address", ("address",)),)


async def stale(district: str) -> int:
    """Return how many addresses of messages an older key or algorithm sealed."""
    async with db.transaction(district):
        return await sealing_store.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await sealing_store.reseal(_SEALED, limit)
