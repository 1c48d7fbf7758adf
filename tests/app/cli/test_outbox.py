"""`zjw outbox`: dead letters of all districts, listed and brought back."""

import json
import os
import subprocess
import sys

import pytest

from app.kernel import db, outbox
from tests.app.server.test_operations import buried


@pytest.fixture
def zjw(database_url: str, tmp_path_factory: pytest.TempPathFactory):
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"DATABASE_URL": database_url, "ZJW_HOME": str(tmp_path_factory.mktemp("home"))}
        command = [sys.executable, "-m", "app", "outbox", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


async def test_dead_letters_are_listed_and_replayed(committed: str, zjw) -> None:
    here, there = await buried(committed), await buried("330110")
    listed = json.loads(zjw("dead", "--json").stdout)
    assert {code: [letter["event_id"] for letter in letters] for code, letters in listed.items()} == {
        committed: [str(here)],
        "330110": [str(there)],
    }
    assert f"330110  {there}  TowerBellRung" in zjw("dead").stdout
    one = zjw("replay", str(here), "--json")
    assert (one.returncode, json.loads(one.stdout)) == (0, {committed: [str(here)], "330110": []})
    everything = zjw("replay", "--all", "--district", "330110")
    assert (everything.returncode, everything.stdout) == (0, "1 replayed\n")
    nothing = zjw("replay", "--all")
    assert (nothing.returncode, nothing.stdout) == (1, "0 replayed\n")
    async with db.transaction(committed):
        assert await outbox.lock(here) is not None


def test_one_clear_sentence_says_what_is_wrong(database: str, zjw) -> None:
    for words, sentence in ((("replay",), "Name one event, or --all."), (("dead", "--district", "999999"), "999999")):
        done = zjw(*words)
        assert done.returncode != 0
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
