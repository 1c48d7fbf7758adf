"""The probe table, made for a module and dropped after it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from app.kernel import db
from tests.app.kernel.probe import HERE, NEXT, PROBE
from tests.tools.databases import as_owner


@pytest_asyncio.fixture(scope="module")
async def probes(database: str) -> AsyncIterator[None]:
    """A table of our own in both districts."""
    for district in (HERE, NEXT):
        async with db.transaction(district):
            await as_owner(PROBE)
    yield
    for district in (HERE, NEXT):
        async with db.transaction(district):
            await as_owner("drop table probe")


@pytest.fixture
def probe(probes: None, committed: str) -> str:
    """The table, emptied after the test."""
    return committed
