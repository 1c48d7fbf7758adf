"""Places among peers, and how sure a rate is: competition ranking and the Wilson interval; neither changes a score."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import sqrt

from msgspec import Struct

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def rank(totals: Mapping[str, Decimal]) -> dict[str, int]:
    """Return subject → place, 1 for the highest; equal totals share a place and the next ones are skipped (1, 1, 3)."""
    falling = sorted(totals.values(), reverse=True)
    first: dict[Decimal, int] = {}
    for place, total in enumerate(falling, 1):
        first.setdefault(total, place)
    return {subject: first[total] for subject, total in totals.items()}


class Standing(Struct, frozen=True):
    """What ranks and digests need of a score; `total` is null for one that is not ranked."""

    subject: str
    peer_group: str
    total: Decimal | None
    rank: int | None
    input_digest: str
    output_digest: str


def places(standings: Iterable[Standing]) -> dict[str, int | None]:
    """Return subject → place inside its peer group, None for whoever is not ranked."""
    groups: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    result: dict[str, int | None] = {}
    for standing in standings:
        result[standing.subject] = None
        if standing.total is not None:
            groups[standing.peer_group][standing.subject] = standing.total
    for totals in groups.values():
        result |= rank(totals)
    return result


def wilson(counted: int, population: int, z: float = Z95) -> tuple[float, float] | None:
    """Return the score interval of a rate (Wilson 1927), None without a population; both ends lie in [0, 1]."""
    if population == 0:
        return None
    share = counted / population
    shrink = 1 + z * z / population
    centre = (share + z * z / (2 * population)) / shrink
    half = z / shrink * sqrt(share * (1 - share) / population + z * z / (4 * population * population))
    return max(0.0, centre - half), min(1.0, centre + half)
