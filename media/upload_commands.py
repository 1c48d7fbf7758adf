"""What can be done with an upload: begin, add to, ask, end, finish. Bytes go to the folder, facts to the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from media import evidence as rules
from media import receiving, storage, store, tus, underway, uploads
from media.configuration import chosen, limits
from media.events import EvidenceStored
from media.evidence import Evidence
from media.problems import DailyLimitReached, DigestMismatch, EvidenceNotFound, UploadGone, UploadNotFound
from media.tus import Creation, Part
from media.uploads import Promise, Upload

_DAY = timedelta(hours=24)
_FORGOTTEN = timedelta(minutes=10)


async def begin(actor: Actor, creation: Creation, now: datetime) -> Upload:
    """Begin an upload; whatever can be refused is refused here, before its bytes are read.

    Raises Invalid, TypeRefused, FileTooLarge, DailyLimitReached, EvidenceNotFound, StorageFull.
    """
    promised = uploads.promise(creation.metadata)
    upload = Upload(
        id=new_id(),
        actor=actor.id,
        length=creation.length,
        metadata=creation.raw_metadata,
        created_at=now,
        expires_at=now + limits().unfinished,
    )
    async with db.transaction(actor.district):
        promised = await _for_evidence(promised, creation.length, actor)
        uploads.accept(creation.length, promised.media_type, limits())
        await _within_the_day(actor, creation.length, now)
        upload = msgspec.structs.replace(
            upload, media_type=promised.media_type, sha256=promised.sha256, evidence=promised.evidence
        )
        with receiving.room():
            await asyncio.to_thread(storage.begin, _partial(actor.district, upload.id))
        await store.add_upload(upload)
    underway.remember(actor.district, upload)
    return upload


async def _for_evidence(promised: Promise, length: int, actor: Actor) -> Promise:
    """An upload for a piece of evidence promises what that promised."""
    if promised.evidence is None:
        return promised
    evidence = await own_evidence(promised.evidence, actor)
    if evidence.size != length or promised.sha256 not in (None, evidence.sha256):
        raise DigestMismatch(declared_sha256=evidence.sha256, declared_size=evidence.size)
    return Promise(evidence.media_type, evidence.sha256, evidence.id)


async def own_evidence(evidence_id: UUID, actor: Actor) -> Evidence:
    """The evidence this actor declared; EvidenceNotFound for another's. Inside a transaction."""
    found = await store.evidence([evidence_id])
    if not found or found[0].uploader != actor.id:
        raise EvidenceNotFound
    return found[0]


async def _within_the_day(actor: Actor, length: int, now: datetime) -> None:
    most = limits().person_day_bytes
    await store.lock_uploader(actor.id)
    if await store.uploaded_since(actor.id, now - _DAY) + length > most:
        raise DailyLimitReached(headers={"Retry-After": "3600"}, limit=most)


async def find(actor: Actor, upload_id: UUID, now: datetime) -> Upload:
    """An upload of this actor that can go on or is complete; UploadNotFound, UploadGone."""
    async with db.transaction(actor.district):
        upload = await store.upload(upload_id, actor.id)
    if upload is None:
        raise UploadNotFound()
    uploads.require_open(upload, now)
    return upload


async def under_way(actor: Actor, upload_id: UUID, now: datetime) -> Upload:
    """The same for one that goes on: where this process began or found it, nothing is read."""
    known = underway.find(actor.district, upload_id)
    if known is None:
        upload = await find(actor, upload_id, now)
        if not upload.completed:
            underway.remember(actor.district, upload)
        return upload
    if known.upload.actor != actor.id:
        raise UploadNotFound()
    uploads.require_open(known.upload, now)
    return known.upload


async def offset(actor: Actor, upload: Upload, now: datetime) -> int:
    """How many bytes have come; a request that still writes gives way first. Finishes what only lacks its end."""
    if upload.completed:
        return upload.length
    received = await _standing(actor, upload, now)
    if received == upload.length:
        await finish(actor, upload, now)
    return received


async def _standing(actor: Actor, upload: Upload, now: datetime) -> int:
    try:
        return await receiving.standing(_partial(actor.district, upload.id))
    except UploadGone:  # finished since it was read
        if (await find(actor, upload.id, now)).completed:
            return upload.length
        raise


