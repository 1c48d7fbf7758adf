"""Evidence: what is declared before the bytes come, and the states it goes through; pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.crs import Place
from app.kernel.problem import FieldError
from media import sniff
from media.configuration import Limits
from media.verdict import Claim, Expected, Outcome, Verdict

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Instant = Annotated[datetime, Meta(tz=True)]
_CLOCKS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
"""A capture time outside is no time of a camera: it counts as unknown. No clock refuses work."""


class State(StrEnum):
    """Where a piece of evidence stands: declared, its bytes here, judged good, judged doubtful, useless."""

    AWAITING = "awaiting"
    STORED = "stored"
    VERIFIED = "verified"
    FLAGGED = "flagged"
    REFUSED = "refused"


class EvidenceRef(Struct, frozen=True, kw_only=True):
    """Evidence as the report of the work names it, before its bytes arrive. `captured_at` is the corrected time."""

    id: UUID
    sha256: Sha256
    size: Annotated[int, Meta(ge=1, le=2**40)]
    media_type: Annotated[str, Meta(max_length=100)]
    captured_at: Instant | None = None
    place: Place | None = None
    mock: bool = False


class Evidence(Struct, frozen=True, kw_only=True):
    """Evidence as it is kept; places in WGS-84, `received_place` as it came."""

    id: UUID
    owner_kind: str
    owner_id: UUID
    uploader: UUID
    sha256: str
    size: int
    media_type: str
    captured_at: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    received_place: Place | None = None
    mock: bool = False
    received_at: datetime
    expected_lon: float | None = None
    expected_lat: float | None = None
    limit_m: float | None = None
    retain_until: datetime | None = None
    legal_hold: bool = False
    state: State = State.AWAITING
    stored_at: datetime | None = None
    checked_at: datetime | None = None
    verdict: Verdict | None = None

    @property
    def claim(self) -> Claim:
        """What the report says of the capture."""
        accuracy = None if self.received_place is None else self.received_place.accuracy_m
        return Claim(at=self.captured_at, lon=self.lon, lat=self.lat, accuracy_m=accuracy, mock=self.mock)

    @property
    def expected(self) -> Expected | None:
        """Where the work is, if that was said."""
        if self.expected_lon is None or self.expected_lat is None or self.limit_m is None:
            return None
        return Expected(lon=self.expected_lon, lat=self.expected_lat, limit_m=self.limit_m)


def faults(refs: Sequence[EvidenceRef], limits: Limits) -> list[FieldError]:
    """Everything wrong with the references, each by its field; an empty list when they can be accepted."""
    errors: list[FieldError] = []
    seen: set[UUID] = set()
    for n, ref in enumerate(refs):
        if ref.id in seen:
            errors.append(FieldError(f"evidence[{n}].id", ("佐证编号重复", "appears twice")))
        seen.add(ref.id)
        if ref.media_type not in sniff.ALLOWED:
            taken = ", ".join(sorted(sniff.ALLOWED))
            errors.append(FieldError(f"evidence[{n}].media_type", (f"只接受 {taken}", f"is one of {taken}")))
        elif ref.size > limits.bytes_of(ref.media_type):
            most = limits.bytes_of(ref.media_type)
            errors.append(FieldError(f"evidence[{n}].size", (f"不能超过 {most} 字节", f"is at most {most} bytes")))
    return errors


def declared(
    ref: EvidenceRef,
    owner_kind: str,
    owner_id: UUID,
    expected: Expected | None,
    retain_until: datetime | None,
    uploader: UUID,
    now: datetime,
) -> Evidence:
    """The evidence a reference makes: accepted, awaiting its bytes."""
    lon, lat = (None, None) if ref.place is None else ref.place.wgs84()
    return Evidence(
        id=ref.id,
        owner_kind=owner_kind,
        owner_id=owner_id,
        uploader=uploader,
        sha256=ref.sha256,
        size=ref.size,
        media_type=ref.media_type,
        captured_at=ref.captured_at if ref.captured_at and _CLOCKS[0] <= ref.captured_at < _CLOCKS[1] else None,
        lon=lon,
        lat=lat,
        received_place=ref.place,
        mock=ref.mock,
        received_at=now,
        expected_lon=None if expected is None else expected.lon,
        expected_lat=None if expected is None else expected.lat,
        limit_m=None if expected is None else expected.limit_m,
        retain_until=retain_until,
    )


def same_declaration(one: Evidence, other: Evidence) -> bool:
    """Whether a second declaration of an id repeats the first (then it changes nothing)."""
    return (one.owner_id, one.sha256, one.size, one.uploader) == (
        other.owner_id,
        other.sha256,
        other.size,
        other.uploader,
    )


def stored(evidence: Evidence, now: datetime) -> Evidence:
    """The bytes have come; anything beyond `awaiting` stays as it is."""
    if evidence.state is not State.AWAITING:
        return evidence
    return replace(evidence, state=State.STORED, stored_at=now)


def checked(evidence: Evidence, verdict: Verdict, now: datetime) -> Evidence:
    """The bytes were looked into; only what is `stored` can be checked, and once."""
    if evidence.state is not State.STORED:
        return evidence
    return replace(evidence, state=_JUDGED[verdict.outcome], checked_at=now, verdict=verdict)


_JUDGED = {
    Outcome.OK: State.VERIFIED,
    Outcome.DOUBTFUL: State.FLAGGED,
    Outcome.CONTRADICTED: State.FLAGGED,
    Outcome.REFUSED: State.REFUSED,
}
