"""The supervisor keeps programs running, says when one dies, and leaves none behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.supervisor import Program, Supervisor
from app.trouble import Trouble

SLEEPER = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"


def _program(tmp_path: Path, code: str) -> Program:
    return Program("worker 1", (sys.executable, "-c", code), dict(os.environ), str(tmp_path / "log"))


def _pids(tmp_path: Path) -> list[int]:
    log = tmp_path / "log"
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _run(tmp_path: Path, code: str, look: Callable[[], bool]) -> list[str]:
    """Supervises until `look` is true, then asks to stop as `kill` would. Gives what was said."""
    said: list[str] = []

    def tick() -> None:
        if look():
            os.kill(os.getpid(), signal.SIGTERM)

    assert threading.current_thread() is threading.main_thread()
    Supervisor([_program(tmp_path, code)], said.append).run(tick)
    return said


def test_a_signal_stops_the_programs(tmp_path: Path) -> None:
    assert _run(tmp_path, SLEEPER, lambda: len(_pids(tmp_path)) == 1) == []
    assert not _alive(_pids(tmp_path)[0])


def test_a_killed_program_is_reported_and_started_again(tmp_path: Path) -> None:
    killed: set[int] = set()

    def look() -> bool:
        pids = _pids(tmp_path)
        if pids and not killed:
            os.kill(pids[0], signal.SIGKILL)
            killed.add(pids[0])
        return len(pids) == 2

    said = _run(tmp_path, SLEEPER, look)
    assert len(said) == 1
    assert said[0].startswith("The worker 1 ended (killed by SIGKILL); it is started again in")
    assert not any(map(_alive, _pids(tmp_path)))


def test_a_program_that_never_starts_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.supervisor.LONGEST_PAUSE", 0.01)
    with pytest.raises(
        Trouble, match=r"The worker 1 does not start \(exit code 3, 5 times\): “out of paper”. Mend that; .*log"
    ):
        _run(tmp_path, "print('out of paper', flush=True); raise SystemExit(3)", lambda: False)


def test_programs_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    code = (
        "import sys; from app.supervisor import *; import os;"
        f"Supervisor([Program('x', (sys.executable, '-c', {SLEEPER!r}), dict(os.environ), {str(tmp_path / 'log')!r})],"
        " print).run()"
    )
    supervisor = subprocess.Popen((sys.executable, "-c", code))
    while not _pids(tmp_path):
        time.sleep(0.02)
    supervisor.kill()
    supervisor.wait()
    end = time.monotonic() + 10
    while _alive(_pids(tmp_path)[0]) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _alive(_pids(tmp_path)[0])