async def receive(actor: Actor, upload: Upload, asked: Part, body: AsyncIterator[bytes], now: datetime) -> int:
    """Add the bytes of one request and return the new offset; with the last byte the upload is finished.

    Raises what `receiving.append` raises, and DigestMismatch.
    """
    if upload.completed:
        tus.fit(upload.length, upload.length, asked)
        return upload.length
    path = _partial(actor.district, upload.id)
    tus.fit(asked.offset, upload.length, asked)
    try:
        digest = underway.digest(actor.district, upload.id)
        received = await receiving.append(path, asked, upload.length, body, limits().idle.total_seconds(), digest)
    except UploadGone:  # another request brought the last byte meanwhile: this one stands at the wrong place
        underway.forget(actor.district, upload.id)
        if not (await find(actor, upload.id, now)).completed:
            raise
        tus.fit(upload.length, upload.length, asked)
        return upload.length
    if received == upload.length:
        await finish(actor, upload, now)
    return received


async def finish(actor: Actor, upload: Upload, now: datetime) -> None:
    """Keep the whole file under its digest and give it to the evidence that waits for it; twice is harmless.

    The file is on the disk before the commit, and the partial one goes after it: a crash between leaves only litter.
    """
    path = _partial(actor.district, upload.id)
    if not path.exists():
        return
    sha256 = underway.digest(actor.district, upload.id).of(upload.length)
    sha256 = sha256 or await asyncio.to_thread(storage.digest, path)
    underway.forget(actor.district, upload.id)
    good = upload.sha256 in (None, sha256)
    async with db.transaction(actor.district):
        current = await store.upload(upload.id, actor.id, lock=True)
        if current is None:  # erased, its file goes any moment
            raise UploadNotFound()
        if current.ended_at is not None:
            uploads.require_open(current, now)
            return
        await store.end_upload(upload.id, "completed" if good else "refused", sha256 if good else None, now)
        if good:
            await store.lock_contents([sha256])
            # under the lock: an erasure of the same content is over, or will see this upload
            with receiving.room():
                await asyncio.to_thread(storage.keep, chosen().root, actor.district, path, sha256)
            await store.add_file(new_id(), sha256, upload.length, now)
            await hand_over(actor.district, await store.lock_awaiting(sha256, actor.id), now)
    path.unlink(missing_ok=True)
    if not good:
        raise DigestMismatch(declared_sha256=upload.sha256, sha256=sha256)


async def hand_over(district: str, waiting: list[Evidence], now: datetime) -> None:
    """The bytes of this evidence are here: note it and wake whoever looks into them, in the caller's transaction."""
    for evidence in waiting:
        await store.save_state(rules.stored(evidence, now))
    await outbox.emit(
        *(
            EvidenceStored(
                id=new_id(),
                at=now,
                actor=one.uploader,
                district=district,
                evidence_id=one.id,
                owner_kind=one.owner_kind,
                owner_id=one.owner_id,
            )
            for one in waiting
        )
    )


async def terminate(actor: Actor, upload: Upload, now: datetime) -> None:
    """End an upload and free its bytes; one that is complete stays kept where evidence refers to it."""
    await _end(actor.district, upload, "terminated", now)


async def _end(district: str, upload: Upload, outcome: str, now: datetime) -> None:
    path = _partial(district, upload.id)
    underway.forget(district, upload.id)
    try:
        async with receiving.held(path):
            async with db.transaction(district):
                await store.end_upload(upload.id, outcome, None, now)
            path.unlink(missing_ok=True)
    except UploadGone:
        async with db.transaction(district):
            await store.end_upload(upload.id, outcome, None, now)


async def sweep(district: str, now: datetime) -> int:
    """End expired uploads and finish those whose client never came back for the answer. Return how many."""
    async with db.transaction(district):
        old = await store.unfinished(now - _FORGOTTEN, 500)
    done = 0
    for upload in old:
        actor = Actor(id=upload.actor, kind="system", district=district)
        if upload.expires_at <= now:
            await _end(district, upload, "expired", now)
        elif _partial(district, upload.id).exists() and not await _whole(actor, upload, now):
            continue
        done += 1
    return done


async def _whole(actor: Actor, upload: Upload, now: datetime) -> bool:
    """Whether an upload has all its bytes; it is finished then, or ends for what it turns out to be."""
    with contextlib.suppress(DigestMismatch, UploadGone, UploadNotFound):
        return await offset(actor, upload, now) == upload.length
    return True


def _partial(district: str, upload_id: UUID) -> Path:
    return storage.partial(chosen().root, district, str(upload_id))
