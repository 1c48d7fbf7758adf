"""Alive, ready, and figures for Prometheus."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import prometheus_client
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from msgspec import Struct
from prometheus_client import multiprocess

from app import wiring
from app.kernel import clock, db

Probe = Callable[[], Awaitable[None]]
"""Returns when its part answers, raises when it does not."""

logger = logging.getLogger("zjw.health")

OPEN: dict[str, Any] = {"public": True, "unlimited": True}


class Alive(Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


class Ready(Struct, frozen=True):
    """Whether each part this process needs answers: `ok` or what is wrong."""

    status: str
    parts: dict[str, str]


@get("/healthz", opt=OPEN, tags=["operation"], sync_to_thread=False)
def healthz() -> Alive:
    """Say that the process is alive."""
    return Alive()


async def _ask(probe: Probe) -> str:
    try:
        await asyncio.wait_for(probe(), timeout=2)
    except Exception as error:
        return type(error).__name__
    return "ok"


@get(
    "/readyz",
    opt=OPEN,
    tags=["operation"],
    responses={503: ResponseSpec(Ready, description="Something does not answer", generate_examples=False)},
)
async def readyz(probes: NamedDependency[dict[str, Probe]]) -> Response[Ready]:
    """Say whether database, queue, migrations and storage answer; 503 when one does not."""
    answers = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
    parts = dict(zip(probes, answers, strict=True))
    well = set(answers) == {"ok"}
    return Response(Ready("ok" if well else "not ready", parts), status_code=200 if well else 503)


@get("/metrics", opt=OPEN, tags=["operation"], media_type="text/plain")
async def metrics() -> Response[bytes]:
    """Figures of all server processes, and of what waits in the database, in the Prometheus text format."""
    registry: Any = prometheus_client.CollectorRegistry()
    try:
        multiprocess.MultiProcessCollector(registry)
    except ValueError:  # a single process keeps its figures in memory
        registry = prometheus_client.REGISTRY
    text = prometheus_client.generate_latest(registry) + await _of_database()
    return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)


async def _of_database() -> bytes:
    """Return the figures the database keeps; none when it does not answer, so that the others are still seen."""
    registry = prometheus_client.CollectorRegistry()
    try:
        async with asyncio.timeout(2):
            found = await wiring.figures(clock.now())
    except Exception as error:
        logger.warning("figures", extra={"error": type(error).__name__})
        return b""
    for name, (meaning, value) in found.items():
        prometheus_client.Gauge(name, meaning, registry=registry).set(value)
    return prometheus_client.generate_latest(registry)


async def database_answers() -> None:
    """Probe: the database runs a query."""
    await db.districts()
