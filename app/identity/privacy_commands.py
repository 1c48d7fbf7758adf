"""Personal data in identity: its key is changed, it is erased when its time is over or its person asks."""

from app.identity import sealing_store
from app.identity.sealing_store import Sealed
from app.kernel import db

_SEALED = (Sealed("api_key", ("secret",)), Sealed("citizen", ("contact",)))


async def stale(district: str) -> int:
    """Return how many secrets of machines and contacts of citizens an older key or algorithm sealed."""
    async with db.transaction(district):
        return await sealing_store.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await sealing_store.reseal(_SEALED, limit)
