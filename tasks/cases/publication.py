"""What of cases is public, to people who are nobody in particular: which items, and what a row holds; pure."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from tasks.cases.catalogue import Item
from tasks.cases.model import State

PUBLIC_CLASS = "handlers"
"""Items whose reporters are hidden even from those who handle them are not public at all."""


PLACES = 3
"""Decimals of a degree that strangers are shown: 111 m from north to south, 96 m from east to west at 30° north."""


def rounded(degrees: float) -> float:
    """Return a coordinate as strangers are shown it."""
    return round(degrees, PLACES)


def is_public(item: Item) -> bool:
    """Whether cases of an item are shown to strangers at all."""
    return item.citizen and item.privacy == PUBLIC_CLASS


class Asked(Struct, frozen=True, kw_only=True):
    """What a public list is asked for; everything left out is not asked. `box` is west, south, east, north."""

    items: tuple[str, ...]
    numbers: tuple[str, ...] | None = None
    open: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None
    box: tuple[float, float, float, float] | None = None


class PublishedCase(Struct, frozen=True, kw_only=True):
    """A case before its words and place are withheld or not: `looked_at` says whether a clerk has looked."""

    id: UUID
    number: str
    state: State
    item: str
    item_version: int
    description: str
    address: str
    lon: float | None
    lat: float | None
    received_at: datetime
    updated_at: datetime
    due_at: datetime | None
    looked_at: datetime | None
    lead: UUID | None


class PublishedStep(Struct, frozen=True, kw_only=True):
    """A step of the case or of its leading organisation."""

    seq: int
    at: datetime
    type: str
    organisation: UUID | None


class PublishedWords(Struct, frozen=True, kw_only=True):
    """What the reporter added, after which the staff did something with the case."""

    seq: int
    at: datetime
    text: str
