"""`zjw households import`: what a person at the keyboard sees of a good, a bad and an unreadable file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import households as topic
from app.kernel import db
from tests.grid import places

HEADINGS = "地址,村社代码,经度,纬度,联系电话,同意联系\n"


def line(number: int, village: str = places.VILLAGES[0]) -> str:
    return f"演示路{number}号,{village},{places.WEST + 0.001 * number},{places.SOUTH + 0.004},1380000000{number},同意\n"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"PK\x03\x04 no workbook", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_one_clear_sentence(database_url: str, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "homes.csv"
    file.write_bytes(content)
    result = run(database_url, tmp_path, "import", str(file))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "Error: " in result.stderr


def test_an_unknown_datum_is_refused() -> None:
    assert CliRunner().invoke(topic.command, ["import", __file__, "--datum", "mars"]).exit_code == 2


def run(database_url: str, home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZJW_")}
    environment |= {"DATABASE_URL": database_url, "ZJW_HOME": str(home)}
    command = [sys.executable, "-m", "app", "households", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_a_file_is_tried_taken_and_not_taken_twice(committed: str, database_url: str, tmp_path: Path) -> None:
    async with db.transaction(committed):
        await places.settle()
    file = tmp_path / "homes.csv"
    file.write_text(HEADINGS + line(1) + line(2) + line(3, "330109099099"), encoding="gb18030")
    words = ("import", str(file), "--district", committed, "--json")
    tried, taken, again = (run(database_url, tmp_path, *words, *more) for more in (("--dry-run",), (), ()))
    assert [json.loads(each.stdout)["taken"] for each in (tried, taken, again)] == [2, 2, 0]
    assert [(bad["row"], bad["column"]) for bad in json.loads(taken.stdout)["refused"]] == [(4, "village")]
    assert {each.returncode for each in (tried, taken, again)} == {1}
    plain = run(database_url, tmp_path, "import", str(file), "--district", committed)
    assert "4 village: 没有这个村社 no such village" in plain.stdout
    assert "1380000" not in taken.stdout + taken.stderr + plain.stdout
