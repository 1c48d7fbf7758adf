"""A clerk's soft lock on a case against double work: it warns colleagues, stops nobody and ends by itself; pure."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

MINUTES, MOST_MINUTES = 15, 120
"""How long a claim holds when nothing is said, and at most; claim again to go on."""


class Claim(Struct, frozen=True, kw_only=True):
    """Who has a case in hand and until when; nothing of what they do with it."""

    case_id: UUID
    person: UUID
    organisation: UUID | None
    since: datetime
    until: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it is still in force (the end is exclusive)."""
        return now < self.until


class ClaimView(Struct, frozen=True, kw_only=True):
    """A claim as colleagues see it; `mine` when it is the reader's own."""

    person: UUID
    organisation: UUID | None
    since: datetime
    until: datetime
    mine: bool


def made(case_id: UUID, person: UUID, organisation: UUID | None, minutes: int, now: datetime) -> Claim:
    """Return a claim of so many minutes from now; ValueError outside 1 to MOST_MINUTES."""
    if not 1 <= minutes <= MOST_MINUTES:
        raise ValueError(f"a claim lasts 1 to {MOST_MINUTES} minutes, not {minutes}")
    until = now + timedelta(minutes=minutes)
    return Claim(case_id=case_id, person=person, organisation=organisation, since=now, until=until)


def seen(claim: Claim | None, reader: UUID, now: datetime) -> ClaimView | None:
    """Return a claim as a reader sees it; None once it has ended."""
    if claim is None or not claim.holds(now):
        return None
    return ClaimView(
        person=claim.person,
        organisation=claim.organisation,
        since=claim.since,
        until=claim.until,
        mine=claim.person == reader,
    )


def warning(claim: ClaimView | None) -> dict[str, str]:
    """Return the header by which the answer to a command says that a colleague has the case in hand; `{}` if not."""
    if claim is None or claim.mine:
        return {}
    return {"Claimed-By": f"{claim.person}; until={claim.until.isoformat()}"}
