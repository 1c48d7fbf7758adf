"""Numbers for people (`XS20261123-000042`): unique per district and day, handed out in blocks, gaps are fine.

A counter row locked by every creation until its commit would let one creation run at a time. So each process takes a
block of numbers in a statement of its own, on a connection of its own, and hands them out from memory.
"""

import asyncio
from collections import defaultdict
from datetime import date, datetime

from app.kernel import db
from app.kernel.clock import SHANGHAI

BLOCK = 200
PREFIXES = {"330109": "XS"}  # 萧山; other districts show their code

_stock: dict[tuple[str, date], list[int]] = {}
_asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


def written(district: str, day: date, number: int) -> str:
    """Return a number as people read it."""
    return f"{PREFIXES.get(district, district)}{day:%Y%m%d}-{number:06d}"


async def _block(district: str, day: date, size: int) -> range:
    """Reserve numbers; committed at once, so that no two processes ever hold the same."""
    connection = await db.DB.get_new_connection()
    try:
        last: int = await connection.fetchval(
            f"insert into {db.schema_of(district)}.case_number (day, next) values ($1, $2)"
            " on conflict (day) do update set next = case_number.next + excluded.next returning next",
            day,
            size,
        )
    finally:
        await connection.close()
    return range(last - size + 1, last + 1)


async def take(district: str, count: int, now: datetime) -> list[str]:
    """Return `count` fresh numbers of the local day."""
    day = now.astimezone(SHANGHAI).date()
    numbers = _stock.setdefault((district, day), [])
    if len(numbers) < count:
        async with _asking[district]:
            if len(numbers) < count:
                for key in [each for each in _stock if each[0] == district and each[1] < day]:
                    del _stock[key]
                numbers.extend(await _block(district, day, max(BLOCK, count)))
    taken = numbers[:count]  # no await between the look and the taking: nobody else gets these
    del numbers[:count]
    return [written(district, day, number) for number in taken]
