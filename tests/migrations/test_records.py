"""What is on record can be neither changed nor emptied, whoever asks."""

import asyncpg
import pytest

from app.kernel import db

NOBODY = "00000000-0000-7000-8000-000000000000"
ROWS = {
    "case_root": "(day, cases, hash, algorithm, at) values ('2026-11-23', 0, '', 'sha-256', '2026-11-23T00:00Z')",
    "fact": "(fact_id, version, kind, occurred_at, attributes, recorded_at)"
    " values ('f', 1, 'case', '2026-11-23T00:00Z', '{}', '2026-11-23T00:00Z')",
    "case_item": f"(id, code, version, body, created_at) values ('{NOBODY}', 'X', 1, '{{}}', '2026-11-23T00:00Z')",
    "case_calendar": f"(id, version, document, author, published_at)"
    f" values ('{NOBODY}', 1, '{{}}', '{NOBODY}', '2026-11-23T00:00Z')",
    "access_log": f"(id, at, actor, kind, action, object)"
    f" values ('{NOBODY}', '2026-11-23T00:00Z', '{NOBODY}', 'staff', 'contact.read', 'case:1')",
}


async def refused(district: str, statement: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)):
        async with db.transaction(district):
            await db.execute(statement)


@pytest.mark.parametrize(
    "table",
    [
        "case_calendar",
        "case_event",
        "case_item",
        "case_root",
        "case_root_head",
        "fact",
        "access_log",
        "routing_rules",
        "sensing_rule_version",
        "score_period_event",
        "score_run",
        "score_appeal",
    ],
)
async def test_a_record_is_not_emptied(district: str, table: str) -> None:
    await refused(district, f"truncate {table} cascade")


async def test_a_record_is_not_emptied_on_the_way(district: str) -> None:
    """Emptying cases reaches into their trace."""
    await refused(district, "truncate cases cascade")


@pytest.mark.parametrize(
    "statement",
    [
        "update case_root set hash = 'x'",
        "delete from case_root",
        "update fact set kind = 'x'",
        "delete from fact",
        "update access_log set object = 'x'",
        "update case_item set version = 9",
        "delete from case_item",
        "update case_calendar set document = '{}'",
        "delete from case_calendar",
    ],
)
async def test_a_record_is_not_changed(district: str, statement: str) -> None:
    for table, row in ROWS.items():
        await db.execute(f"insert into {table} {row}")
    await refused(district, statement)


async def test_every_table_that_refuses_changes_refuses_to_be_emptied(district: str) -> None:
    """The catalogue knows which tables have a trigger that refuses; none was forgotten."""
    open_ = await db.fetch(
        """
        select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = to_regnamespace($1) and not t.tgisinternal
        and not exists (select from pg_trigger e where e.tgrelid = t.tgrelid and e.tgtype & 32 <> 0)
        """,
        f"d{district}",
    )
    assert [row["relname"] for row in open_] == []
