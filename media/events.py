"""What happens to evidence, in the past tense."""

from uuid import UUID

from app.kernel.event import Event


class EvidenceStored(Event, frozen=True, kw_only=True):
    """The bytes have come, with the digest that was declared; they wait to be looked into."""

    district: str
    evidence_id: UUID
    owner_kind: str
    owner_id: UUID


class EvidenceChecked(Event, frozen=True, kw_only=True):
    """The bytes were looked into: `state` is verified, flagged or refused, `outcome` the verdict in a word."""

    evidence_id: UUID
    owner_kind: str
    owner_id: UUID
    state: str
    outcome: str
