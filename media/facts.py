"""What other packages may read of evidence."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from media import store
from media.evidence import Evidence, State
from media.verdict import Verdict


class DerivativeSize(Struct, frozen=True):
    """A derivative that can be asked for by a signed link: variant (`1280`, `320`) and its size in pixels."""

    variant: str
    width: int
    height: int


class EvidenceView(Struct, frozen=True, kw_only=True):
    """A piece of evidence for those who may see its owner; places in WGS-84. Links come from `commands.signed_url`."""

    id: UUID
    owner_id: UUID
    state: State
    media_type: str
    size: int
    sha256: str
    uploader: UUID
    captured_at: datetime | None
    lon: float | None
    lat: float | None
    received_at: datetime
    checked_at: datetime | None
    verdict: Verdict | None
    derivatives: tuple[DerivativeSize, ...] = ()


async def of(owner_ids: Sequence[UUID]) -> dict[UUID, list[EvidenceView]]:
    """The evidence of each owner, oldest first; every owner asked for has an entry. In the caller's transaction."""
    views: dict[UUID, list[EvidenceView]] = {owner: [] for owner in owner_ids}
    if not views:
        return views
    found = await store.evidence_of(list(views))
    sizes: dict[str, list[DerivativeSize]] = {}
    for one in await store.derivatives({evidence.sha256 for evidence in found}):
        sizes.setdefault(one.file_sha256, []).append(DerivativeSize(str(one.variant), one.width, one.height))
    for evidence in found:
        views[evidence.owner_id].append(_view(evidence, tuple(sizes.get(evidence.sha256, ()))))
    return views


def _view(evidence: Evidence, derivatives: tuple[DerivativeSize, ...]) -> EvidenceView:
    return EvidenceView(
        id=evidence.id,
        owner_id=evidence.owner_id,
        state=evidence.state,
        media_type=evidence.media_type,
        size=evidence.size,
        sha256=evidence.sha256,
        uploader=evidence.uploader,
        captured_at=evidence.captured_at,
        lon=evidence.lon,
        lat=evidence.lat,
        received_at=evidence.received_at,
        checked_at=evidence.checked_at,
        verdict=evidence.verdict,
        derivatives=derivatives,
    )
