"""Queries about call-backs; the caller opens the transaction."""

from typing import Any
from uuid import UUID

import msgspec

from app.identity.scope import Reach
from app.kernel import db
from visits.callbacks import CallBack
from visits.problems import CallBackNotFound
from visits.store import within

_CALL_BACK = ", ".join(CallBack.__struct_fields__)


async def add(call_back: CallBack) -> bool:
    """Write a call-back; False when the visit has one, or its household is to be called about another visit."""
    return (
        await db.execute(
            f"insert into visit_callback ({_CALL_BACK}) select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11"
            " where not exists (select from visit_callback w where w.household_id = $3 and w.state = 'waiting')"
            " on conflict (visit_id) do nothing",
            *msgspec.structs.astuple(call_back),
        )
        == 1
    )


async def waiting(reach: Reach, after: UUID | None, limit: int) -> list[CallBack]:
    """Return the call-backs in reach that wait, oldest first, of households that may still be called."""
    args: list[Any] = [after]
    mine = within(reach, args, "c.area", None)
    args.append(limit)
    names = ", ".join(f"c.{name}" for name in CallBack.__struct_fields__)
    rows = await db.fetch(
        f"select {names} from visit_callback c join household h on h.id = c.household_id where c.state = 'waiting'"
        f" and h.consent = 'given' and h.contact is not null and h.moved_out_at is null and {mine}"
        f" and ($1::uuid is null or c.id > $1) order by c.id limit ${len(args)}",
        *args,
    )
    return [msgspec.convert(dict(row), CallBack) for row in rows]


async def lock(call_back: UUID) -> CallBack:
    """Lock and return a call-back; CallBackNotFound."""
    row = await db.fetchrow(f"select {_CALL_BACK} from visit_callback where id = $1 for update", call_back)
    if row is None:
        raise CallBackNotFound
    return msgspec.convert(dict(row), CallBack)


async def save(call_back: CallBack) -> None:
    """Write what came of a call; the caller has locked it."""
    await db.execute(
        "update visit_callback set state = $2, tries = $3, satisfied = $4, words = $5, called_by = $6, called_at = $7"
        " where id = $1",
        call_back.id,
        call_back.state.value,
        call_back.tries,
        call_back.satisfied,
        call_back.words,
        call_back.called_by,
        call_back.called_at,
    )
