"""Evidence and its bytes go for good: of a person who asks, or when its time is over; never what is under legal hold.

Rows go in the transaction that decides, with a note of the contents and partial files that may have lost their last
reference. The bytes go afterwards, before their note: killed in between, the next run does it again.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from msgspec import Struct

from app.identity import commands as identity
from app.kernel import db
from app.kernel.actor import system
from media import erasure_store, receiving, storage, store
from media.configuration import chosen
from media.problems import UploadBusy, UploadGone

BATCH = 200
_LATE = timedelta(days=1)
"""So long after an erasure uploads of the person that were under way are looked for again."""


class Gone(Struct, frozen=True, kw_only=True):
    """So many pieces of evidence were erased; `held` stay, under legal hold, until it is lifted."""

    pieces: int
    held: int


async def erase_person(person: UUID, now: datetime) -> Gone:
    """Erase all evidence and uploads of a person, in the caller's transaction.

    What is under legal hold stays and goes by `run` when the hold is lifted. Bytes that others brought too stay theirs.
    """
    gone = await _erase_person(person, now)
    await erasure_store.queue("person", [str(person)], now)
    return gone


async def _erase_person(person: UUID, now: datetime) -> Gone:
    contents = await erasure_store.contents_of(person)
    await store.lock_contents(contents)
    pieces = await erasure_store.erase_evidence_of(person)
    uploads = await erasure_store.erase_uploads_of(person)
    await erasure_store.queue("content", contents, now)
    await erasure_store.queue("part", [str(upload) for upload in uploads], now)
    return Gone(pieces=len(pieces), held=await erasure_store.held_of(person))


async def erase_due(district: str, now: datetime, limit: int = BATCH) -> int:
    """Erase up to `limit` pieces of evidence whose time is over and return how many; noted in the access log."""
    async with db.transaction(district):
        found = await erasure_store.due(now, limit)
        contents = {sha256 for _, sha256 in found}
        await store.lock_contents(contents)
        gone = await erasure_store.erase_due([piece for piece, _ in found], now)
        await erasure_store.queue("content", contents, now)
        if gone:
            why = f"to be kept until before {now:%Y-%m-%d}"
            await identity.log_access(system(district, "retention"), "evidence.erase", f"evidence:{gone}", why, now)
    return gone


async def run(district: str, now: datetime) -> int:
    """Take away the bytes of what was erased and return how many contents; again finds only what was left."""
    for name, asked_at in await _queued(district, "person"):
        await _person_again(district, UUID(name), asked_at, now)
    for name, _ in await _queued(district, "part"):
        await _part(district, name)
    return sum([await _content(district, name, now) for name, _ in await _queued(district, "content")])


async def _queued(district: str, kind: str) -> list[tuple[str, datetime]]:
    async with db.transaction(district):
        return await erasure_store.queued(kind, BATCH)


async def _person_again(district: str, person: UUID, asked_at: datetime, now: datetime) -> None:
    async with db.transaction(district):
        gone = await _erase_person(person, now)
        if gone.pieces:
            what, why = f"citizen:{person}", f"{gone.pieces} pieces, {gone.held} under hold"
            await identity.log_access(system(district, "retention"), "evidence.erase", what, why, now)
        if not gone.held and asked_at < now - _LATE:
            await erasure_store.settle("person", str(person))


async def _part(district: str, upload: str) -> None:
    path = storage.partial(chosen().root, district, upload)
    try:
        with contextlib.suppress(UploadGone):
            async with receiving.held(path):
                path.unlink(missing_ok=True)
    except UploadBusy:
        return  # the next run asks its holder again
    async with db.transaction(district):
        await erasure_store.settle("part", upload)


async def _content(district: str, sha256: str, now: datetime) -> int:
    async with db.transaction(district):
        await store.lock_contents([sha256])
        left = await erasure_store.referred(sha256)
        if not left:
            derived = await erasure_store.erase_file(sha256)
            for each in (*derived, sha256):
                await asyncio.to_thread(_discard, storage.where(chosen().root, district, each))
            why = f"with {len(derived)} derivatives"
            await identity.log_access(system(district, "retention"), "file.erase", f"file:{sha256}", why, now)
        await erasure_store.settle("content", sha256)
    return int(not left)


def _discard(path: Path) -> None:
    """Remove a kept file and put that on the disk."""
    if path.exists():
        path.unlink(missing_ok=True)
        storage.sync_folder(path.parent)
