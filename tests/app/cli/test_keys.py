"""`zjw keys`: a new key, everything sealed under it, the old one dropped only when nothing needs it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import secret_keys
from app.identity import cipher
from app.identity import commands as identity
from app.kernel import clock, db
from tests.tools import people

Zjw = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def zjw(database_url: str, home: Path) -> Zjw:
    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"DATABASE_URL": database_url, "ZJW_HOME": str(home)} | more
        command = [sys.executable, "-m", "app", "keys", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


async def test_a_key_is_changed_from_the_command_line(committed: str, zjw: Zjw, home: Path) -> None:
    first = secret_keys.load_or_make(home).cipher[0]
    name, _, text = first.partition(":")
    cipher.configure(name, {name: base64.b64decode(text)})
    try:
        await identity.create_key(committed, "12315", [], clock.now())
    finally:
        cipher.configure("test", {"test": people.CIPHER_KEY})
    assert zjw("add").stdout.startswith("k2: restart")
    refused = zjw("drop", "k1")
    assert refused.returncode != 0
    assert "1 rows are not sealed under the present key: run `zjw keys rotate` first." in refused.stderr
    done = json.loads(zjw("rotate", "--json").stdout)
    assert done[committed]["identity"] == 1
    assert done["330110"]["identity"] == 0
    assert zjw("drop", "k2").returncode != 0
    assert zjw("drop", "k1").returncode == 0
    assert [key.partition(":")[0] for key in secret_keys.load_or_make(home).cipher] == ["k2"]
    async with db.transaction(committed):
        assert (await db.fetchval("select secret from api_key")).startswith("aes256gcm.k2.")
    assert zjw("rotate").returncode == 0


def test_keys_given_by_the_environment_are_changed_there(zjw: Zjw) -> None:
    given = "a:" + "A" * 43 + "="
    refused = zjw("add", ZJW_CIPHER_KEYS=given)
    assert refused.returncode != 0
    assert "The keys are in ZJW_CIPHER_KEYS: change them there" in refused.stderr
