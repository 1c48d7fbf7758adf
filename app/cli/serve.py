"""`zjw serve`: the HTTP server, one or several processes on one socket."""

import asyncio
import gc
import os
import signal
import socket
import sys
import tempfile
from types import FrameType

import click
import msgspec
import uvicorn

from app import programs, reach, settings
from app.listening import listen
from app.notices import streams
from app.supervisor import Supervisor
from tasks.channels import stream_commands

GRACE_SECONDS = 30
"""So long requests in flight may still take when the server is asked to stop."""

YOUNG = 20_000
"""So many new objects are looked through for cycles at a time; at 700, Python's own, a case opened was a collection."""


@click.command("serve")
@click.option("--host", help="Address to listen on, instead of ZJW_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on, instead of ZJW_PORT.")
@click.option("--processes", type=click.IntRange(1, 256), help="How many, instead of ZJW_SERVER_PROCESSES.")
@click.option("--fd", type=int, hidden=True, help="Number of an open listening socket.")
def command(host: str | None, port: int | None, processes: int | None, fd: int | None) -> None:
    """Run the HTTP server until SIGTERM or Ctrl-C; requests in flight are finished."""
    if fd is not None:
        one_process(socket.socket(fileno=fd))
        return
    given = settings.load()
    asyncio.run(reach.check(given.database_url))
    given = msgspec.structs.replace(given, host=host or given.host, port=port or given.port)
    count = processes or given.server_processes
    with listen(given.host, given.port) as listener:
        if count == 1:
            one_process(listener)
        else:
            with tempfile.TemporaryDirectory(prefix="zjw-metrics-") as metrics:
                environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": metrics}
                Supervisor(programs.server(count, listener.fileno(), environment, "/dev/stderr"), click.echo).run()


class Server(uvicorn.Server):
    """Ends open streams first: they would hold up the stop; a stop that was asked for ends with exit code 0."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the stock server would end by the same signal once more, as if it had been killed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what was loaded by then stays for good and is not looked through for cycles again."""
        await super().startup(sockets)
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; requests in flight are finished."""
        streams.end_all()
        stream_commands.end_all()
        await super().shutdown(sockets)


def one_process(listener: socket.socket) -> None:
    """Serves from the socket in this process until a signal."""
    config = uvicorn.Config(
        "app.server:create_app",
        factory=True,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        sys.exit(3)
