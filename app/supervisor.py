"""Keeps server and worker processes running: says when one dies, starts it again, stops all of them cleanly."""

import ctypes
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from msgspec import Struct

from app.trouble import Trouble

STOP_SECONDS = 45.0
"""Longer than the server's own graceful stop (30 s); after it a process is killed."""

YOUNG_SECONDS = 10.0
"""A process that ends younger than this did not start properly."""

MOST_FALSE_STARTS = 5
LONGEST_PAUSE = 10.0
TICK_SECONDS = 0.1

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)
_libc = ctypes.CDLL(None)


class Program(Struct, frozen=True):
    """One process to keep running. `log` receives its output; `files` are open file numbers it inherits."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: str
    files: tuple[int, ...] = ()


class _Child(Struct):
    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    again_at: float = 0.0
    false_starts: int = 0


class Supervisor:
    """Runs the programs until a signal (SIGTERM, SIGINT) asks to stop.

    `say` tells a person what happened. Raises Trouble when a program cannot be kept running.
    """

    def __init__(self, programs: Sequence[Program], say: Callable[[str], None]) -> None:
        self._children = [_Child(program) for program in programs]
        self._say = say
        self._stopping = False

    def run(self, on_tick: Callable[[], None] | None = None) -> None:
        """Returns when all programs have ended after a signal; calls `on_tick` about ten times a second."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._stopping:
                for child in self._children:
                    self._look_after(child)
                if on_tick is not None:
                    on_tick()
                time.sleep(TICK_SECONDS)
        finally:
            self._stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.again_at:
                self._start(child, now)
            return
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        young = now - child.started < YOUNG_SECONDS
        child.false_starts = child.false_starts + 1 if young else 0
        name, log = child.program.name, child.program.log
        if child.false_starts >= MOST_FALSE_STARTS:
            times = f"{_ending(code)}, {child.false_starts} times"
            raise Trouble(f"The {name} does not start ({times}): “{_last_words(log)}”. Mend that; its log is {log}.")
        pause = min(LONGEST_PAUSE, 0.5 * 2**child.false_starts)
        child.again_at = now + pause
        self._say(f"The {name} ended ({_ending(code)}); it is started again in {pause:.1f} s. Its log: {log}")

    def _start(self, child: _Child, now: float) -> None:
        program = child.program
        with open(program.log, "ab") as log:
            child.process = subprocess.Popen(
                program.command,
                env=program.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=program.files,
                # Its own session: Ctrl-C reaches us alone, and we stop the programs in order.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        child.started = now

    def _stop(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"Process {process.pid} did not stop within {STOP_SECONDS:.0f} s and is killed.")
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    """In the new process: be told to stop when the supervisor is gone, even by kill -9."""
    _libc.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _last_words(log: str) -> str:
    path = Path(log)
    lines = path.read_text(errors="replace").strip().splitlines() if path.is_file() else []
    return lines[-1] if lines else "nothing was logged"


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
