"""What a citizen is shown of others' cases, to join them: the item and the place rounded to 100 m, nothing else."""

from datetime import datetime, timedelta
from math import cos, radians
from uuid import UUID

from msgspec import Struct

from app.identity import cipher, scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.crs import Place, distance_m
from app.kernel.ids import new_id
from tasks.cases import commands, duplicates_store, likeness, publication, reference, store
from tasks.cases import orders as o
from tasks.cases.catalogue import Catalogue
from tasks.cases.duplicates_store import NearRow
from tasks.cases.problems import CaseNotFound

RECENT = timedelta(days=30)
"""Older cases are no news to join."""
SHOWN = 50


class Near(Struct, frozen=True, kw_only=True):
    """A case of somebody else, to join: what it is about and roughly where, in WGS 84."""

    id: UUID
    item: str
    item_name: str
    lon: float
    lat: float
    datum: str = "wgs84"


def _public(catalogue: Catalogue, now: datetime) -> list[str]:
    return [item.code for item in catalogue.present(now) if publication.is_public(item)]


def _near(row: NearRow, catalogue: Catalogue) -> Near:
    name = catalogue.version(row.item, row.item_version).name
    return Near(
        id=row.id, item=row.item, item_name=name, lon=publication.rounded(row.lon), lat=publication.rounded(row.lat)
    )


async def near(place: Place, metres: int, actor: Actor, now: datetime) -> list[Near]:
    """Return others' open cases around a place, nearest first, once a clerk has looked; none the citizen has a part in.

    The distance is that of the rounded place: no series of questions finds out more than one answer says.
    """
    scope.require_any(actor, "request.follow")
    lon, lat = place.wgs84()
    up = metres / likeness.METRES_A_DEGREE + 10**-publication.PLACES
    aside = up / max(cos(radians(lat)), 0.01)
    async with db.transaction(actor.district):
        catalogue = (await reference.present()).catalogue
        box = (lon - aside, lat - up, lon + aside, lat + up)
        rows = await duplicates_store.near(box, _public(catalogue, now), actor.id, now - RECENT)
    found = [_near(row, catalogue) for row in rows]
    away = {each.id: distance_m(lon, lat, each.lon, each.lat) for each in found}
    shown = sorted((each for each in found if away[each.id] <= metres), key=lambda each: (away[each.id], each.id))
    return shown[:SHOWN]


async def join(case_id: UUID, order: o.JoinReporter, actor: Actor, now: datetime) -> Near:
    """Make a citizen one of those who report a case and are kept informed; a second tap changes nothing.

    CaseNotFound for their own, one that is not public, not looked at yet, or over.
    """
    scope.require_any(actor, "request.submit")
    async with db.transaction(actor.district):
        catalogue = (await reference.present()).catalogue
        row = await duplicates_store.joinable(case_id, _public(catalogue, now), actor.id)
        if row is None:
            raise CaseNotFound
        await store.lock_all([case_id])
        if not await store.has_joined(case_id, actor.id):
            await commands.give(case_id, order, actor, now)
    return _near(row, catalogue)


async def speak_for(case_id: UUID, name: str | None, phone: str | None, now: datetime) -> None:
    """Write down, in the caller's transaction, for whom a citizen reported a case; sealed, and once."""
    await duplicates_store.speak_for(
        new_id(), case_id, cipher.seal(name) if name else None, cipher.seal(phone) if phone else None, now
    )
