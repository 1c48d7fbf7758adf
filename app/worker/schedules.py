"""Schedules: each job runs once per district and period however many workers there are, and again after a crash."""

import asyncio
import logging
from datetime import datetime, timedelta

import asyncpg

from app import wiring
from app.kernel import db
from app.kernel.clock import Clock

logger = logging.getLogger("zjw.schedules")

LEASE = timedelta(minutes=5)
"""A job that is not done by then is taken to have died with its worker and may be run by another."""
POLL_SECONDS = 1.0


async def claim(names: list[str], now: datetime) -> list[str]:
    """Lease the schedules that are due, in the caller's transaction; each goes to one worker only (SKIP LOCKED)."""
    await db.execute(
        "insert into schedule (name, due_at) select name, $2 from unnest($1::text[]) as n(name)"
        " where not exists (select 1 from schedule s where s.name = n.name) on conflict (name) do nothing",
        names,
        now,
    )
    rows = await db.fetch(
        "update schedule set leased_until = $3 where name in (select name from schedule where name = any($1::text[])"
        " and due_at <= $2 and (leased_until is null or leased_until <= $2) for update skip locked) returning name",
        names,
        now,
        now + LEASE,
    )
    return [row["name"] for row in rows]


async def finish(name: str, every: timedelta, now: datetime, error: str | None) -> None:
    """Note a run and when the next is due; missed periods are not made up for."""
    await db.execute(
        "update schedule set due_at = $2, leased_until = null, ran_at = $3, error = $4 where name = $1",
        name,
        now + every,
        now,
        error,
    )


async def run_due(district: str, clock: Clock) -> list[str]:
    """Run what is due in one district and return the names."""
    async with db.transaction(district):
        due = await claim(sorted(wiring.SCHEDULES), clock())
    for name in due:
        every, job = wiring.SCHEDULES[name]
        error = None
        try:
            await job(district, clock())
        except Exception as failure:
            logger.exception("schedule", extra={"schedule": name, "district": district})
            error = f"{type(failure).__name__}: {failure}"[:2000]
        async with db.transaction(district):
            await finish(name, every, clock(), error)
    return due


async def run(clock: Clock) -> None:
    """Run schedules until cancelled; a database that goes away is waited for."""
    while True:
        try:
            for district in await db.districts():
                await run_due(district, clock)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning("schedules", extra={"error": type(error).__name__, "text": str(error)[:200]})
        await asyncio.sleep(POLL_SECONDS)
