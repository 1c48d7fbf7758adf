"""`zjw stop`: ends what `zjw run` started."""

import contextlib
import os
import signal
import time
from pathlib import Path

import click

from app import running, settings
from app.embedded import services
from app.trouble import Trouble

STOP_SECONDS = 60.0


@click.command("stop")
@click.option("--remove", is_flag=True, help="Also delete the home folder: database, queue, media, keys, logs.")
def command(remove: bool) -> None:
    """Stop server, worker and the private database and queue of this checkout."""
    home = settings.read().home
    if not home.exists():
        return
    if there := running.running(home):
        stop_supervisor(home, there.pid)
    for each in (home, home / "test"):
        running.stop_services(each)
        if remove:
            services.remove(each)
    click.echo("stopped")


def stop_supervisor(home: Path, pid: int) -> None:
    """Asks the supervisor to stop and waits until it is gone. Raises Trouble if it stays."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while running.running(home) is not None:
        if time.monotonic() > end:
            raise Trouble(f"Process {pid} does not stop: look at {home / 'log'}, or end it with `kill -9 {pid}`.")
        time.sleep(0.05)
