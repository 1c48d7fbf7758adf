"""Everything at once for one machine: private services where none are given, migrations, demo, server and worker."""

import fcntl
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from app import programs
from app.embedded.postgres import Postgres
from app.embedded.services import locked
from app.embedded.valkey import Valkey
from app.settings import Settings
from app.supervisor import Program
from app.trouble import Trouble

READY_SECONDS = 90.0


class Running(Struct, frozen=True):
    """The supervisor that holds `run/supervisor.lock` of a home."""

    pid: int
    url: str


def start_services(home: Path, environment: dict[str, str]) -> None:
    """Starts the private database and queue of `home`, except those whose address is given in the environment."""
    with locked(home / "services.lock"):
        if not environment.get("DATABASE_URL"):
            Postgres.at(home).start()
        if not environment.get("REDIS_URL"):
            Valkey.at(home).start()


def stop_services(home: Path) -> None:
    """Stops the private database and queue of `home` if they run."""
    if not home.exists():
        return
    with locked(home / "services.lock"):
        Valkey.at(home).stop()
        if (home / "postgres").exists():
            Postgres.at(home).stop()


def processes(given: Settings, listener_fd: int, environment: dict[str, str]) -> list[Program]:
    """Server and worker processes of this machine, logging to `home/log`."""
    logs = given.home / "log"
    logs.mkdir(parents=True, exist_ok=True)
    metrics = given.home / "run" / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment = environment | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    return [
        *programs.server(given.server_processes, listener_fd, environment, str(logs / "server.log")),
        *programs.worker(given.worker_processes, environment, str(logs / "worker.log")),
        *programs.stand_in(given.mini_program_app_id, given.mini_program_url, environment, str(logs / "demo.log")),
    ]


def ready(base_url: str) -> bool:
    """Whether the server answers `/readyz` with 200."""
    try:
        with urllib.request.urlopen(f"{base_url}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until_ready(base_url: str, alive: Callable[[], bool], log: Path) -> None:
    """Returns when `/readyz` answers. Raises Trouble when it does not in time or the supervisor ended."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if ready(base_url):
            return
        if not alive():
            raise Trouble(f"Server and worker ended while starting: {_last_line(log)} (see {log.parent}).")
        time.sleep(0.1)
    raise Trouble(f"{base_url}/readyz is not ready after {READY_SECONDS:.0f} s: see the logs in {log.parent}.")


def detach(given: Settings, listener_fd: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts the supervisor in the background; it outlives this process and the terminal."""
    log = given.home / "log" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.Popen(
            programs.supervisor(listener_fd),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(listener_fd,),
            start_new_session=True,
        )


def hold(home: Path, url: str) -> int:
    """Says that this process supervises `home`, until it ends. Raises Trouble if another one does."""
    handle = os.open(_lock_file(home), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Trouble("Server and worker already run here: stop them with `make stop`.") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)
    return handle


def running(home: Path) -> Running | None:
    """The supervisor of `home`, or None when none runs."""
    path = _lock_file(home)
    if not path.exists():
        return None
    with path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = handle.read()
            return msgspec.json.decode(text, type=Running) if text else None
    return None


def _lock_file(home: Path) -> Path:
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "supervisor.lock"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "nothing was logged"
