"""Queries on whole chains and on the daily roots over them; the caller opens the transaction."""

from datetime import date
from uuid import UUID

from msgspec import Struct

from app.kernel import db
from tasks.cases.trace import Head, Link, Root

_LINK = ("seq", "at", "actor", "organisation", "type", "body", "prev_hash", "hash", "algorithm")
_CHAINS = (
    f"select c.id, c.trace_seq, c.trace_hash, {', '.join(f'e.{name}' for name in _LINK)}"
    " from (select id, trace_seq, trace_hash from cases where %s) c"
    " left join case_event e on e.case_id = c.id order by c.id, e.seq"
)
_AFTER = "$1::uuid is null or id > $1 order by id limit $2"


class Chain(Struct):
    """The chain of a case and the end its row names, both of one moment."""

    case: UUID
    head: Head
    links: list[Link]


async def chain(case: UUID) -> Chain | None:
    """Return the chain of one case, or None."""
    found = await _chains("id = $1", case)
    return found[0] if found else None


async def chains(after: UUID | None, limit: int) -> list[Chain]:
    """Return chains in the order of their cases' ids, past `after`."""
    return await _chains(_AFTER, after, limit)


async def _chains(which: str, *args: object) -> list[Chain]:
    # one statement: a step written while we read is in both, the row's end and the chain, or in neither
    found: list[Chain] = []
    for case, seq, hash_, *link in await db.fetch(_CHAINS % which, *args):
        if not found or found[-1].case != case:
            found.append(Chain(case, Head(seq, hash_), []))
        if link[0] is not None:
            found[-1].links.append(Link(case=case, **dict(zip(_LINK, link, strict=True))))
    return found


async def covered(case: UUID) -> list[Head]:
    """Return every end of a case's chain that a daily root covers."""
    return [Head(*row) for row in await db.fetch("select seq, hash from case_root_head where case_id = $1", case)]


async def all_covered(after: UUID | None, limit: int) -> dict[UUID, list[Head]]:
    """Return the ends daily roots cover of the chains past `after`, by case."""
    rows = await db.fetch(
        f"select case_id, seq, hash from case_root_head where case_id in (select id from cases where {_AFTER})",
        after,
        limit,
    )
    found: dict[UUID, list[Head]] = {}
    for case, seq, hash_ in rows:
        found.setdefault(case, []).append(Head(seq, hash_))
    return found


async def hold_roots() -> None:
    """Let nobody else make a root until the transaction ends."""
    await db.execute("select pg_advisory_xact_lock(hashtextextended('case_root', 0))")


async def has_root(day: date) -> bool:
    """Tell whether a day has its root."""
    return await db.fetchval("select exists (select from case_root where day = $1)", day)


async def note_heads(day: date) -> None:
    """Note the ends of chains that have grown since the last root, as committed when this is asked."""
    await db.execute(
        "insert into case_root_head (case_id, day, seq, hash) select c.id, $1, c.trace_seq, c.trace_hash from cases c"
        " left join lateral (select seq from case_root_head where case_id = c.id order by day desc limit 1) h on true"
        " where c.trace_seq > coalesce(h.seq, 0)",
        day,
    )


async def heads_under(day: date, after: UUID | None, limit: int) -> list[tuple[UUID, Head]]:
    """Return the ends the root of a day covers, in the order of the cases' ids, past `after`."""
    rows = await db.fetch(
        "select distinct on (case_id) case_id, seq, hash from case_root_head"
        " where day <= $1 and ($2::uuid is null or case_id > $2) order by case_id, day desc limit $3",
        day,
        after,
        limit,
    )
    return [(row[0], Head(row[1], row[2])) for row in rows]


async def write_root(root: Root) -> None:
    """Keep the root of a day."""
    await db.execute(
        "insert into case_root (day, cases, steps, hash, algorithm, at) values ($1, $2, $3, $4, $5, $6)",
        root.day,
        root.cases,
        root.steps,
        root.hash,
        root.algorithm,
        root.at,
    )


async def roots() -> list[Root]:
    """Return the daily roots in order, except those made before roots named the ends they cover."""
    rows = await db.fetch(
        "select day, cases, steps, hash, algorithm, at from case_root where steps is not null order by day"
    )
    return [Root(**dict(row)) for row in rows]
