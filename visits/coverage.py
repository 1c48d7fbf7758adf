"""Coverage (覆盖率): households due, met, absent, refused, by day and by night, at every level of the area tree."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How fine coverage is shown."""

    DISTRICT = "district"
    TOWN = "town"
    VILLAGE = "village"
    CELL = "cell"


DIGITS = {Level.DISTRICT: 6, Level.TOWN: 9, Level.VILLAGE: 12, Level.CELL: 15}


class Coverage(Struct, frozen=True, kw_only=True):
    """What was reached in one area of one round. Each household counts once under its best outcome.

    `due` households are in the round; `day` and `night` count visits; `solved` demands were solved at the door.
    """

    area: str
    due: int = 0
    met: int = 0
    absent: int = 0
    refused: int = 0
    moved: int = 0
    unsafe: int = 0
    day: int = 0
    night: int = 0
    demands: int = 0
    solved: int = 0

    @property
    def open(self) -> int:
        """Households nobody has been to yet."""
        return self.due - self.met - self.absent - self.refused - self.moved - self.unsafe


COUNTS = tuple(name for name in Coverage.__struct_fields__ if name != "area")


def roll_up(rows: Iterable[Coverage], level: Level) -> list[Coverage]:
    """Return the sums of finer rows at a coarser level, by area; a code's prefix is the area above it."""
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        total = sums.setdefault(row.area[: DIGITS[level]], dict.fromkeys(COUNTS, 0))
        for name in COUNTS:
            total[name] += getattr(row, name)
    return [Coverage(area=area, **total) for area, total in sorted(sums.items())]
