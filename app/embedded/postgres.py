"""A private PostgreSQL cluster with PostGIS: one folder, one unix socket, no network port."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

from msgspec import Struct

from app.embedded import places
from app.trouble import Trouble

USER = "zjw"
APPLICATION = "zjw_app"
"""Owner of all tables, and whom server, worker and command line connect as: migrations give it its rights."""
DATABASE = "zjw"
PORT = 5432
"""Only names the socket file: the cluster listens on no network address."""

PROGRAMS = Path("/usr/lib/postgresql")
EXTENSIONS = Path("/usr/share/postgresql")
"""Where Debian keeps the versions of PostgreSQL that are installed, and their extensions."""

INSTALL = "apt-get install postgresql-15-postgis-3"

SETTINGS = {
    # Who may connect: whoever may enter the socket's folder (mode 700); see pg_hba.conf below.
    "listen_addresses": "''",
    "max_connections": "200",
    # A machine of two cores and some GB, shared with the application's processes.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    # Fewer checkpoints while the demo month is loaded.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # A forgotten transaction may not hold locks and bloat for ever.
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
    # Parameters of statements are personal data; they stay out of the log.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
THROWAWAY = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off"}
"""For tests: survives kill -9 of the server (the operating system keeps the pages), not a power cut."""

ANSWER_SECONDS = 120.0
"""Longest wait for a server that starts, with the recovery after a crash."""
ORPHAN_SECONDS = 30.0
"""Longest wait for the processes a killed server left: each ends by itself when what it is doing is done."""
TICK_SECONDS = 0.05

_LINE_PID, _LINE_MEMORY = 0, 6  # of postmaster.pid; source: PostgreSQL 15, src/include/utils/pidfile.h
_SEGMENTS = Path("/proc/sysvipc/shm")  # source: proc_sysvipc(5)
_ENDED = ("Z", "X")  # of /proc/PID/stat: killed, though nobody may have taken note of it yet


def binaries() -> Path:
    """The newest installed PostgreSQL that has PostGIS; Trouble says how to install one."""
    offers = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: -float(path.parent.parent.name))
    for initdb in offers:
        version = initdb.parent.parent.name
        if (EXTENSIONS / version / "extension" / "postgis.control").exists():
            return initdb.parent
    if offers:
        raise Trouble(f"PostgreSQL is installed without PostGIS: run `{INSTALL}`, or set DATABASE_URL to a server.")
    raise Trouble(f"PostgreSQL with PostGIS is not installed: run `{INSTALL}`, or set DATABASE_URL to a server.")


class Postgres(Struct, frozen=True):
    """The cluster of one folder; starting and stopping it twice does nothing the second time."""

    bin: Path
    folder: Path
    socket: Path
    durable: bool

    @classmethod
    def at(cls, home: Path, *, durable: bool = True) -> Self:
        """The cluster below `home` (made on the first start)."""
        folder = places.cluster_folder(home)
        return cls(binaries(), folder, places.socket_folder(folder, f".s.PGSQL.{PORT}"), durable)

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log; it holds no parameters of statements."""
        return self.folder / "postgres.log"

    def url(self, database: str = DATABASE, user: str = USER) -> str:
        """Address for asyncpg and libpq alike."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket), safe='/')}&port={PORT}"

    def running(self) -> bool:
        """Whether the cluster's server process is up; one that was killed and not yet buried by its parent is not."""
        pid = self._noted(_LINE_PID)[:1]
        try:
            name, _, rest = Path("/proc", *pid, "stat").read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            return False
        return bool(pid) and name == "postgres" and rest[0] not in _ENDED

    def start(self) -> None:
        """Makes the cluster if there is none, starts it, waits until it answers, with the recovery after a crash.

        Raises Trouble: with the log's tail when it does not start, or when the processes of a killed one do not end.
        """
        if not self.data.exists():
            self._create()
        end = time.monotonic() + ANSWER_SECONDS
        while not self._answers():
            if time.monotonic() > end:
                raise self._not_started()
            if not self.running():  # not yet, or no more: it may be killed while we wait for it
                self._launch()
            time.sleep(TICK_SECONDS)
        try:
            if not self._query("postgres", f"select 1 from pg_database where datname = '{DATABASE}'"):
                self._query("postgres", f"create database {DATABASE}")
            if not self._query("postgres", f"select 1 from pg_roles where rolname = '{APPLICATION}'"):
                self._query("postgres", f"create role {APPLICATION} login")
        except subprocess.CalledProcessError as refused:
            raise Trouble(
                f"The private database does not take orders: {_last(refused.stderr)}; see {self.log}."
            ) from None

    def stop(self, *, immediate: bool = False) -> None:
        """Stops the cluster; open transactions are rolled back. `immediate` skips the clean shutdown."""
        if self.running():
            mode = "immediate" if immediate else "fast"
            self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", "120", "-s")

    def remove(self) -> None:
        """Stops the cluster and deletes its files for good."""
        if self.folder.exists():
            self.stop(immediate=True)
            self._bury()
        for folder in (self.folder, self.socket):
            shutil.rmtree(folder, ignore_errors=True)

    def _launch(self) -> None:
        self._bury()
        places.make_private(self.socket)
        self._configure()
        try:
            self._run("pg_ctl", "start", "-D", self.data, "-l", self.log, "-w", "-t", f"{ANSWER_SECONDS:.0f}", "-s")
        except subprocess.CalledProcessError:
            raise self._not_started() from None

    def _bury(self) -> None:
        """Waits until the processes of a killed server are gone, then removes its lock files.

        PostgreSQL would take the same segment for the sign that they are not, and stop at once; and it would take a
        killed server that its parent has not buried, or a stranger of the same number, for a running one.
        """
        end = time.monotonic() + ORPHAN_SECONDS
        while self._attached():
            if time.monotonic() > end:
                raise Trouble(
                    "The private database was killed, but some of its processes are still at work:"
                    f" end them (`ps -C postgres` shows them) and start again; its data is in {self.data}."
                )
            time.sleep(TICK_SECONDS)
        for path in (self.data / "postmaster.pid", self.socket / f".s.PGSQL.{PORT}.lock"):
            path.unlink(missing_ok=True)

    def _attached(self) -> bool:
        """Whether a process of the cluster still has the shared memory that postmaster.pid names."""
        segment = self._noted(_LINE_MEMORY)[1:2]
        rows = [line.split() for line in _SEGMENTS.read_text().splitlines()[1:]]
        return any([shmid] == segment and attached != "0" for _, shmid, _, _, _, _, attached, *_ in rows)

    def _noted(self, line: int) -> list[str]:
        """The words of a line of postmaster.pid; none when there is no such line."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[line].split()
        except (FileNotFoundError, IndexError):
            return []

    def _answers(self) -> bool:
        return (
            self._run(
                "pg_isready", "-q", "-h", self.socket, "-p", PORT, "-U", USER, "-d", "postgres", check=False
            ).returncode
            == 0
        )

    def _not_started(self) -> Trouble:
        return Trouble(f"The private database did not start; its log {self.log} ends: {self._tail()}")

    def _create(self) -> None:
        places.make_private(self.folder)
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-collate=C", f"--username={USER}")
        # Made beside and moved into place, so that a start broken off half-way leaves nothing that looks finished.
        half = self.folder / "data.new"
        shutil.rmtree(half, ignore_errors=True)
        try:
            self._run("initdb", "-D", half, *options, "--no-instructions", *(() if self.durable else ("--no-sync",)))
        except subprocess.CalledProcessError as broken:
            raise Trouble(f"initdb could not make a cluster in {self.folder}: {_last(broken.stderr)}") from None
        half.rename(self.data)

    def _configure(self) -> None:
        settings = {
            **SETTINGS,
            **(DURABLE if self.durable else THROWAWAY),
            "port": str(PORT),
            "unix_socket_directories": f"'{self.socket}'",
        }
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        # postgresql.auto.conf is read last, so what stands here wins.
        (self.data / "postgresql.auto.conf").write_text(text)
        (self.data / "pg_hba.conf").write_text("local all all trust\n")

    def _query(self, database: str, statement: str) -> str:
        options = ("-X", "-A", "-t", "-q", "-h", self.socket, "-p", PORT, "-U", USER, "-d", database)
        return self._run("psql", *options, "-c", statement).stdout.strip()

    def _run(self, tool: str, *words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = places.as_server_user([self.bin / tool, *map(str, words)])
        # The server inherits open files: /dev/null and not a pipe, or reading to the end would wait for ever.
        quiet = tool == "pg_ctl"
        return subprocess.run(
            command,
            cwd="/",
            env={**_neutral_environment(), "PGCONNECT_TIMEOUT": "10"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
            text=True,
            check=check,
        )

    def _tail(self) -> str:
        return _last(self.log.read_text(errors="replace")) if self.log.exists() else "(no log)"


def _last(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines()
    return lines[-1] if lines else "(nothing)"


def _neutral_environment() -> dict[str, str]:
    """Without the caller's PG… variables, which would point the tools at another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
