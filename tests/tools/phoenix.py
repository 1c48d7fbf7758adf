"""A real worker or server process that rises again each time it is killed: `python -m tests.tools.phoenix worker`.

Imports once and forks, so that a new one is up in a fraction of a second. Prints the id of each process it starts;
ends with its parent or when its standard input is closed.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import uvicorn

import app.server
import app.worker
from app import wiring
from app.kernel import db, outbox
from app.kernel.event import Event
from app.wiring import Slow
from app.worker import jobs
from tasks.cases.events import CaseOpened
from tests.tools import bells
from tests.tools.bells import TowerBellRung

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


def slowly(subscriber: Callable[[TowerBellRung, datetime], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Leave a kill time to hit between the parts of the work."""

    async def call(happened: Event, now: datetime) -> None:
        await asyncio.sleep(0.003)
        assert isinstance(happened, TowerBellRung)
        await subscriber(happened, now)
        await asyncio.sleep(0.003)

    return call


async def slow_note(happened: TowerBellRung, now: datetime) -> None:
    """A slow subscriber: its own transaction, idempotent by the event's id as slow ones must be."""
    async with db.transaction("330109"):
        await db.execute(
            "insert into bell_effect (id, event_id, name) values ($1, $1, 'slow') on conflict do nothing", happened.id
        )


def work() -> None:
    """Be a worker with the test's subscribers and short waits."""
    outbox.RING_AGAIN = timedelta(seconds=1)
    jobs.JOB_SECONDS = 1
    wiring.SUBSCRIBERS[TowerBellRung] = {"quick": slowly(bells.note), "slow": Slow(slowly(slow_note))}
    wiring.SCHEDULES.clear()
    app.worker.run()


async def opened(happened: Event, now: datetime) -> None:
    """A quick subscriber: leaves a row each time it hears that a case came in."""
    assert isinstance(happened, CaseOpened)
    await bells.note_as("opened", happened.case)


def work_whole() -> None:
    """Be a worker with all it does in service, its schedules too; it also counts the cases it hears of."""
    outbox.RING_AGAIN = timedelta(seconds=1)
    jobs.JOB_SECONDS = 1
    wiring.SUBSCRIBERS[CaseOpened] = {**wiring.SUBSCRIBERS[CaseOpened], "opened": opened}
    app.worker.run()


def serve(listener: socket.socket) -> None:
    """Be a server on a socket that outlives it."""
    uvicorn.run(
        "app.server:create_app", factory=True, fd=listener.fileno(), log_level="warning", timeout_graceful_shutdown=5
    )


def end_with_parent() -> None:
    """Be killed when the parent is gone, however it went."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def main(role: str, port: int) -> None:
    """Start the process again whenever it ends."""
    end_with_parent()
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        listener.set_inheritable(True)
        lives: dict[str, Callable[[], None]] = {
            "worker": work,
            "whole worker": work_whole,
            "server": lambda: serve(listener),
        }
        while True:
            child = os.fork()
            if not child:
                end_with_parent()
                lives[role]()
                os._exit(0)
            print(child, listener.getsockname()[1], flush=True)  # noqa: T201 - read by the test
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], 0)
