"""The queue between relay and deliveries: arq, which is in maintenance mode, is known here and nowhere else.

It may be emptied, killed or slow at any time: nothing is kept in it that the outbox does not have.
"""

import asyncio
import logging
from typing import Any
from uuid import UUID

import arq.worker
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from app import logs
from app.kernel import clock
from app.worker import delivery

logger = logging.getLogger("zjw.worker")

QUEUE = "zjw:jobs"
JOB_SECONDS = 60
"""Longest run of one job; those of a killed worker are free for others a second after this."""
_AGAIN_SECONDS = 0.5
_ENDLESS = 1_000_000  # our own count of tries decides (outbox.TRIES); arq's also counts kills and stops


async def deliver(ctx: dict[Any, Any], district: str, event_id: str) -> None:
    """Deliver one event: the job as arq calls it."""
    del ctx
    await delivery.deliver(district, UUID(event_id), clock.now)


class Queue:
    """The queue server of `url`; connections are made when needed and again after it was away."""

    def __init__(self, url: str) -> None:
        self._redis: Any = ArqRedis.from_url(url)  # pyright: ignore[reportUnknownMemberType]

    async def put(self, district: str, event_id: UUID) -> None:
        """Ask for an event's delivery; nothing when it is waiting already. RedisError when the queue is away."""
        await self._redis.enqueue_job("deliver", district, str(event_id), _job_id=str(event_id), _queue_name=QUEUE)

    async def work(self, most: int) -> None:
        """Run up to `most` jobs at a time until SIGTERM or SIGINT; waits for a queue that is away."""
        stopping = asyncio.Event()
        while not stopping.is_set():
            jobs = self._jobs(most)
            jobs.on_stop = lambda _: stopping.set()
            try:
                await jobs.async_run()
            except RedisError as error:
                logger.warning("queue is away", extra={"error": type(error).__name__, "cause": logs.words_of(error)})
                await _first_of(stopping, _AGAIN_SECONDS)
            except asyncio.CancelledError:
                stopping.set()
            if stopping.is_set():
                await asyncio.gather(*jobs.tasks.values(), return_exceptions=True)

    def _jobs(self, most: int) -> arq.worker.Worker:
        jobs = arq.worker.Worker(
            functions=[
                arq.worker.func(deliver, name="deliver", keep_result=0, max_tries=_ENDLESS, timeout=JOB_SECONDS)
            ],
            redis_pool=self._redis,
            queue_name=QUEUE,
            max_jobs=most,
            poll_delay=0.05,
            handle_signals=True,
            job_completion_wait=10,
            log_results=False,
        )
        jobs.in_progress_timeout_s = JOB_SECONDS + 1
        return jobs

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
