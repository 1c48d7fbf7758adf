"""Facts are appended, many at once, and the same again changes nothing."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from app.kernel import db, fact

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def closed(fact_id: str, version: int = 1, **more: object) -> fact.Fact:
    return fact.Fact(
        fact_id=fact_id, version=version, kind="case_closed", force="grid", occurred_at=NOW, recorded_at=NOW, **more
    )


async def stored() -> list[fact.Fact]:
    rows = await db.fetch(f"select {', '.join(fact.COLUMNS)} from fact order by fact_id, version")
    return [msgspec.convert(dict(row), fact.Fact) for row in rows]


async def test_facts_come_back_as_they_were_written(district: str) -> None:
    facts = [
        closed("a", attributes={"satisfied": True, "n": 1.5, "词": ["一"]}, due_at=NOW + timedelta(hours=1)),
        closed("b", town="330109001", person="p", done_at=NOW, superseded_at=NOW),
    ]
    await fact.append(facts)
    assert await stored() == facts


async def test_the_same_version_again_changes_nothing_and_a_new_one_stands_beside_it(district: str) -> None:
    await fact.append([closed("a", item="first")])
    await fact.append([closed("a", item="second"), closed("a", 2, item="third")])
    assert [(f.version, f.item) for f in await stored()] == [(1, "first"), (2, "third")]


async def test_nothing_to_append_is_no_fault(district: str) -> None:
    await fact.append([])
    assert await stored() == []


async def test_an_unknown_force_is_refused(district: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.transaction(district):
            await fact.append([msgspec.structs.replace(closed("a"), force="navy")])


async def test_ten_thousand_facts_are_one_statement(district: str) -> None:
    await fact.append([closed(f"f{n}") for n in range(10_000)])
    assert await db.fetchval("select count(*) from fact") == 10_000
