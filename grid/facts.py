"""The door of the grid for other packages: where a point belongs, who can own work, who is on duty.

All of it runs in the transaction the caller has opened.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct
from shapely import MultiPolygon

from app.kernel import db
from grid import store, tiles
from grid.cells import Located, Point
from grid.duty import Roster
from grid.organisations import Directory
from grid.people import DutyShift, Person
from grid.tiles import Spot, Tile

__all__ = [
    "area_names",
    "directory",
    "figure_tile",
    "hold_people",
    "locate",
    "locate_to_keep",
    "members",
    "on_duty",
    "people",
    "roster",
    "shapes",
]

BEHIND, AHEAD = timedelta(hours=1), timedelta(hours=12)
"""The span around a moment whose shifts are read together with the organisations."""


LIVING = datetime(9000, 1, 1, tzinfo=UTC)
"""A moment when of today's cells those are valid that have not ended: whose clock runs ahead does not matter."""


class _Kept(Struct, frozen=True):
    mark: UUID
    directory: Directory
    since: datetime
    until: datetime


_kept: dict[str, _Kept] = {}
"""District → the newest state read by this process; its mark is compared with the database's on every use."""


async def locate(points: Sequence[Point], at: datetime) -> list[Located]:
    """Where each point (longitude, latitude in WGS-84 degrees) belongs, in the order given; one statement."""
    return await store.locate(points, at, _district()) if points else []


async def locate_to_keep(points: Sequence[Point]) -> list[Located]:
    """Where each point belongs among the cells that live, for what is to be written under the cell's code.

    No cell ends before the caller's transaction does: who ends one later finds what was written.
    """
    await store.hold_cells(_district())
    return await store.locate(points, LIVING, _district()) if points else []


async def directory(at: datetime) -> Directory:
    """All organisations of the district as of a moment, and who is on duty then.

    Read again only after one of them or a shift changed, and when the span of shifts that was read is over.
    """
    mark = await store.organisations_mark()
    kept = _kept.get(_district())
    if mark is None or kept is None or kept.mark != mark:
        fresh = Directory(await store.organisations(), at)
    elif kept.since <= at < kept.until:
        return kept.directory.as_of(at)
    else:
        fresh = kept.directory.as_of(at)
    if not 1 < at.year < 9999:
        return fresh  # nobody is on duty at the ends of time, and a span would reach over them
    since, until = at - BEHIND, at + AHEAD
    fresh = fresh.with_duty(await roster(since, until))
    if mark is not None:
        _kept[_district()] = _Kept(mark, fresh, since, until)
    return fresh


async def roster(since: datetime, until: datetime) -> Roster:
    """Who is on duty at any moment of a span, as a value that pure code can ask."""
    return Roster(await store.roster(since, until))


async def on_duty(area: str, at: datetime) -> list[DutyShift]:
    """Who is on duty at a place (cell, village, town or district code) and a time, nearest areas first."""
    return await store.on_duty(area, at)


async def hold_people(ids: Sequence[UUID]) -> None:
    """Let nobody else who asks for it plan work of these people until the transaction ends."""
    await store.hold_people(ids)


async def members(organisation: UUID, at: datetime) -> list[Person]:
    """People of an organisation at that moment; of a squad, its members whatever their own organisation."""
    return await store.members(organisation, at)


async def people(ids: Sequence[UUID]) -> dict[UUID, Person]:
    """Id → person, of those known; whoever has left is still known."""
    return {each.id: each for each in await store.people(ids)}


async def area_names(codes: Sequence[str]) -> dict[str, str]:
    """Code → name of districts, towns and villages."""
    return await store.area_names(codes)


async def figure_tile(spot: Spot, layer: str, figures: Mapping[str, Mapping[str, int]]) -> Tile:
    """The vector tile of the cells that have figures (code → name → number), one layer; the caller knows who may."""
    return tiles.tagged(await store.figure_tile(spot, layer, figures))


async def shapes(codes: Sequence[str]) -> dict[str, MultiPolygon]:
    """Code → shape of cells, ended ones too, and of areas above them that have a boundary."""
    return await store.shapes(codes)


def _district() -> str:
    return db.current().district or ""
