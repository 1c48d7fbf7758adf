"""Only a folder can be the store, and settings become limits in bytes."""

from pathlib import Path

import pytest

from media import configuration


@pytest.mark.parametrize("url", ["s3://bucket", "/plain/path", "file://elsewhere/folder", "http://x", "file:"])
def test_a_store_that_is_not_offered_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="media store"):
        configuration.configure(url, bytes(32))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        configuration.configure("file:///srv/media", b"short")


def test_a_folder_may_have_spaces_in_its_name(root: Path) -> None:
    configuration.configure("file:///srv/my%20media", bytes(32))
    assert configuration.chosen().root == Path("/srv/my media")


def test_settings_become_limits() -> None:
    limits = configuration.limits_of(30, 50, 200, 2048)
    assert limits == configuration.Limits()
    assert limits.bytes_of("image/heic") == 30 * 1024 * 1024
    assert limits.bytes_of("video/mp4") == limits.bytes_of(None) == 200 * 1024 * 1024
