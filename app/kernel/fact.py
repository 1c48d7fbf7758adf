"""Facts: what scoring may read. Append-only and bitemporal; a fact changed later is a new version of it."""

from collections.abc import Sequence

import msgspec

from app.kernel import db
from app.kernel.fact_row import COLUMNS, Fact

__all__ = ["COLUMNS", "Fact", "append"]

_TYPES = {
    "version": "integer",
    "attributes": "jsonb",
    **dict.fromkeys(("occurred_at", "due_at", "done_at", "recorded_at", "superseded_at"), "timestamptz"),
}
_INSERT = (
    f"insert into fact ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} from unnest("
    + ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(COLUMNS, 1))
    + f") as f({', '.join(COLUMNS)}) on conflict (fact_id, version) do nothing"
)


async def append(facts: Sequence[Fact]) -> None:
    """Write facts in the current transaction; the same (fact_id, version) again changes nothing."""
    if not facts:
        return
    rows = [msgspec.structs.astuple(f) for f in facts]
    await db.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))
