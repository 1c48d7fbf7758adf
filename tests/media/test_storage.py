"""What is kept lies under its digest, whole, whoever else keeps it at the same moment."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from media import storage

CONTENT = b"evidence" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = storage.partial(tmp_path, "330109", "upload")
    storage.begin(path)
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_kept_by_its_digest_and_the_upload_stays_until_the_commit(tmp_path: Path, source: Path) -> None:
    kept = storage.keep(tmp_path, "330109", source, DIGEST)
    assert kept == storage.where(tmp_path, "330109", DIGEST)
    assert kept.read_bytes() == source.read_bytes() == CONTENT
    assert storage.digest(kept) == DIGEST
    assert storage.keep(tmp_path, "330109", source, DIGEST) == kept


def test_a_store_without_hard_links_keeps_files_too(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)  # as FAT and some network mounts do
    kept = storage.keep(tmp_path, "330109", source, DIGEST)
    assert kept.read_bytes() == CONTENT
    assert len(list(kept.parent.iterdir())) == 1


def test_many_can_keep_the_same_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(lambda _: storage.put(tmp_path, "330109", CONTENT), range(40)))
    assert kept == {DIGEST}
    path = storage.where(tmp_path, "330109", DIGEST)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_districts_keep_apart(tmp_path: Path, source: Path) -> None:
    storage.keep(tmp_path, "330109", source, DIGEST)
    assert not storage.where(tmp_path, "330110", DIGEST).exists()
