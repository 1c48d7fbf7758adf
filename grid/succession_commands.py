"""Who stood in a cell that ends stands in the cells that take its ground, in its transaction: nobody loses reach."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from app.identity import placement_commands as identity
from app.kernel import ids
from grid import cells, store, succession_store
from grid.cells import Cell


async def succeed(ending: Sequence[Cell], district: str, now: datetime) -> None:
    """Move roles and shifts of cells that have ended to those that took their ground.

    What stood in a cell whose ground nobody took stays there, for people to place. Joins the caller's transaction.
    """
    heirs = cells.heirs(ending, await store.cells([district], now))
    if not heirs:
        return
    await identity.follow_areas(heirs, now)
    await _shifts(heirs, now)


async def _shifts(heirs: dict[str, tuple[str, ...]], now: datetime) -> None:
    """A running shift ends in the old cell and goes on in the new ones; a coming one is of the new ones alone."""
    standing = await succession_store.lock_shifts(list(heirs), now)
    await succession_store.end_shifts([each.id for each in standing], now)
    following = [
        replace(each, id=ids.new_id(), area=area, starts_at=max(now, each.starts_at))
        for each in standing
        for area in heirs[each.area]
    ]
    await store.add_shifts(following, ids.new_id())
