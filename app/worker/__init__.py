"""The worker: relay, deliveries, schedules."""

import asyncio
import logging

from app import doorbell, logs, settings, tracing, wiring
from app.kernel import clock, db
from app.worker import jobs, relay, schedules

logger = logging.getLogger("zjw.worker")


async def _main(chosen: settings.Settings) -> None:
    wiring.configure(chosen)
    tracing.configure(chosen.otlp_endpoint)
    db.configure(chosen.database_url)
    await db.start(2, chosen.pool_size)
    queue = jobs.Queue(chosen.redis_url)
    async with doorbell.ringing():
        loops = [
            asyncio.create_task(relay.run(queue.put, clock.now)),
            asyncio.create_task(schedules.run(clock.now)),
            *(asyncio.ensure_future(loop(clock.now)) for loop in wiring.LOOPS),
        ]
        logger.info("worker ready")
        try:
            await queue.work(chosen.worker_jobs)
            logger.info("worker stops")
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await queue.close()
    await db.stop()
    await asyncio.to_thread(tracing.stop)


def run() -> None:
    """Work until SIGTERM or SIGINT; jobs in flight end or go back."""
    chosen = settings.load()
    logs.configure(chosen.log_level)
    asyncio.run(_main(chosen))
