"""A leaver's open visits: given to somebody else of the squad, or back to the squad leader to be planned anew."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from app.kernel.actor import Actor
from grid import facts as grid_facts
from visits import round_commands, round_store


class HandedVisits(Struct, frozen=True, kw_only=True):
    """How many open visits went to the other person, how many wait for planning, and what the leaver's phones hold.

    `unplanned`: the other person is in none of the round's squads. `unsent`: ops the phones had not pushed yet.
    """

    reassigned: int
    unplanned: int
    unsent: int


async def hand_over(leaver: UUID, heir: UUID, actor: Actor, now: datetime) -> HandedVisits:
    """Hand over all open visits of somebody; the caller has checked the right."""
    moved = waiting = 0
    async with db.transaction(actor.district):
        for round_id in await round_store.rounds_of(leaver):
            round_ = await round_store.round_(round_id, lock=True)
            members = {p.id: squad for squad in round_.squads for p in await grid_facts.members(squad, now)}
            squad = members.get(heir)
            count = await round_commands.give_all(round_, leaver, None if squad is None else heir, squad, now)
            moved, waiting = moved + (count if squad else 0), waiting + (0 if squad else count)
        return HandedVisits(reassigned=moved, unplanned=waiting, unsent=await round_store.unsent(leaver))
