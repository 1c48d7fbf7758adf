"""An upload: who began it, how long it is, what its metadata promises, and when it ends; pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.kernel.problem import FieldError, Invalid
from media import sniff
from media.configuration import Limits
from media.problems import FileTooLarge, TypeRefused, UploadGone

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class Upload(Struct, frozen=True, kw_only=True):
    """Bytes on their way; `sha256` is what was promised and, once `outcome` is completed, what they are."""

    id: UUID
    actor: UUID
    length: int
    metadata: str
    media_type: str | None = None
    sha256: str | None = None
    evidence: UUID | None = None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None

    @property
    def completed(self) -> bool:
        """All bytes have come and are kept."""
        return self.outcome == "completed"


class Promise(Struct, frozen=True):
    """What the metadata of an upload says of the file: type, digest, the evidence it is for."""

    media_type: str | None = None
    sha256: str | None = None
    evidence: UUID | None = None


def promise(metadata: Mapping[str, str]) -> Promise:
    """Read the keys `filetype` (or `media_type`), `sha256`, `evidence`: any may be missing, none may be bad."""
    errors: list[FieldError] = []
    digest = metadata.get("sha256") or None
    if digest is not None and not _DIGEST.fullmatch(digest):
        errors.append(FieldError("Upload-Metadata.sha256", ("应为 64 位十六进制", "has 64 hexadecimal digits")))
    evidence = None
    try:
        evidence = UUID(metadata["evidence"]) if metadata.get("evidence") else None
    except ValueError:
        errors.append(FieldError("Upload-Metadata.evidence", ("不是有效的编号", "is not an id")))
    if errors:
        raise Invalid(errors)
    kind = (metadata.get("filetype") or metadata.get("media_type") or "").partition(";")[0].strip().lower()
    return Promise(kind or None, digest.lower() if digest else None, evidence)


def accept(length: int, media_type: str | None, limits: Limits) -> None:
    """Refuse what is not taken, before any byte is read; an untold type is looked at when the bytes are here."""
    if media_type is not None and media_type not in sniff.ALLOWED:
        taken = ", ".join(sorted(sniff.ALLOWED))
        raise TypeRefused((f"只接受 {taken}", f"taken are {taken}"))
    most = limits.bytes_of(media_type)
    if length > most:
        raise FileTooLarge((f"不能超过 {most} 字节", f"at most {most} bytes"), limit=most)


def require_open(upload: Upload, now: datetime) -> None:
    """UploadGone for one that was ended or has expired; completed ones pass."""
    over = upload.outcome not in (None, "completed") or (not upload.completed and upload.expires_at <= now)
    if over:
        raise UploadGone()
