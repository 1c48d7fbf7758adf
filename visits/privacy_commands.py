"""Personal data of households: the key that seals their contacts is changed."""

from app.identity import resealing
from app.identity.resealing import Sealed
from app.kernel import db

_SEALED = (Sealed("household", ("contact",)),)


async def stale(district: str) -> int:
    """Return how many contacts of households an older key or algorithm sealed."""
    async with db.transaction(district):
        return await resealing.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await resealing.reseal(_SEALED, limit)
