"""What happens in field work, in the past tense."""

from uuid import UUID

from app.kernel.event import Event


class RoundPublished(Event, frozen=True, kw_only=True):
    """A round's lists went out to the phones; `households` are planned, `left_over` have nobody yet."""

    round_id: UUID
    households: int
    left_over: int


class RoundClosed(Event, frozen=True, kw_only=True):
    """A round is over."""

    round_id: UUID


class VisitRecorded(Event, frozen=True, kw_only=True):
    """A visit happened; `cases` were opened for what the residents asked."""

    visit_id: UUID
    household_id: UUID
    round_id: UUID | None
    person: UUID
    outcome: str
    half: str
    cases: tuple[UUID, ...]
