"""Every query of media; the caller opens the transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db
from media.evidence import Evidence
from media.inspection import Inspection
from media.uploads import Upload
from media.verdict import Sighting

_UPLOAD = ", ".join(Upload.__struct_fields__)
_EVIDENCE = ", ".join(Evidence.__struct_fields__)
_EVIDENCE_TYPES = {
    **dict.fromkeys(("id", "owner_id", "uploader"), "uuid"),
    **dict.fromkeys(("captured_at", "received_at", "retain_until", "stored_at", "checked_at"), "timestamptz"),
    **dict.fromkeys(("lon", "lat", "expected_lon", "expected_lat", "limit_m"), "double precision"),
    **dict.fromkeys(("mock", "legal_hold"), "boolean"),
    **dict.fromkeys(("received_place", "verdict"), "jsonb"),
    "size": "bigint",
}
_ADD_EVIDENCE = (
    f"insert into evidence ({_EVIDENCE}) select {_EVIDENCE} from unnest("
    + ", ".join(f"${n}::{_EVIDENCE_TYPES.get(name, 'text')}[]" for n, name in enumerate(Evidence.__struct_fields__, 1))
    + f") as e({_EVIDENCE}) on conflict (id) do nothing"
)


class File(Struct, frozen=True, kw_only=True):
    """A kept file and what looking into it found."""

    sha256: str
    size: int
    inspection: Inspection | None = None


class DerivativeView(Struct, frozen=True, kw_only=True):
    """A derivative: the most its longest side may have, its size in pixels, its digest."""

    file_sha256: str
    variant: int
    sha256: str
    size: int
    width: int
    height: int


class Lookalike(Struct, frozen=True):
    """Evidence of other work whose picture may be the same; `same_bytes` when it surely is."""

    id: UUID
    phash: int | None
    same_bytes: bool


def _evidence(row: Any) -> Evidence:
    return msgspec.convert(dict(row), Evidence)


async def add_upload(upload: Upload) -> None:
    """Write a new upload."""
    values = msgspec.structs.astuple(upload)
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.execute(f"insert into upload ({_UPLOAD}) values ({places})", *values)


async def upload(upload_id: UUID, actor: UUID, *, lock: bool = False) -> Upload | None:
    """An upload of this actor, or None."""
    row = await db.fetchrow(
        f"select {_UPLOAD} from upload where id = $1 and actor = $2" + (" for update" if lock else ""), upload_id, actor
    )
    return None if row is None else msgspec.convert(dict(row), Upload)


async def end_upload(upload_id: UUID, outcome: str, sha256: str | None, now: datetime) -> None:
    """Note how an upload ended, the first time; a completed one may still be terminated."""
    await db.execute(
        "update upload set outcome = $2, sha256 = coalesce($3, sha256), ended_at = $4"
        " where id = $1 and (outcome is null or (outcome = 'completed' and $2 = 'terminated'))",
        upload_id,
        outcome,
        sha256,
        now,
    )


async def lock_uploader(actor: UUID) -> None:
    """Let one beginning of this actor at a time be counted: two that do not see each other would both fit the day."""
    await db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"uploads of {actor}")


async def uploaded_since(actor: UUID, since: datetime) -> int:
    """Bytes of all uploads an actor began since then, whatever became of them."""
    return await db.fetchval(
        "select coalesce(sum(length), 0)::bigint from upload where actor = $1 and created_at > $2", actor, since
    )


async def unfinished(before: datetime, limit: int) -> list[Upload]:
    """Uploads begun before, which have not ended, oldest first."""
    rows = await db.fetch(
        f"select {_UPLOAD} from upload where ended_at is null and created_at < $1 order by created_at limit $2",
        before,
        limit,
    )
    return [msgspec.convert(dict(row), Upload) for row in rows]


async def lock_contents(digests: Collection[str]) -> None:
    """Let one transaction at a time join uploads and evidence of the same content.

    Without it a declaration and the end of its upload, each not seeing the other, would both commit and never meet.
    """
    keys = sorted({int(digest[:15], 16) for digest in digests})
    await db.execute("select pg_advisory_xact_lock(k) from unnest($1::bigint[]) as k", keys)


async def completed_digests(digests: Sequence[str], actor: UUID) -> set[str]:
    """Those of the digests whose bytes this actor has uploaded whole."""
    rows = await db.fetch(
        "select sha256 from upload where sha256 = any($1::text[]) and actor = $2 and outcome = 'completed'",
        digests,
        actor,
    )
    return {row["sha256"] for row in rows}


async def add_evidence(evidence: Sequence[Evidence]) -> int:
    """Write new evidence; ids that are there already are left alone. Return how many are new."""
    rows = [list(msgspec.structs.astuple(one)) for one in evidence]
    columns = [list(column) for column in zip(*rows, strict=True)]
    for name in ("received_place", "verdict"):
        at = Evidence.__struct_fields__.index(name)
        columns[at] = [None if value is None else msgspec.to_builtins(value) for value in columns[at]]
    return await db.execute(_ADD_EVIDENCE, *columns)


async def evidence(ids: Sequence[UUID], *, lock: bool = False) -> list[Evidence]:
    """Evidence by its ids, in their order in the database."""
    rows = await db.fetch(
        f"select {_EVIDENCE} from evidence where id = any($1::uuid[]) order by id" + (" for update" if lock else ""),
        ids,
    )
    return [_evidence(row) for row in rows]


async def evidence_of(owners: Sequence[UUID]) -> list[Evidence]:
    """All evidence of these owners, oldest first."""
    rows = await db.fetch(
        f"select {_EVIDENCE} from evidence where owner_id = any($1::uuid[]) order by received_at, id", owners
    )
    return [_evidence(row) for row in rows]


async def lock_awaiting(sha256: str, uploader: UUID) -> list[Evidence]:
    """Evidence of this person that waits for exactly these bytes."""
    rows = await db.fetch(
        f"select {_EVIDENCE} from evidence where sha256 = $1 and uploader = $2 and state = 'awaiting'"
        " order by id for update",
        sha256,
        uploader,
    )
    return [_evidence(row) for row in rows]


async def save_state(evidence: Evidence) -> None:
    """Write state, its times and the verdict."""
    await db.execute(
        "update evidence set state = $2, stored_at = $3, checked_at = $4, verdict = $5 where id = $1",
        evidence.id,
        evidence.state,
        evidence.stored_at,
        evidence.checked_at,
        None if evidence.verdict is None else msgspec.to_builtins(evidence.verdict),
    )


async def add_file(file_id: UUID, sha256: str, size: int, now: datetime) -> None:
    """Note a kept file; again changes nothing."""
    await db.execute(
        "insert into media_file (id, sha256, size, kept_at) values ($1, $2, $3, $4) on conflict (sha256) do nothing",
        file_id,
        sha256,
        size,
        now,
    )


async def file(sha256: str) -> File | None:
    """A kept file, or None."""
    row = await db.fetchrow("select sha256, size, inspection from media_file where sha256 = $1", sha256)
    return None if row is None else msgspec.convert(dict(row), File)


async def save_inspection(
    sha256: str, inspection: Inspection, phash: int | None, bands: Sequence[int], now: datetime
) -> None:
    """Write what looking into a file found; `phash` as a signed 64-bit number."""
    await db.execute(
        "update media_file set inspection = $2, phash = $3, phash_bands = $4, inspected_at = $5 where sha256 = $1",
        sha256,
        msgspec.to_builtins(inspection),
        phash,
        bands,
        now,
    )


async def add_derivatives(ids: Sequence[UUID], derivatives: Sequence[DerivativeView]) -> None:
    """Write the derivatives of a file; again changes nothing."""
    for new_id, one in zip(ids, derivatives, strict=True):
        await db.execute(
            "insert into derivative (id, file_sha256, variant, sha256, size, width, height)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (file_sha256, variant) do nothing",
            new_id,
            *msgspec.structs.astuple(one),
        )


async def derivatives(digests: Collection[str]) -> list[DerivativeView]:
    """The derivatives of these files, the smallest first."""
    rows = await db.fetch(
        "select file_sha256, variant, sha256, size, width, height from derivative"
        " where file_sha256 = any($1::text[]) order by file_sha256, variant",
        list(digests),
    )
    return [msgspec.convert(dict(row), DerivativeView) for row in rows]


async def sighting_before(evidence: Evidence) -> Sighting | None:
    """Where the same person's evidence before this one was captured."""
    row = await db.fetchrow(
        "select lon, lat, captured_at as at from evidence where uploader = $1 and captured_at <= $2 and id <> $3"
        " and lon is not null order by captured_at desc, id desc limit 1",
        evidence.uploader,
        evidence.captured_at,
        evidence.id,
    )
    return None if row is None else msgspec.convert(dict(row), Sighting)


async def lookalikes(evidence: Evidence, bands: Sequence[int], limit: int = 100) -> list[Lookalike]:
    """Evidence of other work with the same bytes, or whose hash shares a band with one of these."""
    rows = await db.fetch(
        "select e.id, f.phash, e.sha256 = $1 as same_bytes from evidence e join media_file f on f.sha256 = e.sha256"
        " where e.sha256 in (select $1 union select sha256 from media_file where phash_bands && $2::integer[])"
        " and e.owner_id <> $3 and e.id <> $4 and e.state <> 'awaiting' order by e.id limit $5",
        evidence.sha256,
        bands,
        evidence.owner_id,
        evidence.id,
        limit,
    )
    return [msgspec.convert(dict(row), Lookalike) for row in rows]
