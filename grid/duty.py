"""Who is on duty as a value: which organisations have somebody at work at a moment, nearest to a place first; pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct


class OnDuty(Struct, frozen=True):
    """An organisation with somebody on duty in an area, from–to (the end is exclusive)."""

    organisation: UUID
    area: str
    starts_at: datetime
    ends_at: datetime


class Roster:
    """Who is on duty in a span of time: of an organisation itself, or of a squad through one of its members."""

    def __init__(self, turns: Iterable[OnDuty] = ()) -> None:
        self._by_area: dict[str, list[OnDuty]] = {}
        for turn in turns:
            for length in (6, 9, 12, 15):
                if length <= len(turn.area):
                    self._by_area.setdefault(turn.area[:length], []).append(turn)

    def near(self, area: str, at: datetime) -> Iterator[tuple[int, UUID]]:
        """Yield (depth of the common area, organisation) of those on duty at a moment, nearest areas first."""
        seen: set[UUID] = set()
        for length in (15, 12, 9, 6):
            if length > len(area):
                continue
            for turn in self._by_area.get(area[:length], ()):
                if turn.starts_at <= at < turn.ends_at and turn.organisation not in seen:
                    seen.add(turn.organisation)
                    yield length, turn.organisation


NOBODY = Roster()
