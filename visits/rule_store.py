"""Queries about the district's own rules of visiting; the caller opens the transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.kernel import db


class Published(Struct, frozen=True, kw_only=True):
    """A version of the rules."""

    version: int
    document: dict[str, Any]
    author: UUID
    published_at: datetime


async def newest() -> Published | None:
    """Return the newest version; None where the district has none of its own."""
    row = await db.fetchrow(
        "select version, document, author, published_at from visit_rules order by version desc limit 1"
    )
    return None if row is None else Published(**dict(row))


async def publish(id_: UUID, version: int, document: dict[str, Any], author: UUID, now: datetime) -> None:
    """Write a new version; UniqueViolationError when somebody else did."""
    await db.execute(
        "insert into visit_rules (id, version, document, author, published_at) values ($1, $2, $3, $4, $5)",
        id_,
        version,
        document,
        author,
        now,
    )
