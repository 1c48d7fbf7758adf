"""A million made-up cases: the demo district's own, multiplied by SQL back through time, most of them over."""

import time
from typing import Any

import asyncpg

from bench.platform import DISTRICT

CASES = 1_000_000
SHIFT = "(k * interval '17 hours')"
OPEN = "'received', 'accepted', 'assigned', 'handling', 'disputed', 'suspended', 'handled', 'calling_back'"
OPEN_LEG = "'unsigned', 'signed', 'submitted'"
WORDS = ["积水", "占道经营", "油烟", "噪音扰民", "井盖破损", "路灯不亮", "违章停车", "垃圾堆积", "共享单车", "施工扬尘"]
RARE_WORD = "窨井盖"
"""It occurs in one case of 97."""

_CASE = {
    "id": "md5(b.id::text || k)::uuid",
    "number": f"'XS' || to_char(b.received_at - {SHIFT}, 'YYYYMMDD') || '-' || lpad((k * 10000 + b.rn)::text, 7, '0')",
    "external_id": "b.external_id || '|' || k",
    "state": "case when {over} then 'closed' else b.state end",
    "due_at": f"case when not {{over}} then b.due_at - {SHIFT} end",
    "wake_at": f"case when not {{over}} then b.wake_at - {SHIFT} end",
    "closed_at": f"case when {{over}} then b.received_at + interval '2 days' else b.closed_at end - {SHIFT}",
    **dict.fromkeys(("parent", "merged_into", "origin"), "null::uuid"),
    "description": "b.description || ($1::text[])[1 + (k * 7 + b.rn) % cardinality($1)]"
    " || case when (k + b.rn) % 97 = 0 then $2::text else '' end",
}
_LEG = {
    "id": "md5(b.id::text || k)::uuid",
    "case_id": "md5(b.case_id::text || k)::uuid",
    "parent": "null::uuid",
    "state": "case when {over} then 'confirmed' else b.state end",
    "next_urge_at": f"case when not {{over}} then b.next_urge_at - {SHIFT} end",
}


async def fill(dsn: str) -> int:
    """Multiply what the demo holds to a million cases with their legs; return how many. One index takes minutes."""
    connection: Any = await asyncpg.connect(dsn, server_settings={"search_path": f"d{DISTRICT},public"})
    try:
        count = await connection.fetchval("select count(*) from cases")
        if count >= CASES:
            return count
        times = -(-CASES // count)
        indexes = await connection.fetch(
            "select indexname, indexdef from pg_indexes where schemaname = $1 and tablename = any($2::text[])"
            " and indexname not in (select conname from pg_constraint)",
            f"d{DISTRICT}",
            ["cases", "case_leg"],
        )
        for index in indexes:
            await connection.execute(f"drop index {index['indexname']}")
        await connection.execute("set session_replication_role to replica")
        await connection.execute("set maintenance_work_mem to '1GB'")
        await connection.execute("create temp table base as select *, row_number() over () as rn from cases")
        await connection.execute("create temp table base_leg as select * from case_leg")
        await _multiply(connection, "cases", "base", _CASE, _over("b.id", f"b.state in ({OPEN})"), times)
        await _multiply(connection, "case_leg", "base_leg", _LEG, _over("b.case_id", f"b.state in ({OPEN_LEG})"), times)
        for index in indexes:
            await connection.execute(index["indexdef"])
        await connection.execute("vacuum analyze cases")
        await connection.execute("vacuum analyze case_leg")
        return await connection.fetchval("select count(*) from cases")
    finally:
        await connection.close()


def _over(case: str, is_open: str) -> str:
    """Of the open ones of older times, all but one in twenty are over."""
    return f"({is_open} and get_byte(decode(md5({case}::text || k || 'o'), 'hex'), 0) >= 12)"


async def _multiply(connection: Any, table: str, base: str, other: dict[str, str], over: str, times: int) -> None:
    rows = await connection.fetch(
        "select column_name, data_type from information_schema.columns where table_schema = $1 and table_name = $2"
        " and is_generated = 'NEVER'",
        f"d{DISTRICT}",
        table,
    )
    values: list[str] = []
    for name, kind in rows:
        plain = f"b.{name} - {SHIFT}" if kind.startswith("timestamp") else f"b.{name}"
        values.append(other.get(name, plain).replace("{over}", over))
    names = ", ".join(row[0] for row in rows)
    arguments = [WORDS, RARE_WORD] if table == "cases" else []
    await connection.execute(
        f"insert into {table} ({names}) select {', '.join(values)} from {base} b, generate_series(1, {times - 1}) k",
        *arguments,
        timeout=600,
    )


def now_ms(since: float) -> float:
    """Milliseconds since a reading of the clock."""
    return (time.perf_counter() - since) * 1000
