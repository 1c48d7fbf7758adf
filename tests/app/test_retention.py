"""Once a day what has been kept long enough goes; a second run finds nothing, half a year of the access log stays."""

from datetime import UTC, datetime, timedelta

import pytest

from app import retention, wiring
from app.identity import keystore
from app.identity.keystore import AccessView
from app.identity.privacy_commands import LEAST_LOG
from app.kernel import clock, db
from app.kernel.ids import new_id
from tasks.cases import commands, intake
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tests.tools import people

NOW = clock.now()


@pytest.mark.parametrize(
    ("now", "months", "before"),
    [
        ("2026-11-23", 12, "2025-11-23"),
        ("2026-08-31", 6, "2026-02-28"),
        ("2024-08-31", 6, "2024-02-29"),
        ("2026-01-15", 1, "2025-12-15"),
        ("2026-12-31", 24, "2024-12-31"),
    ],
)
def test_months_are_those_of_the_calendar(now: str, months: int, before: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert retention.months_before(at, months) == datetime.fromisoformat(before).replace(tzinfo=UTC)


def test_six_months_of_the_calendar_are_never_less_than_what_the_law_asks() -> None:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(1500)]
    assert all(day - retention.months_before(day, 6) >= LEAST_LOG for day in days)


async def counts() -> tuple[int, ...]:
    tables = ("case_contact", "access_log where kind = 'staff'", "access_log where kind = 'system'")
    return tuple([await db.fetchval(f"select count(*) from {table}") for table in tables])


async def test_the_daily_run_erases_what_is_due_and_a_second_run_finds_nothing(district: str) -> None:
    every, run = wiring.SCHEDULES["retention"]
    assert every == timedelta(days=1)
    old = NOW - timedelta(days=800)
    wang = await people.sign_in_citizen(district)
    reporter = Reporter(id=wang.actor.id, name="张某", phone="13800001234")
    report = Report(source="citizen", item="G001", description="演示诉求", reporter=reporter)
    async with db.transaction(district):
        case = await intake.open(report, wang.actor, old)
        await commands.give(case.id, o.Withdraw(), wang.actor, old)
        await intake.open(report, wang.actor, NOW)
        for days in (500, 100):
            at = NOW - timedelta(days=days)
            who = wang.actor.id
            entry = AccessView(id=new_id(), at=at, actor=who, kind="staff", action="x", object="y", reason=None)
            await keystore.add_access(entry)
    await run(district, NOW)
    async with db.transaction(district):
        assert await counts() == (1, 1, 2)
    await run(district, NOW)
    async with db.transaction(district):
        assert await counts() == (1, 1, 2)
