"""What is read ahead when a process of the server starts, and that nothing waits for it."""

import asyncio
import logging
from datetime import datetime

import pytest

from app import wiring
from app.kernel import db
from app.warming import warming
from tasks.cases import difficult, difficult_commands
from tests.tasks.cases.stage import NOW


async def test_library_and_words_are_read_before_the_first_search(committed: str) -> None:
    async with db.transaction(committed):
        await difficult_commands.load(difficult.shipped()[:5], NOW)
    read: dict[str, object] = {}
    done = asyncio.Event()

    async def last(district: str, _: datetime) -> None:
        read[district] = await difficult_commands.ready(district, NOW)
        done.set()

    async with warming({**wiring.AHEAD, "last": last}, lambda: NOW):
        await asyncio.wait_for(done.wait(), 10)
    assert read[committed] == 5


async def test_what_cannot_be_read_ahead_is_told_and_keeps_nothing_else(
    committed: str, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()

    async def broken(_: str, __: datetime) -> None:
        raise RuntimeError("quoted words")

    async def other(_: str, __: datetime) -> None:
        done.set()

    with caplog.at_level(logging.WARNING, "zjw.warming"):
        async with warming({"broken": broken, "other": other}, lambda: NOW):
            await asyncio.wait_for(done.wait(), 10)
    assert "broken of" in caplog.text
    assert "quoted words" not in caplog.text


async def test_a_server_that_stops_at_once_waits_for_nothing() -> None:
    async def endless(_: str, __: datetime) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5), warming({"endless": endless}, lambda: NOW):
        await asyncio.sleep(0)
