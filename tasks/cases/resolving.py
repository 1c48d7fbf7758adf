"""What a command names, looked up before deciding: successors, the other case, the new item, cell, force on duty."""

from uuid import UUID

from msgspec.structs import replace

from app.identity import scope
from app.kernel.problem import invalid
from grid import facts as grid_facts
from grid.organisations import Directory, Force, Kind
from tasks.cases import orders as o
from tasks.cases import standing, store
from tasks.cases.catalogue import Catalogue, Item
from tasks.cases.model import Case
from tasks.cases.problems import OrganisationUnknown
from tasks.cases.situation import Called, Found, Moved, Situation


async def hold(case_id: UUID, order: o.Order) -> None:
    """Lock both cases of a merger in the order of their ids, so that two mergers never wait for each other."""
    if not isinstance(order, o.Merge | o.Unmerge):
        return
    other = order.into if isinstance(order, o.Merge) else await store.merged_into(case_id)
    if other is not None:
        await store.lock_all([case_id, other])


def _fit(organisation: UUID, directory: Directory) -> UUID:
    """Return who does an organisation's work today; OrganisationUnknown for nobody."""
    found = directory.current(organisation)
    if found is None:
        raise OrganisationUnknown(organisation=str(organisation))
    return found.id


def resolved(order: o.Order, directory: Directory) -> o.Order:
    """Return the command with organisations that ended replaced by their successors."""
    if isinstance(order, o.Assign | o.Rule):
        others = tuple(_fit(each, directory) for each in order.assistants)
        return replace(order, to=_fit(order.to, directory), assistants=others)
    if isinstance(order, o.Delegate | o.AskAssist | o.AssignVerifier):
        return replace(order, to=_fit(order.to, directory))
    return order


async def found(s: Situation, order: o.Order, catalogue: Catalogue, directory: Directory) -> Found:
    """Return what the command's guard and effect look at; Invalid or OrganisationUnknown where there is none."""
    if isinstance(order, o.Merge):
        return Found(target=await _target(order.into, s, directory))
    if isinstance(order, o.Amend):
        item = None if order.item is None else _item(order.item, s, catalogue)
        return Found(item=item, place=await _moved(s, order))
    if isinstance(order, o.CallUp):
        return Found(called=await _on_duty(order.force, s, directory))
    if isinstance(order, o.JoinReporter) and s.actor.kind == "citizen":
        return Found(joined=await store.has_joined(s.case.id, s.actor.id))
    return Found()


async def _target(case_id: UUID, s: Situation, directory: Directory) -> Case:
    """Return the case to merge into, locked by `hold`; Invalid for one that is not there or not the actor's to see."""
    locked = await store.lock(case_id)
    if locked is None or not scope.may(s.actor, "case.read", standing.ownership(*locked, directory)):
        raise invalid("into", "没有这个事件", "no such case")
    return locked[0]


def _item(code: str, s: Situation, catalogue: Catalogue) -> Item:
    """Return the version that was in force when the case came in; of a younger item the present one."""
    item = catalogue.at(code, s.case.accepted_at or s.case.received_at) or catalogue.at(code, s.now)
    if item is None:
        raise invalid("item", f"目录中没有事项 {code}", f"no such item: {code}")
    return item


async def _moved(s: Situation, order: o.Amend) -> Moved | None:
    if order.place is None:
        return None
    lon, lat = order.place.wgs84()
    located = await grid_facts.locate([(lon, lat)], s.now)
    return Moved(lon, lat, located[0].cell)


async def _on_duty(force: Force, s: Situation, directory: Directory) -> Called:
    """Return who of the force is on duty at the case's cell, nearest area first; without a shift the force's unit."""
    area, barred = s.case.cell or s.case.area, s.biased
    for shift in await grid_facts.on_duty(area, s.now):
        here = directory.current(shift.organisation)
        fits = here is not None and here.force is force and area.startswith(shift.area)
        if here is not None and fits and not barred & {here.id, shift.person}:
            return Called(here.id, shift.person)
    unit = directory.find(Kind.FORCE_UNIT, area, force)
    if unit is None or unit.id in barred:
        raise OrganisationUnknown(("本处没有这支力量", "there is nobody of this force here"), force=force.value)
    return Called(unit.id, None)
