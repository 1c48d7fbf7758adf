"""`zjw photo` ends with exit code 0 and a verdict or a stated refusal for any bytes whatever."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cli.photo import command

FOLDER = Path(__file__).parent.parent.parent / "data" / "photos"
FIELDS = {"type", "width", "height", "taken_at", "lon", "lat", "orientation", "phash", "verdict", "reasons"}
ITALY = FOLDER / "jpg__gps__DSCN0010.jpg"


def rows() -> list[dict[str, str]]:
    with (FOLDER / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def look(file: Path, *args: str) -> dict[str, Any]:
    done = CliRunner().invoke(command, [str(file), *args, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["file"])
def test_every_photo_ends_in_its_verdict(row: dict[str, str]) -> None:
    found = look(FOLDER / row["file"])
    assert set(found) >= FIELDS
    assert found["verdict"] == row["verdict"]
    assert (found["verdict"] == "ok") or found["reasons"]
    assert f"{found['width']}x{found['height']}" == row["pixels"]
    if row["has_gps"] != "yes" or row["verdict"] == "refused":
        return
    assert (found["lon"], found["lat"]) == pytest.approx((float(row["lon"]), float(row["lat"])), abs=1e-5)


@pytest.mark.parametrize(("args", "verdict"), [
    (["--at", "11.8851,43.4675"], "ok"),
    (["--at", "120.27,30.17"], "contradicted"),
    (["--at", "11.8851,43.4675", "--captured-at", "2008-10-22T16:30:00+08:00"], "ok"),
    (["--captured-at", "2008-10-22T16:30:00"], "ok"),
    (["--captured-at", "2026-11-20T12:00:00Z"], "contradicted"),
])  # fmt: skip
def test_a_photo_is_compared_with_what_is_said_of_it(args: list[str], verdict: str) -> None:
    assert look(ITALY, *args)["verdict"] == verdict


@pytest.mark.parametrize("args", [["--at", "somewhere"], ["--at", "999,30"], ["--captured-at", "noon"]])
def test_what_is_said_must_be_readable(args: list[str]) -> None:
    done = CliRunner().invoke(command, [str(ITALY), *args])
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_people_get_words() -> None:
    done = CliRunner().invoke(command, [str(ITALY), "--at", "120.27,30.17"])
    assert done.exit_code == 0
    assert "contradicted" in done.output
    assert "超过 200 米" in done.output


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP", b"\0\0\0\x18ftypheic"]),
    rest=st.binary(max_size=400),
)
def test_any_bytes_end_in_a_verdict_or_a_refusal(head: bytes, rest: bytes, tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.write_bytes(head + rest)
    found = look(file)
    assert found["verdict"] == "refused"
    assert found["reasons"]
