"""Ids of made-up things: UUIDv7 in shape and order, the same in every run."""

from datetime import datetime
from random import Random
from uuid import UUID


class Identifiers:
    """A series of UUIDv7 (RFC 9562 §5.7), a millisecond apart, from a seeded generator."""

    def __init__(self, random: Random, start: datetime) -> None:
        self._random = random
        self._milliseconds = int(start.timestamp() * 1000)

    def next(self) -> UUID:
        """The next id; ids of one series grow."""
        self._milliseconds += 1
        bits = self._milliseconds << 80 | 0x7 << 76 | self._random.getrandbits(12) << 64
        return UUID(int=bits | 0b10 << 62 | self._random.getrandbits(62))
