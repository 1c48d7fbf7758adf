"""Queries about what stands in cells that end; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.kernel import db
from grid.people import DutyShift

_SHIFT = ", ".join(DutyShift.__struct_fields__)


async def lock_shifts(areas: Sequence[str], now: datetime) -> list[DutyShift]:
    """Lock and return the shifts of some areas that are not over, by id."""
    rows = await db.fetch(
        f"select {_SHIFT} from duty_shift where area = any($1::text[]) and ends_at > $2 order by id for update",
        list(areas),
        now,
    )
    return [msgspec.convert(dict(row), DutyShift) for row in rows]


async def end_shifts(shifts: Sequence[UUID], now: datetime) -> None:
    """End shifts that run and take back those that have not begun."""
    await db.execute("delete from duty_shift where id = any($1::uuid[]) and starts_at >= $2", list(shifts), now)
    await db.execute("update duty_shift set ends_at = $2 where id = any($1::uuid[])", list(shifts), now)
