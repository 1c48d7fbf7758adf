"""How likely two cases are one matter: the same item or similar words, near in place and time; pure.

A score orders what a person then looks at; nothing is merged by it.
"""

from datetime import datetime, timedelta
from math import cos, radians
from uuid import UUID

from msgspec import Struct

from app.kernel.crs import distance_m
from tasks.cases import bigrams
from tasks.cases.catalogue import Item

ITEM, WORDS, PLACE, TIME = 0.4, 0.3, 0.2, 0.1
"""What each of the four counts by; together 1."""
SIMILAR = 0.3
"""From this share of common pairs of characters on, texts of different items may tell of one matter."""
METRES_A_DEGREE = 111_320.0


class Told(Struct, frozen=True, kw_only=True):
    """What is compared of a case; its place in WGS 84 degrees."""

    id: UUID
    item: str
    title: str
    description: str
    lon: float
    lat: float
    received_at: datetime


class Likeness(Struct, frozen=True, kw_only=True):
    """How alike two cases are: `score` 0–1 and what it is made of; `similarity` of their words is 0–1."""

    score: float
    same_item: bool
    similarity: float
    metres: float
    hours: float


class Window(Struct, frozen=True, kw_only=True):
    """Where and when a probable duplicate lies: west, south, east, north in degrees around the circle; two times."""

    box: tuple[float, float, float, float]
    since: datetime
    until: datetime


def window(of: Told, item: Item) -> Window:
    """Return what to read around a case, by the thresholds of its item."""
    up = item.duplicate_metres / METRES_A_DEGREE * 1.01
    aside = up / max(cos(radians(of.lat)), 0.01)
    span = timedelta(hours=item.duplicate_hours)
    return Window(
        box=(of.lon - aside, of.lat - up, of.lon + aside, of.lat + up),
        since=of.received_at - span,
        until=of.received_at + span,
    )


def similarity(one: str, other: str) -> float:
    """Return the share of pairs of characters that two texts have in common (Dice), 0–1."""
    here, there = set(bigrams.grams(one)), set(bigrams.grams(other))
    return 2 * len(here & there) / (len(here) + len(there)) if here and there else 0.0


def _words(case: Told) -> str:
    """Return the words of a case; a title is often the beginning of the description."""
    return case.description if case.description.startswith(case.title) else f"{case.title}\n{case.description}"


def likeness(one: Told, other: Told, item: Item) -> Likeness | None:
    """Return how alike two cases are by the thresholds of the first one's item; None if they are no duplicates."""
    metres = distance_m(one.lon, one.lat, other.lon, other.lat)
    hours = abs((other.received_at - one.received_at).total_seconds()) / 3600
    if metres > item.duplicate_metres or hours > item.duplicate_hours:
        return None
    same, alike = one.item == other.item, similarity(_words(one), _words(other))
    if not same and alike < SIMILAR:
        return None
    near = 1 - metres / max(item.duplicate_metres, 1)
    soon = 1 - hours / max(item.duplicate_hours, 1)
    score = ITEM * same + WORDS * alike + PLACE * near + TIME * soon
    return Likeness(
        score=round(score, 3), same_item=same, similarity=round(alike, 3), metres=round(metres), hours=round(hours, 1)
    )
