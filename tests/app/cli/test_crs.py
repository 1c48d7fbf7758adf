"""`zjw crs` converts between any two datums and says what is no point."""

import json

import pytest
from click.testing import CliRunner

from app.cli.crs import command
from app.kernel.crs import Datum, convert


@pytest.mark.parametrize("flags", [[], ["--json"]])
@pytest.mark.parametrize("source", Datum)
@pytest.mark.parametrize("target", Datum)
def test_any_pair_of_datums_converts(source: Datum, target: Datum, flags: list[str]) -> None:
    done = CliRunner().invoke(command, ["--from", source.value, "--to", target.value, "120.27", "30.17", *flags])
    assert done.exit_code == 0
    found = json.loads(done.output)
    assert (found["lon"], found["lat"]) == pytest.approx(convert(120.27, 30.17, source, target), abs=1e-8)


def test_a_point_in_the_west_is_not_taken_for_an_option() -> None:
    done = CliRunner().invoke(command, ["--from", "gcj02", "--to", "wgs84", "-73.97", "-40.5", "--json"])
    assert json.loads(done.output) == {"lon": -73.97, "lat": -40.5}


@pytest.mark.parametrize("args", [["200", "30"], ["120", "nan"], ["120", "x"], ["120"], ["--from", "itrf", "1", "2"]])
def test_what_is_no_point_is_refused_in_words(args: list[str]) -> None:
    done = CliRunner().invoke(command, ["--from", "gcj02", "--to", "wgs84", *args])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
