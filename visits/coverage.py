"""Coverage (覆盖率): households due, met, absent, refused, by day and by night, at every level of the area tree."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict


class Level(StrEnum):
    """How fine coverage is shown."""

    DISTRICT = "district"
    TOWN = "town"
    VILLAGE = "village"
    CELL = "cell"


DIGITS = {Level.DISTRICT: 6, Level.TOWN: 9, Level.VILLAGE: 12, Level.CELL: 15}


class Tally(Struct, frozen=True, kw_only=True):
    """Households of one half of the day: planned in it, and each under its best outcome in it."""

    due: int = 0
    met: int = 0
    absent: int = 0
    refused: int = 0
    moved: int = 0
    unsafe: int = 0


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
    by_day: Tally = Tally()
    by_night: Tally = Tally()

    @property
    def open(self) -> int:
        """Households nobody has been to yet."""
        return self.due - self.met - self.absent - self.refused - self.moved - self.unsafe


class Heat(Struct, frozen=True, kw_only=True):
    """What happened at the doors of one area in a span of time: visits by outcome and half, and demands."""

    area: str
    visits: int = 0
    met: int = 0
    absent: int = 0
    refused: int = 0
    day: int = 0
    night: int = 0
    demands: int = 0
    solved: int = 0


def figures(row: Coverage | Heat) -> dict[str, int]:
    """Return the numbers of an area under flat names, as map layers have them: `met`, `night_met`, `open`."""
    flat = {name: value for name, value in asdict(row).items() if isinstance(value, int)}
    if isinstance(row, Coverage):
        flat["open"] = row.open
        for half, tally in (("day", row.by_day), ("night", row.by_night)):
            flat |= {f"{half}_{name}": value for name, value in asdict(tally).items()}
    return flat
