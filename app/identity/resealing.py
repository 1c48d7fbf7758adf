"""Changing the key of sealed columns: each package names its own table; the caller opens the transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity import cipher
from app.kernel import db


class Sealed(Struct, frozen=True):
    """Columns of a table that hold sealed texts or null; `key` is its primary key, a UUID."""

    table: str
    columns: tuple[str, ...]
    key: str = "id"

    def due(self) -> str:
        """Return the condition of rows with a text that the present key ($1: its prefix) did not seal."""
        return " or ".join(f"not starts_with({column}, $1)" for column in self.columns)


async def stale(of: Sequence[Sealed]) -> int:
    """Return how many rows hold a text that is not sealed under the present key and algorithm."""
    counts = [
        await db.fetchval(f"select count(*) from {each.table} where {each.due()}", cipher.prefix()) for each in of
    ]
    return sum(counts)


async def reseal(of: Sequence[Sealed], limit: int) -> int:
    """Seal up to `limit` such rows anew and return how many; 0: all are done. CannotOpen when a key is missing."""
    done = 0
    for each in of:
        done += await _reseal(each, limit - done) if done < limit else 0
    return done


async def _reseal(of: Sealed, limit: int) -> int:
    names = ", ".join(of.columns)
    rows = await db.fetch(
        f"select {of.key}, {names} from {of.table} where {of.due()} order by {of.key} limit $2 for update",
        cipher.prefix(),
        limit,
    )
    keys: list[UUID] = [row[0] for row in rows]
    fresh: list[list[Any]] = [[cipher.reseal(row[name]) for row in rows] for name in of.columns]
    arrays = ", ".join(f"${n}::text[]" for n in range(2, len(of.columns) + 2))
    await db.execute(
        f"update {of.table} as t set {', '.join(f'{name} = v.{name}' for name in of.columns)}"
        f" from unnest($1::uuid[], {arrays}) as v(key, {names}) where t.{of.key} = v.key",
        keys,
        *fresh,
    )
    return len(keys)
