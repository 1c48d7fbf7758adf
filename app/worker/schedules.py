"""Schedules: each job runs once per district and period however many workers there are, and again after a crash."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from app import logs, tracing, wiring
from app.kernel import db
from app.kernel.clock import Clock

logger = logging.getLogger("zjw.schedules")

LEASE = timedelta(minutes=5)
"""A job that is not done by then has died with its worker and may be run by another."""
MOST = timedelta(minutes=4)
"""Longest run of a job; it is cancelled before its lease ends, so that it never runs twice at a time."""
POLL_SECONDS = 1.0


async def add_missing(names: Sequence[str], now: datetime) -> None:
    """Make known, in the caller's transaction, schedules that never ran; they are due at once."""
    await db.execute(
        "insert into schedule (name, due_at) select name, $2 from unnest($1::text[]) as n(name)"
        " where not exists (select 1 from schedule s where s.name = n.name) on conflict (name) do nothing",
        names,
        now,
    )


async def claim(names: Sequence[str], now: datetime) -> str | None:
    """Lease one schedule that is due, in the caller's transaction; each goes to one worker only (SKIP LOCKED)."""
    return await db.fetchval(
        "update schedule set leased_until = $3 where name = (select name from schedule where name = any($1::text[])"
        " and due_at <= $2 and (leased_until is null or leased_until <= $2) order by due_at, name limit 1"
        " for update skip locked) returning name",
        names,
        now,
        now + LEASE,
    )


async def finish(name: str, every: timedelta, now: datetime, error: str | None) -> None:
    """Note a run and when the next is due; missed periods are not made up for."""
    await db.execute(
        "update schedule set due_at = $2, leased_until = null, ran_at = $3, error = $4 where name = $1",
        name,
        now + every,
        now,
        error,
    )


async def give_back(name: str) -> None:
    """End a lease without a run: another worker may take it now."""
    await db.execute("update schedule set leased_until = null where name = $1", name)


async def run_due(district: str, clock: Clock) -> list[str]:
    """Run what is due in one district, one after the other, and return the names."""
    names = sorted(wiring.SCHEDULES)
    async with db.transaction(district):
        await add_missing(names, clock())
    done: list[str] = []
    while True:
        async with db.transaction(district):
            name = await claim(names, clock())
        if name is None:
            return done
        await _run(district, name, clock)
        done.append(name)


async def _run(district: str, name: str, clock: Clock) -> None:
    with tracing.span(f"schedule {name}") as span:
        span.note("zjw.district", district)
        await _run_traced(district, name, clock, span)


async def _run_traced(district: str, name: str, clock: Clock, span: tracing.Noted) -> None:
    every, job = wiring.SCHEDULES[name]
    error, lost, until = None, False, clock() + LEASE
    try:
        async with asyncio.timeout(MOST.total_seconds()):
            await job(district, clock())
    except asyncio.CancelledError:  # the worker stops
        async with db.transaction(district):
            await give_back(name)
        raise
    except Exception as failure:
        logger.exception("schedule", extra={"schedule": name, "district": district})
        span.fail(type(failure).__name__)
        error, lost = f"{type(failure).__name__}: {failure}"[:2000], _without_database(failure)
    while True:
        try:
            async with db.transaction(district):
                return await (give_back(name) if lost else finish(name, every, clock(), error))
        except Exception as failure:
            if not _without_database(failure) or clock() >= until:
                raise
            _warn(failure, district)
        await asyncio.sleep(POLL_SECONDS)


def _without_database(failure: Exception) -> bool:
    """Whether the database went away: the run is none, and the lease is to end as soon as the database is back."""
    return isinstance(failure, ConnectionError) or db.is_away(failure)


async def run(clock: Clock) -> None:
    """Run schedules until cancelled; a database that goes away is waited for, one district's fault stops no other."""
    while True:
        try:
            for district in await db.districts():
                await _run_or_log(district, clock)
        except Exception as error:
            _warn(error, None)
        await asyncio.sleep(POLL_SECONDS)


async def _run_or_log(district: str, clock: Clock) -> None:
    try:
        await run_due(district, clock)
    except Exception as error:
        _warn(error, district)


def _warn(error: Exception, district: str | None) -> None:
    logger.warning(
        "schedules", extra={"district": district, "error": type(error).__name__, "cause": logs.words_of(error)}
    )
