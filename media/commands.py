"""What can be done with evidence: declare it with the work, look into its bytes, hand out links to it."""

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db, outbox
from app.kernel.actor import Actor
from app.kernel.clock import SHANGHAI
from app.kernel.ids import new_id
from app.kernel.problem import Invalid
from media import derivatives, inspection, links, sniff, storage, store, upload_commands
from media import evidence as rules
from media.configuration import chosen, limits
from media.events import EvidenceChecked, EvidenceStored
from media.evidence import Evidence, EvidenceRef, State
from media.inspection import Inspection
from media.problems import EvidenceIdTaken, EvidenceNotFound, LinkExpired
from media.reasons import Reason, note, refused
from media.store import DerivativeView
from media.verdict import Context, Expected, Verdict, judge, refuse, unread

_MOST_REUSES = 20


async def declare(
    refs: Sequence[EvidenceRef],
    owner_kind: str,
    owner_id: UUID,
    expected: Expected | None,
    actor: Actor,
    now: datetime,
    retain_until: datetime | None = None,
) -> list[Evidence]:
    """Accept evidence before its bytes, in the caller's transaction; bytes already uploaded by the actor count at once.

    Declaring the same again changes nothing. Raises Invalid with every bad field (`evidence[n].…`), EvidenceIdTaken.
    """
    if not refs:
        return []
    if errors := rules.faults(refs, limits()):
        raise Invalid(errors)
    digests = [ref.sha256 for ref in refs]
    async with db.transaction(actor.district):
        await store.lock_contents(digests)
        wanted = {
            ref.id: rules.declared(ref, owner_kind, owner_id, expected, retain_until, actor.id, now) for ref in refs
        }
        await store.add_evidence(list(wanted.values()))
        present = await store.evidence(list(wanted), lock=True)
        for one in present:
            if not rules.same_declaration(one, wanted[one.id]):
                raise EvidenceIdTaken(evidence=one.id)
        here = await store.completed_digests(digests, actor.id)
        await upload_commands.hand_over(
            actor.district, [e for e in present if e.sha256 in here and e.state is State.AWAITING], now
        )
        return await store.evidence(list(wanted))


async def check_stored(event: EvidenceStored, now: datetime) -> None:
    """Subscriber of EvidenceStored: look into the bytes that came. Slow: best called outside a transaction."""
    with contextlib.suppress(EvidenceNotFound):  # erased since
        await check(event.district, event.evidence_id, now)


async def check(district: str, evidence_id: UUID, now: datetime) -> Evidence:
    """Look into the bytes of stored evidence in a process of its own, keep derivatives and the verdict; once.

    Raises EvidenceNotFound. Whatever the bytes are, it ends in a state.
    """
    async with db.transaction(district):
        evidence = await _one(evidence_id)
        file = await store.file(evidence.sha256)
    if evidence.state is not State.STORED or file is None:
        return evidence
    found = file.inspection
    made: list[DerivativeView] = []
    if found is None:
        found, made = await _inspect(district, evidence.sha256)
    async with db.transaction(district):
        evidence = await _one(evidence_id, lock=True)
        if file.inspection is None:
            await _save_inspection(evidence.sha256, found, made, now)
        judged = rules.checked(evidence, await _judge(evidence, found), now)
        if judged is evidence:
            return evidence
        await store.save_state(judged)
        await outbox.emit(_checked(judged, now))
    return judged


async def _one(evidence_id: UUID, *, lock: bool = False) -> Evidence:
    found = await store.evidence([evidence_id], lock=lock)
    if not found:
        raise EvidenceNotFound
    return found[0]


async def _inspect(district: str, sha256: str) -> tuple[Inspection, list[DerivativeView]]:
    root = chosen().root
    file = storage.where(root, district, sha256)
    made: list[DerivativeView] = []
    with tempfile.TemporaryDirectory(prefix="zjw-check-") as folder:
        found = await inspection.inspect(file, Path(folder), limits().inspection)
        for one in found.derived:
            content = await asyncio.to_thread(Path(one.path).read_bytes)
            kept = await asyncio.to_thread(storage.put, root, district, content)
            made.append(
                DerivativeView(
                    file_sha256=sha256,
                    variant=one.variant,
                    sha256=kept,
                    size=len(content),
                    width=one.width,
                    height=one.height,
                )
            )
    return msgspec.structs.replace(found, derived=()), made


async def _save_inspection(sha256: str, found: Inspection, made: list[DerivativeView], now: datetime) -> None:
    upright = found.hashes[0] if found.hashes else None
    distinct = upright is not None and derivatives.is_distinct(upright)
    await store.save_inspection(
        sha256,
        found,
        None if upright is None else _signed(upright),
        derivatives.bands(upright) if upright is not None and distinct else (),
        now,
    )
    await store.add_derivatives([new_id() for _ in made], made)


