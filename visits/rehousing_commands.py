"""Households of a cell that ended come to the cell that now covers them; what was visited keeps the cell it had."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from app.kernel import changes
from grid import facts as grid_facts
from grid.events import CellsEnded
from visits import buckets, households, rehousing_store, rounds
from visits.households import Household


async def on_cells_ended(happened: CellsEnded, now: datetime) -> None:
    """Subscriber of CellsEnded: phones of the old cell drop its households, phones of the new one get them.

    A household that no cell of its village covers stays with the village. A second time there is nothing to do.
    """
    homes = await rehousing_store.lock_households_of(happened.cells)
    if not homes:
        return
    located = await grid_facts.locate_to_keep([(home.lon, home.lat) for home in homes])
    moved = [
        replace(home, area=households.area_of(home.area[:12], where.cell), version=home.version + 1, updated_at=now)
        for home, where in zip(homes, located, strict=True)
    ]
    await rehousing_store.move_households(moved)
    drafts: list[changes.Draft] = []
    for old, new in zip(homes, moved, strict=True):
        drafts.append((buckets.cell(old.area), "household", old.id, new.version, None))
        if new.moved_out_at is None:
            drafts.append((buckets.cell(new.area), "household", new.id, new.version, households.feed_body(new)))
    await changes.append_many(drafts)
    await _rounds(homes, moved)


async def _rounds(homes: Sequence[Household], moved: Sequence[Household]) -> None:
    """Rounds for a cell that ended, if not over, go on with the households they were for, where they are now."""
    now_in: dict[str, dict[UUID, str]] = {}
    for old, new in zip(homes, moved, strict=True):
        now_in.setdefault(old.area, {})[old.id] = new.area
    for round_ in await rehousing_store.lock_rounds_of(list(now_in)):
        target = round_.target
        there = now_in[target.area]
        kept = tuple(home for home in there if not target.households or home in target.households)
        areas = {there[home] for home in kept}
        if kept and len(kept) <= rounds.MOST_NAMED:
            area = areas.pop() if len(areas) == 1 else target.area[:12]
            changed = replace(round_, target=replace(target, area=area, households=kept), version=round_.version + 1)
            await rehousing_store.save_target(changed)
