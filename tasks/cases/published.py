"""What anybody may read of cases (Open311): public items only, nobody named, a page by indexes; no actor is asked for.

The caller opens the transaction and decides what of a row's words and place goes out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.kernel import db
from tasks.cases import reference
from tasks.cases.catalogue import Item
from tasks.cases.model import ENDED
from tasks.cases.publication import Asked, PublishedCase, PublishedStep, PublishedWords

_ENDED = ", ".join(f"'{state.value}'" for state in sorted(ENDED))
_OPEN, _CLOSED = f"c.state not in ({_ENDED})", f"c.state in ({_ENDED})"


async def items(now: datetime) -> list[Item]:
    """Return the items a stranger may choose."""
    present = (await reference.present()).catalogue.present(now)
    return [item for item in present if item.citizen]


_SHOWN = (
    "(case when c.source = 'open311' and c.looked_at is not null then c.{0} else round(c.{0}::numeric, 3)::float8 end)"
)
"""A degree as strangers see it; its decimals are `publication.PLACES`."""
_PAGE = (
    "select c.id, c.number, c.state, c.item, c.item_version, c.description, c.address, c.lon, c.lat, c.received_at,"
    " coalesce(c.updated_at, c.received_at) as updated_at, c.total_due, c.looked_at, c.last_lead from cases c"
)
_WITH_LEAD = (
    "select c.id, c.number, c.state, c.item, c.item_version, c.description, c.address, c.lon, c.lat, c.received_at,"
    " c.updated_at, coalesce(c.total_due, l.handle_due) as due_at, c.looked_at, coalesce(l.organisation, c.last_lead)"
    " as lead from ({}) c left join lateral (select organisation, handle_due from case_leg where case_id = c.id and"
    " kind = 'root' order by ordinal desc limit 1) l on true order by {}"
)
_SIMPLE = {
    "numbers": "c.number = any({}::text[])",
    "since": "c.received_at >= {}",
    "until": "c.received_at <= {}",
    "updated_after": "c.updated_at >= {}",
    "updated_before": "c.updated_at <= {}",
}


def _where(asked: Asked) -> tuple[str, list[Any]]:
    """Return the conditions and their arguments, in step."""
    arguments: list[Any] = [list(asked.items)]
    conditions = ["c.item = any($1::text[])", "c.complained_about = '[]'::jsonb"]
    for name, condition in _SIMPLE.items():
        if (value := getattr(asked, name)) is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    if asked.open is not None:
        conditions.append(_OPEN if asked.open else _CLOSED)
    if asked.box is not None:
        west, south, east, north = asked.box
        n = len(arguments)
        arguments += [west, east, south, north]
        for column, low, high in (("lon", n + 1, n + 2), ("lat", n + 3, n + 4)):
            # The first is for the index; the second does not tell by ever smaller boxes what is rounded in the answer.
            conditions.append(f"c.{column} between ${low}::float8 - 0.001 and ${high}::float8 + 0.001")
            conditions.append(f"{_SHOWN.format(column)} between ${low}::float8 and ${high}::float8")
    return " and ".join(conditions), arguments


async def cases(asked: Asked, limit: int, offset: int = 0) -> list[PublishedCase]:
    """Return a page of cases: newest first, or the least recently changed first where `updated_after` is asked."""
    where, arguments = _where(asked)
    order = "c.updated_at, c.id" if asked.updated_after is not None else "c.received_at desc, c.id desc"
    n = len(arguments)
    page = f"{_PAGE} where {where} order by {order} limit ${n + 1} offset ${n + 2}"
    sql = _WITH_LEAD.format(page, order)
    return [msgspec.convert(dict(row), PublishedCase) for row in await db.fetch(sql, *arguments, limit, offset)]


async def numbers_of(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the numbers of cases by id; unknown ids are left out."""
    rows = await db.fetch("select id, number from cases where id = any($1::uuid[])", list(ids))
    return {row["id"]: row["number"] for row in rows}


async def id_of(number: str) -> UUID | None:
    """Return the id of a case by its number, public or not."""
    return await db.fetchval("select id from cases where number = $1", number)


async def last_step(case_id: UUID) -> int:
    """Return how many steps a case has had."""
    return await db.fetchval("select trace_seq from cases where id = $1", case_id)


async def steps(case_id: UUID, types: Sequence[str]) -> list[PublishedStep]:
    """Return steps of these types, oldest first; those of inner and assist legs are their own affair."""
    rows = await db.fetch(
        "select e.seq, e.at, e.type, e.organisation from case_event e where e.case_id = $1 and e.type = any($2::text[])"
        " and not exists (select from case_leg l where l.case_id = e.case_id and l.id::text = e.body->>'leg'"
        " and l.kind <> 'root') order by e.seq",
        case_id,
        list(types),
    )
    return [PublishedStep(**dict(row)) for row in rows]


async def added(case_id: UUID) -> list[PublishedWords]:
    """Return what the reporter added, oldest first, as far as somebody of the staff did something afterwards."""
    rows = await db.fetch(
        "select e.seq, e.at, t.text from case_event e join case_text t on t.event = e.id join cases c on c.id ="
        " e.case_id where e.case_id = $1 and e.type = 'added_to' and t.field = 'text' and t.public and e.actor ="
        " c.reporter and exists (select from case_event s where s.case_id = e.case_id and s.seq > e.seq"
        " and s.organisation is not null) order by e.seq",
        case_id,
    )
    return [PublishedWords(**dict(row)) for row in rows]


async def hold(case_id: UUID) -> None:
    """Let nobody else change a case until the caller's transaction ends."""
    await db.execute("select from cases where id = $1 for update", case_id)


async def said_since(case_id: UUID, actor: UUID, text: str, since: datetime) -> PublishedWords | None:
    """Return what an actor added to a case after a moment in the same words, if anything; the newest."""
    row = await db.fetchrow(
        "select e.seq, e.at, t.text from case_event e join case_text t on t.event = e.id where e.case_id = $1"
        " and e.actor = $2 and e.type = 'added_to' and t.field = 'text' and t.text = $3 and e.at > $4"
        " order by e.seq desc limit 1",
        case_id,
        actor,
        text,
        since,
    )
    return None if row is None else PublishedWords(**dict(row))
