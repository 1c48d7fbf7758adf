"""The contracts between packages name every module they speak of, and notice when one is broken."""

import configparser
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = {"kernel", "identity"}


def _contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def test_every_module_of_the_top_floor_is_in_the_layers() -> None:
    there = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    layer = _contracts()["importlinter:contract:layers"]["layers"].strip().splitlines()[0]
    named = {word.strip("() ").removeprefix("app.") for word in layer.split(":")}
    assert there - {"__init__"} - BASE <= named


def test_every_package_with_tables_has_a_contract_that_keeps_them_private() -> None:
    contracts = _contracts()
    private = {
        module.strip()
        for section in contracts.sections()
        for module in contracts[section].get("protected_modules", "").splitlines()
    }
    kinds = ("tables.py", "store.py")  # also with a name of their own: keystore.py, round_store.py
    files = [
        path
        for package in ("app", "grid", "visits", "tasks", "scoring", "media")
        for path in ROOT.glob(f"{package}/**/*.py")
    ]
    private_files = [path for path in files if path.name.endswith(kinds) and path.name != "restore.py"]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in private_files}
    assert modules <= private


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("grid/intruder.py", "import visits.rounds", "An import may only go down"),
        ("grid/intruder.py", "import media.exif", "An import may only go down"),
        ("app/kernel/intruder.py", "import app.identity.scope", "An import may only go down"),
        ("visits/intruder.py", "import asyncpg", "A module that is not named for an effect is pure"),
        ("visits/intruder.py", "from visits import store", "A module that is not named for an effect is pure"),
        ("visits/intruder_store.py", "from grid import tables", "Tables and queries of grid are its own"),
        ("visits/intruder_store.py", "import geoalchemy2", "Spatial SQL is written in grid alone"),
        ("visits/intruder_store.py", "import arq", "Only the worker knows the queue's library"),
    ],
)
def test_a_broken_rule_is_noticed(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for name in ("app", "grid", "visits", "tasks", "scoring", "media", "migrations", "tools"):
        for path in ROOT.glob(f"{name}/**/*.py"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (tmp_path / module).write_text(line + "\n")
    command = (ROOT / ".venv/bin/lint-imports", "--no-cache", "--config", ROOT / ".importlinter")
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert f"{contract} BROKEN" in done.stdout
    assert done.returncode == 1
