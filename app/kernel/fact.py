"""Facts: what scoring may read. Append-only and bitemporal; a fact changed later is a new version of it."""

from collections.abc import Sequence
from typing import Any

from app.kernel import db
from app.kernel.fact_row import COLUMNS, Fact

__all__ = ["COLUMNS", "Fact", "append"]

_TYPES = {
    "version": "integer",
    "attributes": "jsonb",
    **dict.fromkeys(("occurred_at", "due_at", "done_at", "recorded_at", "superseded_at"), "timestamptz"),
}


def insert(first: int) -> str:
    """Return the statement that writes facts, its parameters numbered from `first`."""
    names = ", ".join(COLUMNS)
    columns = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(COLUMNS, first))
    return (
        f"insert into fact ({names}) select {names} from unnest({columns}) as f({names})"
        " on conflict (fact_id, version) do nothing"
    )


def arguments(facts: Sequence[Fact]) -> list[list[Any]]:
    """Return the parameters of `insert`: a list per column."""
    return [[getattr(each, name) for each in facts] for name in COLUMNS]


_INSERT = insert(1)


async def append(facts: Sequence[Fact]) -> None:
    """Write facts in the current transaction; the same (fact_id, version) again changes nothing."""
    if not facts:
        return
    await db.execute(_INSERT, *arguments(facts))
