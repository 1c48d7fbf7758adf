"""Passwords are hashed at the least cost here: what is tested is not how long argon2 takes."""

import pytest
from argon2 import PasswordHasher

from app.identity import commands


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
