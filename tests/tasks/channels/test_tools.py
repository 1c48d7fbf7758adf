"""`zjw cases import`: run as a program, killed in the middle, run again."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from app.kernel import db
from tests.tasks.cases import town

ROWS = 1_500


async def started(database_url: str, home: Path, *words: str) -> asyncio.subprocess.Process:
    environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": "redis://nowhere", "ZJW_HOME": str(home)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "cases", "import", *words, env=environment, stdout=asyncio.subprocess.PIPE
    )


async def finished(program: asyncio.subprocess.Process) -> tuple[int, dict[str, Any]]:
    out, _ = await program.communicate()
    return program.returncode or 0, json.loads(out) if out else {}


async def cases(district: str) -> int:
    async with db.transaction(district):
        return await db.fetchval("select count(*) from cases")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = ["编号,事项,描述,经度,纬度", *(f"PL-{n},H305,路灯不亮（演示 {n}）,120.2651,30.1852" for n in range(ROWS))]
    path = tmp_path / "cases.csv"
    path.write_text("\n".join([*lines, "PL-X,NOPE,坏行,120.2651,30.1852"]), encoding="utf-8")
    return path


async def test_an_import_killed_in_the_middle_and_run_again_loses_and_doubles_nothing(
    committed: str, database_url: str, tmp_path: Path, file: Path
) -> None:
    await town.commit(committed)
    code, told = await finished(await started(database_url, tmp_path, str(file), "--dry-run", "--json"))
    assert (code, await cases(committed)) == (1, 0)
    assert [(each["row"], each["column"]) for each in told["faults"]] == [(ROWS + 2, "事项")]
    program = await started(database_url, tmp_path, str(file), "--json")
    while not await cases(committed):
        await asyncio.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    await program.wait()
    assert 0 < await cases(committed) < ROWS
    code, told = await finished(await started(database_url, tmp_path, str(file), "--json"))
    result = told["result"]
    assert (code, result["stored"] + result["unchanged"], result["refused"]) == (1, ROWS, 1)
    assert await cases(committed) == ROWS
