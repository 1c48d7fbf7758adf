"""`zjw grid import`: what a person at the keyboard sees of a good, a bad and an unreadable file."""

import json
from pathlib import Path
from typing import Any

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


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ZJW_HOME", str(tmp_path))
    monkeypatch.delenv("ZJW_TEST_HOME", raising=False)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(topic.command, list(words))

    return invoke


@pytest.mark.parametrize("content", ["", "{", '{"type": "Topology"}', '{"type": "FeatureCollection"}', "\x00\xff"])
def test_a_file_that_is_no_geojson_is_one_clear_sentence(run: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_bytes(content.encode("latin-1"))
    result = run("import", str(path), "--datum", "wgs84", "--dry-run")
    assert result.exit_code == 1
    assert "is not a GeoJSON FeatureCollection" in result.output
    assert "Traceback" not in result.output


def test_the_datum_must_be_declared(run: Any, cells: Path) -> None:
    result = run("import", str(cells), "--dry-run")
    assert result.exit_code == 2
    assert "--datum" in result.output
