"""A citizen's own data: handed out whole, and erased, each in one transaction and noted in the access log.

The key of what channels keep sealed is changed here too: secrets of webhooks, rows of files that wait.

Personal Information Protection Law of the PRC, articles 45 (access and copy) and 47 (deletion).
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import privacy_commands as identity
from app.identity import resealing, scope
from app.identity.privacy_commands import CitizenData
from app.identity.resealing import Sealed
from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import NotPermitted
from media import erasure_commands as media
from media import facts as media_facts
from tasks.cases import privacy_commands as cases
from tasks.cases.privacy_commands import Joined, Reported
from tasks.channels import push_store
from tasks.channels.events import CitizenErased

_SEALED = (
    Sealed("webhook", ("secret",)),
    Sealed("case_import_row", ("sealed",)),
    Sealed("push_record", ("sealed",)),
)


class Photo(Struct, frozen=True, kw_only=True):
    """Evidence the citizen sent with one of their requests; its bytes are fetched with the request."""

    request: UUID
    id: UUID
    media_type: str
    sha256: str


class Export(Struct, frozen=True, kw_only=True):
    """Everything the platform holds about a citizen, in clear text."""

    exported_at: datetime
    citizen: CitizenData
    requests: tuple[Reported, ...]
    joined: tuple[Joined, ...]
    photos: tuple[Photo, ...]


class Erasure(Struct, frozen=True, kw_only=True):
    """What was erased: the contacts and words in so many requests, so many later texts; all sessions have ended.

    Of the photos `held` stay until a legal hold on them is lifted; the bytes of the others go within minutes.
    """

    erased_at: datetime
    requests: int
    texts: int
    photos: int
    held: int


async def stale(district: str) -> int:
    """Return how many secrets of webhooks, waiting rows of files and digests an older key or none sealed."""
    async with db.transaction(district):
        return await resealing.stale(_SEALED) + await push_store.unsealed()


async def reseal(district: str, limit: int) -> int:
    """Seal up to `limit` of them under the present key and return how many."""
    async with db.transaction(district):
        sealed = await push_store.seal_old(limit)
        return sealed + await resealing.reseal(_SEALED, limit - sealed)


async def seal_old_digests(district: str, limit: int) -> int:
    """Seal up to `limit` bare digests of pushed records, as earlier versions wrote them; return how many."""
    async with db.transaction(district):
        return await push_store.seal_old(limit)


async def export(actor: Actor, now: datetime) -> Export:
    """Return everything about the citizen who asks; NotPermitted for whoever is none."""
    scope.require_any(actor, "personal.export")
    async with db.transaction(actor.district):
        citizen = await identity.citizen_data(actor.id)
        if actor.kind != "citizen" or citizen is None:
            raise NotPermitted(action="personal.export")
        requests = await cases.reported_by(actor.id)
        joined = await cases.joined_by(actor.id)
        evidence = await media_facts.of([each.id for each in requests])
        await identity.log_own(actor, "personal.export", now)
    photos = [
        Photo(request=request, id=each.id, media_type=each.media_type, sha256=each.sha256)
        for request, views in evidence.items()
        for each in views
        if each.uploader == actor.id
    ]
    return Export(
        exported_at=now, citizen=citizen, requests=tuple(requests), joined=tuple(joined), photos=tuple(photos)
    )


async def erase(actor: Actor, now: datetime) -> Erasure:
    """Erase contact, words, photos and openid of the citizen who asks and end their sessions.

    NotPermitted for whoever is none.
    The requests stay as cases without their words, and so does their trace, which holds salted hashes only. Answers
    kept for repeated requests are gone within a day.
    """
    scope.require_any(actor, "personal.erase")
    async with db.transaction(actor.district):
        if actor.kind != "citizen" or not await identity.erase_citizen(actor.id, now):
            raise NotPermitted(action="personal.erase")
        gone = await cases.erase_reporter(actor)
        photos = await media.erase_person(actor.id, now)
        await outbox.emit(CitizenErased(id=new_id(), at=now, actor=actor.id, citizen=actor.id))
        await identity.log_own(actor, "personal.erase", now)
    identity.forget_known()
    return Erasure(erased_at=now, requests=gone.cases, texts=gone.texts, photos=photos.pieces, held=photos.held)
