"""The buckets of the sync feed, by name, and which of them a person may see."""

from collections.abc import Collection
from uuid import UUID


def cell(code: str) -> str:
    """Return the bucket of a cell (or of a village where no cell covers a household)."""
    return f"cell:{code}"


def squad(organisation: UUID) -> str:
    """Return the bucket of a squad."""
    return f"squad:{organisation}"


def person(account: UUID) -> str:
    """Return the bucket of one person."""
    return f"person:{account}"


REFERENCE = "reference"


def buckets_of(account: UUID, organisations: Collection[UUID], cells: Collection[str]) -> tuple[str, ...]:
    """Return the buckets somebody may see: the common one, the own, those of the squads and of the cells."""
    return (
        REFERENCE,
        person(account),
        *sorted(squad(each) for each in organisations),
        *sorted(cell(each) for each in cells),
    )
