"""One command starts everything, says where it is, and stops it; trouble ends in one sentence."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from app.running import Running, running
from tests.tools import databases

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def environment(tmp_path: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """A home of its own on the test database."""
    own = {
        "ZJW_HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "ZJW_PORT": str(_free_port()),
        "ZJW_SERVER_PROCESSES": "1",
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("ZJW_")} | own


def _zjw(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "app", *words)
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_everything_starts_detached_answers_and_stops(environment: dict[str, str], tmp_path: Path) -> None:
    port = _free_port()
    environment["DATABASE_OWNER_URL"] = databases.owning(environment["DATABASE_URL"])
    started = _zjw(environment, "run", "--detach", "--port", str(port))
    try:
        assert started.returncode == 0, started.stderr
        assert f"runs at http://127.0.0.1:{port}" in started.stdout
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            assert json.load(answer)["status"] == "ok"
        assert isinstance(running(tmp_path), Running)
        again = _zjw(environment, "run", "--detach", "--port", str(port))
        assert again.returncode == 0
        assert "already run" in again.stdout
        status = _zjw(environment, "status")
        assert status.returncode == 0
        assert "ready: yes" in status.stdout
    finally:
        stopped = _zjw(environment, "stop")
    assert stopped.returncode == 0
    assert running(tmp_path) is None
    assert _zjw(environment, "status").returncode == 1
    # Servers that were given from outside are not ours to make or stop.
    assert not (tmp_path / "postgres").exists()
    assert not (tmp_path / "valkey").exists()


@pytest.mark.parametrize(
    ("changes", "words", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://a@127.0.0.1:9/x"}, ("migrate",), "does not answer (Connect call failed"),
        ({"DATABASE_URL": "postgresql://a@127.0.0.1:9/x"}, ("serve",), "does not answer (Connect call failed"),
        ({"DATABASE_URL": "postgresql://a@127.0.0.1:9/x"}, ("worker",), "does not answer (Connect call failed"),
        (
            {"DATABASE_URL": "postgresql://a@127.0.0.1:9/x"},
            ("run",),
            "does not answer (Connect call failed",
        ),
        ({"DATABASE_URL": "postgresql://a@127.0.0.1:9/x"}, ("demo", "load"), "does not answer (Connect call failed"),
        ({"DATABASE_URL": ""}, ("migrate",), "DATABASE_URL is not set and there is no private database"),
        ({"ZJW_PORT": "x"}, ("serve",), "ZJW_PORT has a bad value"),
        ({}, ("district", "add", "33", "--name", "x"), "“33” is no district code"),
    ],
)
def test_trouble_ends_in_one_sentence(
    environment: dict[str, str], changes: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    done = _zjw(environment | changes, *words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("run", "--detach"), ("serve",)])
def test_an_occupied_port_ends_in_one_sentence(environment: dict[str, str], words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = _zjw(environment, *words, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Port {port} is in use by another program: stop that program, or choose")
    assert len(done.stderr.strip().splitlines()) == 1


def test_doctor_warns_of_an_application_that_could_change_records(environment: dict[str, str]) -> None:
    assert "✓ role        zjw_app owns nothing" in _zjw(environment, "doctor").stdout
    as_owner = environment | {"DATABASE_URL": databases.owning(environment["DATABASE_URL"])}
    done = _zjw(as_owner, "doctor")
    assert "! role        zjw is a superuser" in done.stdout
    assert "DATABASE_OWNER_URL" in done.stdout


def test_doctor_finds_everything_well(environment: dict[str, str]) -> None:
    done = _zjw(environment, "doctor")
    assert done.returncode == 0, done.stdout
    for part in ("database", "postgis", "clock", "migrations", "queue", "storage", "holidays", "keys", "disk"):
        assert f"✓ {part}" in done.stdout or f"! {part}" in done.stdout


def test_doctor_says_of_every_ill_part_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ill = {
        "DATABASE_URL": "postgresql://a@127.0.0.1:9/x",
        "REDIS_URL": "redis://127.0.0.1:9",
        "MEDIA_URL": (tmp_path / "file").as_uri(),
    }
    done = _zjw(environment | ill, "doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    for part in ("database", "migrations", "queue", "storage"):
        place = next(number for number, line in enumerate(lines) if line.startswith(f"✗ {part}"))
        assert lines[place + 1].startswith("    → ")
