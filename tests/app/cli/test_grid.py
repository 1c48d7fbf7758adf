"""`zjw grid import`: what a person at the keyboard sees of a good, a bad and an unreadable file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner, Result
from shapely.geometry import mapping

from app.cli import grid as topic
from tests.grid.places import VILLAGES, square


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    shapes = {"101": square(2.2, 1.2, 0.5, 0.5), "102": square(2.6, 1.2, 0.5, 0.5)}
    features = [
        {"type": "Feature", "properties": {"code": VILLAGES[0] + number}, "geometry": mapping(shape)}
        for number, shape in shapes.items()
    ]
    path = tmp_path / "cells.geojson"
    path.write_text("\ufeff" + json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run(committed: str, database_url: str, tmp_path: Path) -> Run:
    """The command in a process of its own, as a person calls it; what it commits is emptied afterwards."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZJW_")}
    environment |= {"DATABASE_URL": database_url, "ZJW_HOME": str(tmp_path)}

    def call(*words: str) -> "CompletedProcess[str]":
        command = [sys.executable, "-m", "app", "grid", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return call


def refused(*words: str) -> Result:
    """The same in this process, for what ends before a database is asked."""
    return CliRunner().invoke(topic.command, list(words))


@pytest.mark.parametrize("content", ["", "{", '{"type": "Topology"}', '{"type": "FeatureCollection"}', "\x00\xff"])
def test_a_file_that_is_no_geojson_is_one_clear_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_bytes(content.encode("latin-1"))
    result = refused("import", str(path), "--datum", "wgs84", "--dry-run")
    assert result.exit_code == 1
    assert "is not a GeoJSON FeatureCollection" in result.output
    assert "Traceback" not in result.output


def test_a_database_that_is_away_is_one_clear_sentence(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/zjw")
    result = refused("import", str(cells), "--datum", "wgs84", "--dry-run")
    assert "does not answer" in result.output


def test_the_datum_must_be_declared(cells: Path) -> None:
    result = refused("import", str(cells), "--dry-run")
    assert result.exit_code == 2
    assert "--datum" in result.output


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff\xfe", "not a CSV in UTF-8"), (b"a,b\n1,2\n", "lacks the columns")]
)
def test_a_divisions_file_that_cannot_be_read_is_one_clear_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "areas.csv"
    path.write_bytes(content)
    result = refused("areas", str(path))
    assert result.exit_code == 1
    assert says in result.output


def test_files_of_areas_and_cells_are_taken_whole_or_refused_with_reasons(
    run: Run, tmp_path: Path, cells: Path
) -> None:
    areas = tmp_path / "areas.csv"
    areas.write_text(
        "code,parent_code,level,name\n330109,3301,district,萧山区\n330109001,330109,subdistrict,城厢街道\n"
        "330109001001,330109001,village,陈公桥社区\n330109007,330109,subdistrict,河庄街道\n",
        encoding="utf-8",
    )
    first = json.loads(run("areas", str(areas), "--json").stdout)
    assert (first["taken"], [row["code"] for row in first["refused"]]) == (3, ["330109007"])
    assert "refused 已拒绝: 1" in run("areas", str(areas)).stdout
    dry = run("import", str(cells), "--datum", "wgs84", "--dry-run", "--json")
    report = json.loads(dry.stdout)
    assert (dry.returncode, report["accepted"], report["findings"][0]["fault"]) == (1, False, "overlap")
    real = run("import", str(cells), "--datum", "wgs84")
    assert real.returncode == 1
    assert "nothing was changed" in real.stdout
