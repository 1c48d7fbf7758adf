"""A media folder for every test of visits: evidence is declared with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from media import configuration


@pytest.fixture(autouse=True)
def media_folder(tmp_path: Path) -> Iterator[None]:
    """The store's folder, and the next test's is another."""
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    yield
    configuration.configure((tmp_path / "gone").as_uri(), bytes(32))
