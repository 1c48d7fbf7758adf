"""Facts: what scoring may read. Append-only and bitemporal; a fact changed later is a new version of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from app.kernel import db


class Fact(Struct, frozen=True, kw_only=True):
    """One thing that happened, for evaluation. `force` and the organisations say whom it counts for; times are UTC."""

    fact_id: str
    version: int = 1
    kind: str
    force: str | None = None
    town: str | None = None
    force_unit: str | None = None
    department: str | None = None
    team: str | None = None
    person: str | None = None
    item: str | None = None
    occurred_at: datetime
    due_at: datetime | None = None
    done_at: datetime | None = None
    attributes: dict[str, Any] = {}
    recorded_at: datetime
    superseded_at: datetime | None = None


COLUMNS = Fact.__struct_fields__
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
