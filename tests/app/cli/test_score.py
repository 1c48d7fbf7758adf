"""`zjw score`: a scheme tried on a spreadsheet without a database, scores computed and verified with one."""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from app.cli import score as topic
from app.kernel import db
from scoring.teams import engine
from tests.scoring.teams.making import (
    DATA,
    EXAMPLE,
    OCTOBER,
    START,
    example_facts,
    example_scheme,
    published,
    store_facts,
)


def run(*words: str) -> Result:
    return CliRunner().invoke(topic.command, list(words))


def evaluate(*words: str, scheme: Path = DATA / "scheme.toml", facts: Path = DATA / "facts.csv") -> Result:
    return run("evaluate", "--scheme", str(scheme), "--facts", str(facts), *words)


def test_the_normative_example_is_printed_to_the_letter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = evaluate("--period", "2026-10", "--json")
    assert result.exit_code == 0, result.output
    assert result.output == (DATA / "expected.json").read_text()


def test_without_json_it_is_a_table_of_two_places():
    result = evaluate("--period", "2026-10")
    assert "   1  team-02  89.44  良" in result.output
    assert "CLOSE_ONTIME: 25/25 → 40.00 of 40.00" in result.output


def test_a_watermark_counts_what_was_known_then():
    printed = json.loads(evaluate("--period", "2026-10", "--watermark", "2026-10-15T00:00+08:00", "--json").output)
    known = datetime(2026, 10, 14, 16, tzinfo=UTC)
    evaluation = engine.evaluate(example_facts(), example_scheme(), OCTOBER, watermark=known)
    assert printed == json.loads(msgspec.json.encode(evaluation))
    assert printed != json.loads((DATA / "expected.json").read_text())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--period", "2026-13"), "not a period"),
        (("--period", "2026-Q4"), "the scheme scores a month"),
        (("--period", "2026-10", "--watermark", "2026-10-01"), "with its offset"),
        (("--period", "2026-10", "--watermark", "soon"), "with its offset"),
    ],
)
def test_a_bad_option_is_one_clear_sentence(words: tuple[str, ...], said: str):
    result = evaluate(*words)
    assert result.exit_code == 2
    assert said in result.output


def test_every_bad_field_of_a_scheme_is_listed(tmp_path: Path):
    bad = tmp_path / "bad.toml"
    bad.write_text(EXAMPLE.replace('"grid"', '"fire"').replace('"0.98"', '"high"'), encoding="utf-8")
    result = evaluate("--period", "2026-10", scheme=bad)
    assert result.exit_code == 1
    assert "scheme.force" in result.output
    assert "indicator[0].target" in result.output


def test_every_bad_cell_of_a_spreadsheet_is_listed(tmp_path: Path):
    bad = tmp_path / "bad.csv"
    bad.write_text((DATA / "facts.csv").read_text().replace("f00002,1,", "f00002,x,").replace("f00003,1,", ",1,"))
    result = evaluate("--period", "2026-10", facts=bad)
    assert result.exit_code == 1
    assert "row 5.version" in result.output
    assert "row 6.fact_id" in result.output


def test_what_is_no_text_is_said_so(tmp_path: Path):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"\xff\xfe\x00")
    result = evaluate("--period", "2026-10", facts=bad)
    assert result.exit_code == 1
    assert "is not UTF-8 text" in result.output


async def process(database_url: str, home: Path, *words: str) -> tuple[int, str]:
    """Run the command as a process of its own, on the database of the tests; exit code and all it printed."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app", "score", *words),
        env=os.environ | {"DATABASE_URL": database_url, "ZJW_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await started.communicate()
    return started.returncode or 0, output.decode()


@pytest.fixture
async def prepared(committed: str) -> str:
    """The example published and its facts stored for others to see."""
    async with db.transaction(committed):
        await store_facts([msgspec.structs.replace(f, recorded_at=START) for f in example_facts()])
        await published()
    return committed


async def test_scores_are_computed_and_verified_and_tampering_is_found(prepared: str, database: str, tmp_path: Path):
    code, output = await process(database, tmp_path, "recompute", "--period", "2026-10", "--json")
    assert code == 0, output
    (result,) = json.loads(output)
    assert result["scored"] == 4
    assert await process(database, tmp_path, "verify", "--run", result["run"]) == (0, "sound 一致\n")
    async with db.transaction(prepared):
        await db.execute("update score_line set points = 1 where code = 'REWORK'")
    code, output = await process(database, tmp_path, "verify", "--run", result["run"], "--json")
    assert (code, json.loads(output)["sound"]) == (1, False)


async def test_what_is_not_there_is_one_clear_sentence(prepared: str, database: str, tmp_path: Path):
    nobody = "00000000-0000-0000-0000-000000000001"
    code, output = await process(database, tmp_path, "verify", "--run", nobody)
    assert (code, "No such run" in output, "Traceback" in output) == (1, True, False)
    code, output = await process(database, tmp_path, "recompute", "--period", "2025-10")
    assert (code, "No scheme is in force" in output, "Traceback" in output) == (1, True, False)
