"""The web server: puts the packages' routes behind one envelope; decides nothing."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from redis.asyncio import Redis

from app import doorbell, logs, settings, tracing, warming, wiring
from app.kernel import clock, db
from app.server import authentication, conditions, errors, health, openapi, operations
from app.server.envelope import Envelope
from app.server.health import Probe
from app.server.idempotency import Idempotency
from app.server.limits import Buckets, RateLimit
from app.server.local_times import LocalTimes
from app.server.signatures import Signatures
from migrations import runner


def create_app(configuration: settings.Settings | None = None, now: clock.Clock = clock.now) -> Litestar:
    """Return the application; `uvicorn --factory app.server:create_app` runs it, with settings and logs of its own."""
    chosen = configuration or settings.load()
    if configuration is None:
        logs.configure(chosen.log_level)
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    client: Any = Redis
    redis = client.from_url(chosen.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        tracing.configure(chosen.otlp_endpoint)
        started = db.DB.pool is None
        if started:
            await db.start(2, chosen.pool_size)
        async with doorbell.ringing(), warming.warming(wiring.AHEAD if started else {}, now):
            yield
        await redis.aclose()
        if started:
            await db.stop()
        await asyncio.to_thread(tracing.stop)

    who, limit = authentication.Authentication(now, chosen.district), RateLimit(Buckets(redis))
    v1 = Router(
        "/v1",
        route_handlers=[*wiring.ROUTES, *operations.routes],
        middleware=[
            who,
            limit,  # before the signatures: guesses count, too
            Signatures(),
            Idempotency(),
        ],
        guards=[authentication.permitted],
        before_request=conditions.before_request,
        after_request=conditions.after_request,
    )
    app = Litestar(
        route_handlers=[
            v1,
            Router("/", route_handlers=wiring.ROOT_ROUTES, middleware=[who, limit]),
            health.healthz,
            health.readyz,
            health.metrics,
            openapi.openapi_json,
            openapi.assets,
        ],
        dependencies={
            "actor": Provide(authentication.provide_actor, sync_to_thread=False),
            "now": Provide(authentication.provide_now, sync_to_thread=False),
            "district": Provide(authentication.provide_district, sync_to_thread=False),
            "probes": Provide(lambda: _probes(chosen, redis), sync_to_thread=False),
        },
        exception_handlers=errors.handlers,
        compression_config=CompressionConfig(
            backend="brotli",
            brotli_gzip_fallback=True,
            minimum_size=1000,
            exclude_opt_key="uncompressed",  # pictures: nothing to gain
        ),
        cors_config=CORSConfig(allow_origins=list(chosen.cors_origins)) if chosen.cors_origins else None,
        openapi_config=openapi.config(),
        plugins=[LocalTimes()],
        lifespan=[lifespan],
        request_max_body_size=2 * 1024 * 1024,
        logging_config=None,
    )
    for around in wiring.AROUND:
        app.asgi_handler = around(app.asgi_handler)
    app.asgi_handler = Envelope(app.asgi_handler)  # around the framework's own error handling, too
    return app


def _write_probe(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".writable").touch()


def _probes(chosen: settings.Settings, redis: Any) -> dict[str, Probe]:
    async def queue() -> None:
        await redis.ping()

    async def migrations_done() -> None:
        missing = await runner.missing(chosen.database_url)
        if missing:
            raise RuntimeError(f"migrations missing: {missing}")

    async def storage() -> None:
        folder = chosen.media_url.removeprefix("file://")
        if folder != chosen.media_url:  # an object store answers for itself
            await asyncio.to_thread(_write_probe, Path(folder))

    return {
        "database": health.database_answers,
        "queue": queue,
        "migrations": migrations_done,
        "storage": storage,
    }
