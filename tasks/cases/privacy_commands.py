"""Personal data of cases: its key is changed, it is erased when its time is over or its person asks.

The trace holds salted hashes only. With a text its salt goes too, so nothing can be guessed from what stays, and the
chain still holds.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity import cipher, resealing
from app.identity import commands as identity
from app.identity.resealing import Sealed
from app.kernel import changes, db
from app.kernel.actor import Actor, system
from tasks.cases import journal, privacy_store, reference, store

_SEALED = (
    Sealed("case_contact", ("name", "phone"), "case_id"),
    Sealed("case_reporter", ("name", "phone"), "id"),
)


class ReportedText(Struct, frozen=True, kw_only=True):
    """Words of one step: the reporter's `own`, or said to them."""

    at: datetime
    step: str
    field: str
    text: str
    own: bool


class Reported(Struct, frozen=True, kw_only=True):
    """All that a case holds of whoever reported it; the point as it was sent."""

    id: UUID
    number: str
    state: str
    item: str
    title: str
    description: str
    address: str
    attributes: dict[str, Any]
    lon: float | None
    lat: float | None
    datum: str | None
    occurred_at: datetime | None
    received_at: datetime
    closed_at: datetime | None
    rating: int | None
    name: str | None
    phone: str | None
    texts: tuple[ReportedText, ...]


class Joined(Struct, frozen=True, kw_only=True):
    """Somebody else's case that a citizen joined, with the contact they gave for it."""

    id: UUID
    number: str
    joined_at: datetime
    name: str | None
    phone: str | None


class Erased(Struct, frozen=True):
    """How many cases and texts lost the words of their reporter."""

    cases: int
    texts: int


async def stale(district: str) -> int:
    """Return how many contacts of cases an older key or algorithm sealed."""
    async with db.transaction(district):
        return await resealing.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await resealing.reseal(_SEALED, limit)


async def erase_old_contacts(district: str, before: datetime, limit: int, now: datetime) -> int:
    """Erase the contacts of up to `limit` cases that were over before an instant; noted in the access log."""
    async with db.transaction(district):
        gone = await privacy_store.erase_contacts(before, limit) + await privacy_store.erase_joined(before, limit)
        if gone:
            actor, why = system(district, "retention"), f"over before {before:%Y-%m-%d}"
            await identity.log_access(actor, "contact.erase", f"cases:{gone}", why, now)
    return gone


async def reported_by(reporter: UUID) -> list[Reported]:
    """Return all that cases hold of a reporter, contacts in clear text, in the caller's transaction."""
    said: dict[UUID, list[ReportedText]] = {}
    for row in await privacy_store.texts(reporter):
        said.setdefault(row.pop("case_id"), []).append(ReportedText(**row))
    return [
        Reported(**_opened(row), texts=tuple(said.get(row["id"], ()))) for row in await privacy_store.reported(reporter)
    ]


async def joined_by(reporter: UUID) -> list[Joined]:
    """Return the cases of others that a citizen joined, contacts in clear text, in the caller's transaction."""
    return [Joined(**_opened(row)) for row in await privacy_store.joined(reporter)]


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    clear: dict[str, Any] = {name: row[name] and cipher.open_(row[name]) for name in ("name", "phone")}
    return row | clear


async def erase_reporter(reporter: Actor) -> Erased:
    """Erase what cases hold of a reporter and in their words, in the caller's transaction.

    The cases stay: item, place, legs, what others wrote, and the trace. Phones that hold an open one get it without
    the words.
    """
    ids = await privacy_store.lock_reported(reporter.id)
    catalogue = (await reference.present()).catalogue
    cases = await store.cases(ids)
    titles = [catalogue.version(case.item, case.item_version).name for case in cases]
    texts = await privacy_store.erase(reporter.id, [case.id for case in cases], titles)
    for case in await store.cases(ids):
        legs = await store.legs(case.id)
        await changes.append_many(journal.news(case, legs, legs))
    return Erased(len(ids), texts)
