"""Figures of cases for whoever may see them: one transaction that only reads."""

from collections.abc import Sequence
from datetime import datetime

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import invalid
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import figure_store, figures, reference
from tasks.cases.figures import GROUPS, Asked, FiguresOf, Measured

ACTION = "figure.read"


async def measure(asked: Asked, actor: Actor, now: datetime) -> FiguresOf:
    """Return the figures of a period, of the cases the actor may see only; Invalid for what cannot be asked."""
    within = scope.require_any(actor, ACTION)
    if asked.group_by not in GROUPS:
        raise invalid("group_by", f"应为 {'、'.join(GROUPS)} 之一", f"is one of {', '.join(GROUPS)}")
    if asked.since >= asked.until:
        raise invalid("until", "应晚于 since", "comes after since")
    async with db.transaction(actor.district):
        directory = await grid_facts.directory(now)
        found = await figure_store.measure(asked, within, directory, now)
        names = await _names(asked.group_by, found, directory, now)
    groups = [figures.figures(each, names.get(each.key or "")) for each in found if not each.whole]
    total = next(figures.figures(each, None) for each in found if each.whole)
    return FiguresOf(
        group_by=asked.group_by,
        since=asked.since,
        until=asked.until,
        total=total,
        groups=figures.ordered(groups, asked.group_by),
    )


async def _names(group_by: str, found: Sequence[Measured], directory: Directory, now: datetime) -> dict[str, str]:
    """Return the names of keys, of those that have one."""
    keys = {each.key for each in found if each.key is not None}
    if group_by == "town":
        return await grid_facts.area_names(sorted(keys))
    if group_by == "organisation":
        return {str(each.id): each.name for each in directory.by_id.values() if str(each.id) in keys}
    if group_by == "item":
        return {each.code: each.name for each in (await reference.present()).catalogue.present(now)}
    return {}
