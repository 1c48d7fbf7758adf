"""Queries that read or erase what cases hold of the people who reported them; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.kernel import db
from tasks.cases.model import ENDED


async def erase_contacts(before: datetime, limit: int) -> int:
    """Delete contacts of up to `limit` cases that were over before an instant, with the salt of their hashes."""
    return await db.execute(
        "delete from case_contact where case_id in (select k.case_id from case_contact k join cases c on c.id ="
        " k.case_id join case_event e on e.case_id = c.id and e.seq = c.trace_seq where c.state = any($1::text[])"
        " and coalesce(c.closed_at, e.at) < $2 order by k.case_id limit $3)",
        [state.value for state in ENDED],
        before,
        limit,
    )


async def erase_joined(before: datetime, limit: int) -> int:
    """Delete name and phone of up to `limit` people who joined cases that were over before an instant."""
    return await db.execute(
        "update case_reporter set name = null, phone = null where id in (select j.id from case_reporter j"
        " join cases c on c.id = j.case_id join case_event e on e.case_id = c.id and e.seq = c.trace_seq"
        " where num_nonnulls(j.name, j.phone) > 0 and c.state = any($1::text[]) and coalesce(c.closed_at, e.at) < $2"
        " order by j.id limit $3)",
        [state.value for state in ENDED],
        before,
        limit,
    )


async def lock_reported(reporter: UUID) -> list[UUID]:
    """Lock the cases somebody reported and return their ids."""
    rows = await db.fetch("select id from cases where reporter = $1 order by id for update", reporter)
    return [row[0] for row in rows]


async def reported(reporter: UUID) -> list[dict[str, Any]]:
    """Return what cases hold that somebody reported, newest first, contacts sealed."""
    rows = await db.fetch(
        "select c.id, c.number, c.state, c.item, c.title, c.description, c.address, c.attributes, c.raw_lon as lon,"
        " c.raw_lat as lat, c.datum, c.occurred_at, c.received_at, c.closed_at, c.rating, k.name, k.phone"
        " from cases c left join case_contact k on k.case_id = c.id where c.reporter = $1"
        " order by c.received_at desc, c.id",
        reporter,
    )
    return [dict(row) for row in rows]


async def texts(reporter: UUID) -> list[dict[str, Any]]:
    """Return the texts of somebody's cases that they wrote themselves or may read, in order."""
    rows = await db.fetch(
        "select t.case_id, e.at, e.type as step, t.field, t.text, e.actor = $1 as own from case_text t"
        " join case_event e on e.id = t.event join cases c on c.id = t.case_id"
        " where c.reporter = $1 and (t.public or e.actor = $1) order by t.case_id, e.seq, t.field",
        reporter,
    )
    return [dict(row) for row in rows]


async def joined(reporter: UUID) -> list[dict[str, Any]]:
    """Return what is held of a citizen in others' cases they joined; name and phone sealed."""
    rows = await db.fetch(
        "select j.case_id as id, c.number, j.joined_at, j.name, j.phone from case_reporter j"
        " join cases c on c.id = j.case_id where j.reporter = $1 order by j.joined_at, j.case_id",
        reporter,
    )
    return [dict(row) for row in rows]


async def erase(reporter: UUID, cases: Sequence[UUID], titles: Sequence[str]) -> int:
    """Erase contact and words of a reporter from locked cases, `titles` in their place; return how many texts went."""
    await db.execute("delete from case_contact where case_id = any($1::uuid[])", cases)
    await db.execute("delete from case_reporter where reporter = $1", reporter)
    # whom they spoke for was named with the report; residents that a desk added came later
    await db.execute(
        "delete from case_reporter j using cases c where c.id = j.case_id and c.id = any($1::uuid[])"
        " and j.reporter is null and j.joined_at = c.received_at",
        cases,
    )
    gone = await db.execute(
        "delete from case_text using case_event e where case_text.case_id = any($1::uuid[]) and e.id = case_text.event"
        " and (e.actor = $2 or (e.type = 'amended' and case_text.field in ('address', 'point')))",
        cases,
        reporter,
    )
    await db.execute(
        "update cases set title = v.title, description = '', address = '', attributes = '{}', version = version + 1"
        " from unnest($1::uuid[], $2::text[]) as v(id, title) where cases.id = v.id",
        cases,
        titles,
    )
    await db.execute(
        "update case_command set answer = answer || jsonb_build_object('title', v.title, 'address', '')"
        " from unnest($1::uuid[], $2::text[]) as v(id, title) where case_command.case_id = v.id",
        cases,
        titles,
    )
    return gone
