"""The worker: relay, deliveries, schedules. The only place that knows arq, which is in maintenance mode."""

import asyncio
import logging
from typing import Any
from uuid import UUID

import arq.worker
from arq.connections import ArqRedis

from app import doorbell, logs, settings, wiring
from app.kernel import clock, db
from app.worker import delivery, relay, schedules

logger = logging.getLogger("zjw.worker")

QUEUE = "zjw:jobs"
JOB_SECONDS = 60
"""A job killed with its worker is tried again once this and 10 s are over, or when the sweep rings its event again."""


async def deliver(ctx: dict[Any, Any], district: str, event_id: str) -> None:
    """Deliver one event: the job as arq calls it."""
    del ctx
    await delivery.deliver(district, UUID(event_id), clock.now)


async def _main(chosen: settings.Settings) -> None:
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    await db.start(2, chosen.pool_size)
    queue: Any = ArqRedis.from_url(chosen.redis_url)  # pyright: ignore[reportUnknownMemberType]

    async def enqueue(district: str, event_id: UUID) -> None:
        await queue.enqueue_job("deliver", district, str(event_id), _job_id=str(event_id), _queue_name=QUEUE)

    jobs = arq.worker.Worker(
        functions=[arq.worker.func(deliver, name="deliver", keep_result=0, max_tries=1, timeout=JOB_SECONDS)],
        redis_pool=queue,
        queue_name=QUEUE,
        max_jobs=chosen.worker_jobs,
        poll_delay=0.05,
        handle_signals=True,
        job_completion_wait=10,
        log_results=False,
    )
    async with doorbell.ringing():
        loops = [
            asyncio.create_task(relay.run(enqueue, clock.now)),
            asyncio.create_task(schedules.run(clock.now)),
        ]
        logger.info("worker ready")
        try:
            await jobs.async_run()
        except asyncio.CancelledError:
            logger.info("worker stops")
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await jobs.close()
    await db.stop()


def run() -> None:
    """Work until SIGTERM or SIGINT; jobs in flight end or go back."""
    logs.configure()
    asyncio.run(_main(settings.load()))
