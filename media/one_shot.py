"""Small files in one request: the same path as an upload in parts, without the resuming."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from app.kernel import db
from app.kernel.actor import Actor
from media import upload_commands as uploads
from media.evidence import State
from media.problems import DigestMismatch
from media.tus import Creation, Part


async def bring(actor: Actor, evidence_id: UUID, body: AsyncIterator[bytes], now: datetime) -> State:
    """Take the whole content of evidence the actor declared; bringing it again changes nothing.

    Raises EvidenceNotFound, FileTooLarge beyond the declared size, DigestMismatch for other bytes or too few of them.
    """
    async with db.transaction(actor.district):
        evidence = await uploads.own_evidence(evidence_id, actor)
    if evidence.state is not State.AWAITING:
        return evidence.state
    upload = await uploads.begin(actor, Creation(evidence.size, {"evidence": str(evidence_id)}, ""), now)
    try:
        received = await uploads.receive(actor, upload, Part(0, None, None), body, now)
    except BaseException:
        await uploads.terminate(actor, upload, now)
        raise
    if received < evidence.size:
        await uploads.terminate(actor, upload, now)
        raise DigestMismatch(declared_size=evidence.size, size=received)
    return State.STORED
