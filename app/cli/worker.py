"""`zjw worker`: background jobs, one or several processes."""

import asyncio
import os

import click

from app import programs, reach, settings
from app.supervisor import Supervisor


@click.command("worker")
@click.option("--processes", type=click.IntRange(1, 256), help="How many, instead of ZJW_WORKER_PROCESSES.")
def command(processes: int | None) -> None:
    """Run background jobs and listeners until SIGTERM or Ctrl-C; unfinished jobs go back."""
    given = settings.load()
    asyncio.run(reach.check(given.database_url))
    count = processes or given.worker_processes
    if count > 1:
        Supervisor(programs.worker(count, os.environ, "/dev/stderr"), click.echo).run()
        return
    from app import worker  # only here, so that nothing else loads the queue's library

    worker.run()
