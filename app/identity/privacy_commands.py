"""Personal data in identity: its key is changed, it is erased when its time is over or its person asks."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from app.identity import cipher, identification, privacy_store, resealing, store
from app.identity import commands as identity
from app.identity.resealing import Sealed
from app.identity.store import SessionView
from app.kernel import db
from app.kernel.actor import Actor, system

_SEALED = (Sealed("api_key", ("secret",)), Sealed("citizen", ("contact",)))

LEAST_LOG = timedelta(days=181)
"""Six months: network logs are kept at least so long (Cybersecurity Law of the PRC, art. 21)."""

forget_known = identification.forget_all


class CitizenData(Struct, frozen=True, kw_only=True):
    """What identity knows of a citizen; the openid is kept as a hash only."""

    id: UUID
    contact: str | None
    created_at: datetime
    sessions: tuple[SessionView, ...]


async def stale(district: str) -> int:
    """Return how many secrets of machines and contacts of citizens an older key or algorithm sealed."""
    async with db.transaction(district):
        return await resealing.stale(_SEALED)


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        return await resealing.reseal(_SEALED, limit)


async def citizen_data(citizen: UUID) -> CitizenData | None:
    """Return what is known of a citizen, in the caller's transaction; None for somebody who is none."""
    found = await privacy_store.citizen(citizen)
    if found is None:
        return None
    contact, created_at = found
    return CitizenData(
        id=citizen,
        contact=None if contact is None else cipher.open_(contact),
        created_at=created_at,
        sessions=tuple(await store.sessions(citizen)),
    )


async def erase_citizen(citizen: UUID, now: datetime) -> bool:
    """Erase contact and openid and end all sessions, in the caller's transaction; False for somebody who is none.

    Whoever signs in with that openid afterwards is a new citizen. The caller calls `forget_known` when committed.
    """
    if not await privacy_store.erase_citizen(citizen, now):
        return False
    await store.revoke_sessions(citizen, "erased", now)
    return True


async def forget_accesses(district: str, before: datetime, limit: int, now: datetime) -> int:
    """Delete up to `limit` older lines of the access log and note that; ValueError for less than six months."""
    if before > now - LEAST_LOG:
        raise ValueError("the access log is kept for at least six months")
    async with db.transaction(district):
        gone = await privacy_store.forget_accesses(before, limit)
        await _note(district, "access_log.expire", f"lines:{gone}", before, gone, now)
    return gone


async def forget_sessions(district: str, before: datetime, limit: int, now: datetime) -> int:
    """Delete up to `limit` sessions nobody used since an instant, with their tokens, and note that."""
    async with db.transaction(district):
        gone = await privacy_store.forget_sessions(before, limit)
        await _note(district, "session.expire", f"sessions:{gone}", before, gone, now)
    return gone


async def _note(district: str, action: str, what: str, before: datetime, gone: int, now: datetime) -> None:
    if gone:
        why = f"older than {before:%Y-%m-%d}"
        await identity.log_access(system(district, "retention"), action, what, why, now)


async def log_own(actor: Actor, action: str, now: datetime) -> None:
    """Note, in the caller's transaction, that a person read or erased their own data."""
    await identity.log_access(actor, action, f"citizen:{actor.id}", None, now)
