"""A media folder and the made-up town, for every test of the router that needs the database."""

from pathlib import Path

import pytest
import pytest_asyncio

from media import configuration
from tests.tasks.cases import town


@pytest.fixture
def media(tmp_path: Path) -> None:
    """A media store of the test."""
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


@pytest_asyncio.fixture
async def place(district: str, media: None) -> str:
    """The town, in a transaction that is rolled back. Gives the district's code."""
    await town.build()
    return district


@pytest_asyncio.fixture
async def real_place(committed: str, media: None) -> str:
    """The town, committed; everything is emptied afterwards. Gives the district's code."""
    await town.commit(committed)
    return committed
