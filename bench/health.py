"""Health GET with 8 clients, beside a bare ASGI application under the same server with as many processes."""

import asyncio
import os
import sys
from typing import Any

from app.listening import listen
from bench.figure import Figure
from bench.load import Outcome, load, request
from bench.platform import Context

CLIENTS = 8
COUNT = 8_000
GET = request("GET", "/healthz")

BARE = """
import socket, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
config = uvicorn.Config(app, loop="uvloop", http="httptools", lifespan="off", log_config=None, access_log=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=%d)])
"""


async def run(context: Context) -> list[Figure]:
    """Requests a second, and the time within which 99 of 100 are answered."""
    bare = await _bare()
    async with context.platform() as platform:
        await load(platform.port, CLIENTS, [GET] * 500)
        ours = await load(platform.port, CLIENTS, [GET] * COUNT)
    floor = "bare ASGI answer under the same server"
    return [
        Figure(name="health GET, 8 clients", value=ours.rate, unit="/s", floor=bare.rate, floor_name=floor),
        Figure(
            name="health GET, 99th percentile",
            value=ours.percentile(0.99),
            unit="ms",
            floor=bare.percentile(0.99),
            floor_name=floor,
        ),
    ]


async def _bare() -> Outcome:
    listener = listen("127.0.0.1", 0)
    fd = listener.fileno()
    command: Any = (sys.executable, "-c", BARE % fd)
    processes = [await asyncio.create_subprocess_exec(*command, pass_fds=(fd,), env=os.environ) for _ in range(2)]
    try:
        port = listener.getsockname()[1]
        await load(port, CLIENTS, [GET] * 500)
        return await load(port, CLIENTS, [GET] * COUNT)
    finally:
        for process in processes:
            process.terminate()
            await process.wait()
        listener.close()
