"""Partitions of the days the tests play in, made once for the process: 62 of them a test would be most of its time."""

from pathlib import Path

import pytest
import pytest_asyncio

from app.kernel import db
from tasks.sensing import commands
from tests.tasks.sensing.underpass import DISTRICT, NOON

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the partitions to the tests here that use the database; the pure ones need no server."""
    for item in items:
        if isinstance(item, pytest.Function) and item.path.is_relative_to(HERE) and "database" in item.fixturenames:
            item.fixturenames.insert(0, "partitions")


@pytest_asyncio.fixture(scope="session")
async def partitions(database: str) -> None:
    """Make the partitions, and forget that they are open: each test opens its days itself."""
    async with db.transaction(DISTRICT):
        await commands.open_days(DISTRICT, NOON)
        await db.execute("delete from reading_day")
