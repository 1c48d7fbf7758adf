"""The set-up script, in a folder of its own, with only the programs a test gives it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PLAIN = ("sh", "id", "cat", "ls", "dirname", "sha256sum", "cut", "mkdir", "tee", "env", "rm")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the script, and a `bin` with plain programs only."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.sh", tmp_path / "tools")
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    for program in PLAIN:
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    return tmp_path


def _program(checkout: Path, name: str, text: str) -> None:
    path = checkout / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _bootstrap(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = (checkout / "tools" / "bootstrap.sh",)
    environment = {"PATH": str(checkout / "bin"), "CI": "true"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_on_another_system_it_names_what_is_missing(checkout: Path) -> None:
    done = _bootstrap(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: this is not Debian: install what `python3.11 python3.11-venv")


def test_it_says_what_it_installs_and_why_before_it_does(checkout: Path) -> None:
    _program(checkout, "id", "echo 0")
    _program(checkout, "apt-get", 'echo "apt-get $*"; exit 1')
    for name in ("tee", "mkdir", "rm"):
        _program(checkout, name, "cat >/dev/null" if name == "tee" else "exit 0")
    done = _bootstrap(checkout)
    lines = done.stdout.splitlines()
    assert lines[0] == "These Debian packages are missing and will be installed with apt-get:"
    assert "  python3.11 - the language this is written in" in lines
    assert lines.index("apt-get update -q") > lines.index("  python3.11 - the language this is written in")
    assert (
        done.stderr
        == "Error: apt-get update failed: check the network and /etc/apt/sources.list, then run this again.\n"
    )


def test_without_root_and_sudo_it_says_what_to_run_as_root(checkout: Path) -> None:
    _program(checkout, "id", "echo 1000")
    _program(checkout, "apt-get", "exit 1")
    done = _bootstrap(checkout)
    assert done.returncode == 1
    assert "Error: installing python3.11 python3.11-venv" in done.stderr
    assert "needs root: run `apt-get install" in done.stderr


def test_a_second_run_with_the_same_lock_does_nothing(checkout: Path) -> None:
    _program(checkout, "python3.11", 'case "$*" in *import*) exit 0 ;; *) echo "python $*" ;; esac')
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(checkout / "bin" / "python3.11")
    _program(checkout, "../.venv/bin/zjw", "exit 0")
    first, second = _bootstrap(checkout), _bootstrap(checkout)
    assert "--require-hashes -r requirements.lock" in first.stdout
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    (checkout / "requirements.lock").write_text("changed\n")
    assert "--require-hashes -r requirements.lock" in _bootstrap(checkout).stdout
