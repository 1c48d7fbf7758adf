"""The door of the grid for other packages: where a point belongs, who can own work, who is on duty.

All of it runs in the transaction the caller has opened.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.kernel import db
from grid import store
from grid.cells import Located, Point
from grid.organisations import Directory
from grid.people import DutyShift, Person

__all__ = ["area_names", "directory", "locate", "members", "on_duty", "people"]

_kept: dict[str, tuple[UUID, Directory]] = {}
"""District → the newest state read by this process; its mark is compared with the database's on every use."""


async def locate(points: Sequence[Point], at: datetime) -> list[Located]:
    """Where each point (longitude, latitude in WGS-84 degrees) belongs, in the order given; one statement."""
    return await store.locate(points, at, _district()) if points else []


async def directory(at: datetime) -> Directory:
    """All organisations of the district as of a moment; read again only after one of them changed."""
    mark = await store.organisations_mark()
    kept = _kept.get(_district())
    if mark is not None and kept is not None and kept[0] == mark:
        return kept[1].as_of(at)
    fresh = Directory(await store.organisations(), at)
    if mark is not None:
        _kept[_district()] = (mark, fresh)
    return fresh


async def on_duty(area: str, at: datetime) -> list[DutyShift]:
    """Who is on duty at a place (cell, village, town or district code) and a time, nearest areas first."""
    return await store.on_duty(area, at)


async def members(organisation: UUID, at: datetime) -> list[Person]:
    """People of an organisation at that moment; of a squad, its members whatever their own organisation."""
    return await store.members(organisation, at)


async def people(ids: Sequence[UUID]) -> dict[UUID, Person]:
    """Id → person, of those known; whoever has left is still known."""
    return {each.id: each for each in await store.people(ids)}


async def area_names(codes: Sequence[str]) -> dict[str, str]:
    """Code → name of districts, towns and villages."""
    return await store.area_names(codes)


def _district() -> str:
    return db.current().district or ""
