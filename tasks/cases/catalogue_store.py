"""Queries of the catalogue's versions and of the words behind suggestions; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.kernel import db
from tasks.cases.catalogue import Item
from tasks.cases.suggestion import Example, Learned


async def hold() -> None:
    """Let nobody else change the catalogue until the transaction ends: version numbers are counted under this lock."""
    await db.execute("insert into case_marks (id) values (1) on conflict (id) do nothing")
    await db.execute("select 1 from case_marks where id = 1 for update")


async def add(new: Sequence[Item], ids: Sequence[UUID], author: UUID, mark: UUID, now: datetime) -> None:
    """Write new versions of items and change the mark."""
    await db.execute(
        "insert into case_item (id, code, version, body, created_at, author) select id, code, version, body, $5, $6"
        " from unnest($1::uuid[], $2::text[], $3::integer[], $4::jsonb[]) as i(id, code, version, body)",
        list(ids),
        [item.code for item in new],
        [item.version for item in new],
        [msgspec.to_builtins(item) for item in new],
        now,
        author,
    )
    await db.execute("update case_marks set catalogue = $1 where id = 1", mark)


async def authors(code: str) -> dict[int, tuple[UUID | None, datetime]]:
    """Return version → who wrote it when, of the district's own versions of an item."""
    rows = await db.fetch("select version, author, created_at from case_item where code = $1", code)
    return {row[0]: (row[1], row[2]) for row in rows}


async def statistics_mark() -> UUID | None:
    """Return the mark of the words last counted; None if they never were."""
    return await db.fetchval("select mark from suggestion_statistics where id = 1")


async def statistics() -> Learned:
    """Return item → word → weight as last counted."""
    return await db.fetchval("select words from suggestion_statistics where id = 1") or {}


async def keep_statistics(mark: UUID, cases: int, words: Learned, now: datetime) -> None:
    """Keep the words counted, in place of those before."""
    await db.execute(
        "insert into suggestion_statistics (id, mark, cases, words, computed_at) values (1, $1, $2, $3, $4)"
        " on conflict (id) do update set mark = excluded.mark, cases = excluded.cases, words = excluded.words,"
        " computed_at = excluded.computed_at",
        mark,
        cases,
        words,
        now,
    )


async def closed(limit: int) -> list[Example]:
    """Return the cases closed last, with the item they had in the end."""
    rows = await db.fetch(
        "select item, title || ' ' || description as text from cases where state in ('closed', 'archived')"
        " order by received_at desc limit $1",
        limit,
    )
    return [Example(row["item"], row["text"]) for row in rows]