def _signed(value: int) -> int:
    """64 bits as PostgreSQL's bigint."""
    return value - (1 << 64) if value >> 63 else value


async def _judge(evidence: Evidence, found: Inspection) -> Verdict:
    if found.refusal is not None:
        return refuse(found.refusal)
    notes = _about_type(evidence.media_type, found.media_type or "")
    if any(one.code == "wrong-type" for one in notes):
        return refuse(notes[0])
    context = Context(
        received_at=evidence.received_at,
        zone=SHANGHAI,
        claim=evidence.claim,
        expected=evidence.expected,
        before=None if evidence.captured_at is None else await store.sighting_before(evidence),
        reuse=await _reuse(evidence, found),
    )
    verdict = judge(found.exif, context)
    return msgspec.structs.replace(verdict, reasons=(*notes, *verdict.reasons))


def _about_type(declared: str, real: str) -> list[Reason]:
    if declared.partition("/")[0] != real.partition("/")[0]:
        zh, en = f"申报为 {declared}，实际为 {real}", f"declared as {declared}, but it is {real}"
        return [refused("wrong-type", zh, en)]
    found: list[Reason] = []
    if declared != real:
        found.append(note("type-differs", f"申报为 {declared}，实际为 {real}", f"declared as {declared}, it is {real}"))
    if real not in sniff.IMAGES:
        found.append(unread(real))
    return found


async def _reuse(evidence: Evidence, found: Inspection) -> tuple[UUID, ...]:
    """Evidence of other work that shows the same picture, turned or mirrored or saved again."""
    mine = [one for one in found.hashes if derivatives.is_distinct(one)]
    bands = sorted({band for one in mine for band in derivatives.bands(one)})
    alike = await store.lookalikes(evidence, bands)
    return tuple(
        one.id
        for one in alike
        if one.same_bytes
        or (
            one.phash is not None
            and min(derivatives.apart(one.phash & (1 << 64) - 1, other) for other in mine) <= derivatives.SAME_PICTURE
        )
    )[:_MOST_REUSES]


def _checked(evidence: Evidence, now: datetime) -> EvidenceChecked:
    return EvidenceChecked(
        id=new_id(),
        at=now,
        actor=evidence.uploader,
        evidence_id=evidence.id,
        owner_kind=evidence.owner_kind,
        owner_id=evidence.owner_id,
        state=evidence.state,
        outcome="" if evidence.verdict is None else evidence.verdict.outcome,
    )


def signed_url(evidence_id: UUID, variant: str, now: datetime, district: str | None = None) -> str:
    """A link to `original`, `1280` or `320` that works for some minutes; the caller has checked the right to see it.

    The district is the transaction's unless given. ValueError for another variant.
    """
    if variant not in links.VARIANTS:
        raise ValueError(f"no such variant: {variant!r}")
    expires = int((now + limits().link).timestamp())
    return links.path(chosen().key, district or db.current().district or "", evidence_id, variant, expires)


class Served(Struct, frozen=True, kw_only=True):
    """A file to be served: where it lies, its type, and a name if it is to be saved and not shown."""

    path: Path
    media_type: str
    sha256: str
    attachment: str | None = None


async def open_link(
    district: str, evidence_id: UUID, variant: str, expires: int, signature: str, now: datetime
) -> Served:
    """What a signed link leads to; EvidenceNotFound for a false signature or nothing there yet, LinkExpired."""
    root, key = chosen().root, chosen().key
    if variant not in links.VARIANTS or not links.holds(key, district, evidence_id, variant, expires, signature):
        raise EvidenceNotFound
    if expires < now.timestamp():
        raise LinkExpired
    async with db.transaction(district):
        evidence = await _one(evidence_id)
        made = await store.derivatives([evidence.sha256])
    if evidence.state is State.AWAITING:
        raise EvidenceNotFound
    if variant == "original":
        good = evidence.state in (State.VERIFIED, State.FLAGGED)
        return Served(
            path=storage.where(root, district, evidence.sha256),
            media_type=evidence.media_type if good else "application/octet-stream",
            sha256=evidence.sha256,
            attachment=f"{evidence.id}.{evidence.media_type.rpartition('/')[2]}",
        )
    for one in made:
        if str(one.variant) == variant:
            return Served(path=storage.where(root, district, one.sha256), media_type="image/webp", sha256=one.sha256)
    raise EvidenceNotFound
