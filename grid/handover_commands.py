"""A leaver's place in the grid: squads and organisation are left, coming shifts are somebody else's."""

from datetime import datetime
from uuid import UUID

from app.kernel import db, ids
from grid import store


async def hand_over(district: str, leaver: UUID, heir: UUID, now: datetime) -> int:
    """End somebody's time in organisation and squads; return how many coming shifts went to the heir.

    A shift that is running ends now. The heir takes shifts only if the grid knows them. The caller has checked the
    right.
    """
    async with db.transaction(district):
        await store.end_person(leaver, now, ids.new_id())
        return await store.give_shifts(leaver, heir, now) if await store.people([heir]) else 0
