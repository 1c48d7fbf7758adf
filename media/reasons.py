"""Why evidence is good, doubtful or refused: a stable code, how much it weighs, a sentence in Chinese and English."""

from enum import StrEnum

from msgspec import Struct


class Weight(StrEnum):
    """What one reason does to the verdict, from nothing to refusal of the bytes."""

    NOTE = "note"
    DOUBTFUL = "doubtful"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"


class Reason(Struct, frozen=True):
    """One finding; `code` never changes, the sentences may."""

    code: str
    weight: Weight
    zh: str
    en: str


def note(code: str, zh: str, en: str) -> Reason:
    """A finding that changes nothing."""
    return Reason(code, Weight.NOTE, zh, en)


def doubtful(code: str, zh: str, en: str) -> Reason:
    """A finding that makes the evidence doubtful."""
    return Reason(code, Weight.DOUBTFUL, zh, en)


def contradicted(code: str, zh: str, en: str) -> Reason:
    """A finding that contradicts what the evidence is said to show."""
    return Reason(code, Weight.CONTRADICTED, zh, en)


def refused(code: str, zh: str, en: str) -> Reason:
    """A finding that makes the bytes unacceptable."""
    return Reason(code, Weight.REFUSED, zh, en)
