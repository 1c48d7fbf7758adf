"""`zjw worker`: background jobs, one or several processes."""

import os
import sys

import click

from app import settings
from app.supervisor import Program, Supervisor


@click.command("worker")
@click.option("--processes", type=click.IntRange(1, 256), help="How many, instead of ZJW_WORKER_PROCESSES.")
def command(processes: int | None) -> None:
    """Run background jobs and listeners until SIGTERM or Ctrl-C; unfinished jobs go back."""
    count = processes or settings.load().worker_processes
    if count > 1:
        Supervisor(programs(count, dict(os.environ), "/dev/stderr"), click.echo).run()
        return
    from app import worker  # only here, so that nothing else loads the queue's library

    worker.run()


def programs(count: int, environment: dict[str, str], log: str) -> list[Program]:
    """The worker processes as programs of a supervisor."""
    command_line = (sys.executable, "-m", "app", "worker", "--processes", "1")
    return [Program(f"worker {number}", command_line, environment, log) for number in range(1, count + 1)]
