"""A deployment that was destroyed comes back from its backup, and phones notice by the epoch."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app import backup
from app.embedded.services import Services
from app.kernel import clock
from app.trouble import Trouble
from media import storage
from tests.tools import databases


def _quiet(what: str, done: int, of: int) -> None:
    del what, done, of


@pytest.fixture
def own(services: Services) -> Iterator[str]:
    """A database of this test alone, which it may destroy."""
    with databases.clone(services, ("330109", "330110"), "_own") as url:
        yield url


async def _rows(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


async def test_destroyed_and_restored(own: str, tmp_path: Path) -> None:
    store = tmp_path / "media"
    digest = storage.put(store, "330109", b"evidence")
    await _rows(own, "insert into d330109.feed_head values (1, '00000000-0000-0000-0000-000000000001', 7)")
    await _rows(own, "insert into d330109.citizen (id, openid_hash, created_at)"
                " values ('00000000-0000-0000-0000-000000000002', 'x', now())")  # fmt: skip

    backup.make(tmp_path / "saved", own, store, clock.now(), _quiet)
    await _rows(own, "drop schema d330109 cascade")
    shutil.rmtree(store)
    await backup.restore(tmp_path / "saved", own, store, clock.now(), _quiet)

    assert storage.where(store, "330109", digest).read_bytes() == b"evidence"
    assert [row["openid_hash"] for row in await _rows(own, "select openid_hash from d330109.citizen")] == ["x"]
    head = (await _rows(own, "select epoch, position from d330109.feed_head"))[0]
    assert head["position"] == 7
    assert str(head["epoch"]) != "00000000-0000-0000-0000-000000000001"


async def test_a_damaged_backup_changes_nothing(own: str, tmp_path: Path) -> None:
    store = tmp_path / "media"
    store.mkdir()
    backup.make(tmp_path / "saved", own, store, clock.now(), _quiet)
    with (tmp_path / "saved" / backup.DUMP).open("ab") as dump:
        dump.write(b"x")
    with pytest.raises(Trouble, match="was changed"):
        await backup.restore(tmp_path / "saved", own, store, clock.now(), _quiet)
    assert len(await _rows(own, "select code from public.district")) == 2


async def test_an_unfinished_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="no whole backup"):
        backup.read(tmp_path)


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with pytest.raises(Trouble, match="not empty"):
        backup.make(tmp_path, "postgresql://nowhere/none", tmp_path, clock.now(), _quiet)
