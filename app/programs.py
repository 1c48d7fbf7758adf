"""The command lines of the processes that make up the platform, for a supervisor."""

import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.supervisor import Program


def server(count: int, fd: int, environment: Mapping[str, str], log: str) -> list[Program]:
    """Server processes that accept from the same open listening socket `fd`."""
    command_line = (sys.executable, "-m", "app", "serve", "--fd", str(fd))
    return [Program(f"server {number}", command_line, dict(environment), log, (fd,)) for number in range(1, count + 1)]


def worker(count: int, environment: Mapping[str, str], log: str) -> list[Program]:
    """Worker processes."""
    command_line = (sys.executable, "-m", "app", "worker", "--processes", "1")
    return [Program(f"worker {number}", command_line, dict(environment), log) for number in range(1, count + 1)]


DEMO_APP = "demo"
"""App id of the mini-program in the demo: this machine stands in for its platform."""


def stand_in(app_id: str, url: str, environment: Mapping[str, str], log: str) -> list[Program]:
    """The demo's stand-in of the mini-program platform; nothing for a real app id."""
    if app_id != DEMO_APP:
        return []
    command_line = (sys.executable, "-m", "app", "demo", "mini-program", "--port", str(urlsplit(url).port))
    return [Program("mini-program stand-in", command_line, dict(environment), log)]


def supervisor(fd: int) -> tuple[str, ...]:
    """The supervisor of all processes of this machine, in the background."""
    return (sys.executable, "-m", "app", "run", "--supervise", str(fd))
