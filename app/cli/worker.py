"""`zjw worker`: background jobs, one or several processes."""

import os

import click

from app import programs, settings
from app.supervisor import Supervisor


@click.command("worker")
@click.option("--processes", type=click.IntRange(1, 256), help="How many, instead of ZJW_WORKER_PROCESSES.")
def command(processes: int | None) -> None:
    """Run background jobs and listeners until SIGTERM or Ctrl-C; unfinished jobs go back."""
    count = processes or settings.load().worker_processes
    if count > 1:
        Supervisor(programs.worker(count, os.environ, "/dev/stderr"), click.echo).run()
        return
    from app import worker  # only here, so that nothing else loads the queue's library

    worker.run()
