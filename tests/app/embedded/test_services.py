"""Private servers: started once, reached by socket alone, kept apart, and gone without a trace."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from app.embedded import places, postgres
from app.embedded.services import Services, remove
from app.trouble import Trouble


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of its own, removed with all that runs in it."""
    folder = tmp_path_factory.mktemp("home")
    yield folder
    remove(folder)


async def _ask(services: Services, sql: str) -> object:
    connection = await asyncpg.connect(services.postgres.url())
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def _command_lines() -> str:
    """What runs on this machine."""
    lines: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            lines.append(path.read_text(errors="replace"))
    return "\n".join(lines)


def _wait_until_gone(services: Services) -> None:
    while services.postgres.running():
        time.sleep(0.01)


async def test_both_answer_after_the_start_and_keep_their_data_over_a_stop(home: Path) -> None:
    services = Services.at(home)
    services.start()
    await _ask(services, "create table kept as select 42 as number")
    queue = Redis.from_url(services.valkey.url())
    await queue.set("kept", "42")
    services.stop()
    assert not services.postgres.running()
    assert not services.valkey.running()
    services.start()
    assert await _ask(services, "select number from kept") == 42
    assert await queue.get("kept") == b"42"
    await queue.aclose()


async def test_the_demo_database_is_durable_and_closes_forgotten_transactions(home: Path) -> None:
    services = Services.at(home)
    services.start()
    assert await _ask(services, "show fsync") == "on"
    assert await _ask(services, "show synchronous_commit") == "on"
    assert await _ask(services, "show idle_in_transaction_session_timeout") == "1min"
    assert await _ask(services, "show listen_addresses") == ""


def test_several_starters_at_once_start_one_of_each(home: Path) -> None:
    services = Services.at(home, durable=False)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Services.at(home, durable=False).start(), range(4)))
    assert services.postgres.running()
    assert services.valkey.running()


async def test_a_killed_database_starts_again_with_what_was_committed(home: Path) -> None:
    services = Services.at(home, durable=False)
    services.start()
    await _ask(services, "create table kept as select 1 as number")
    os.kill(int((services.postgres.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    _wait_until_gone(services)
    services.start()
    assert await _ask(services, "select number from kept") == 1


def _kill(services: Services) -> None:
    os.kill(int((services.postgres.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)


async def _busy(url: str) -> None:
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(url)
            while True:
                await connection.execute("insert into kept select generate_series(1, 100)")


async def test_a_database_killed_under_traffic_starts_again_however_soon(home: Path) -> None:
    services = Services.at(home, durable=False)
    services.start()
    await _ask(services, "create table kept (number integer)")
    clients = [asyncio.create_task(_busy(services.postgres.url())) for _ in range(8)]
    for pause in (0.0, 0.3):
        await asyncio.sleep(0.3)
        _kill(services)
        await asyncio.sleep(pause)
        await asyncio.to_thread(services.start)
        assert services.postgres.running()
        assert await _ask(services, "select count(*) from kept") != 0
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)


async def test_the_start_waits_for_what_a_killed_database_left_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services.at(home, durable=False)
    services.start()
    connection = await asyncpg.connect(services.postgres.url())
    left = connection.get_server_pid()
    os.kill(left, signal.SIGSTOP)  # as one deep in a long computation
    _kill(services)
    monkeypatch.setattr(postgres, "ORPHAN_SECONDS", 0.2)
    with pytest.raises(Trouble, match="some of its processes are still at work: end them"):
        services.start()
    monkeypatch.undo()
    waiting = asyncio.create_task(asyncio.to_thread(services.start))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    os.kill(left, signal.SIGCONT)
    await waiting
    assert await _ask(services, "select 1") == 1


async def test_a_lock_file_with_the_number_of_another_process_hinders_no_start(home: Path) -> None:
    services = Services.at(home, durable=False)
    services.start()
    lock = services.postgres.data / "postmaster.pid"
    noted = lock.read_text()
    services.stop()
    lock.write_text(noted.replace(noted.splitlines()[0], str(os.getpid()), 1))
    assert not services.postgres.running()
    services.start()
    assert await _ask(services, "select 1") == 1


def test_two_homes_have_two_databases(home: Path, services: Services) -> None:
    assert Services.at(home).postgres.url() != services.postgres.url()
    assert Services.at(home).valkey.url() != services.valkey.url()


def test_removing_leaves_no_process_and_no_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("gone")
    services = Services.at(home, durable=False)
    services.start()
    remove(home)
    assert not home.exists()
    assert not services.postgres.folder.exists()
    assert str(home) not in _command_lines()


def test_a_deep_folder_gets_a_short_socket(home: Path) -> None:
    services = Services.at(home / ("long" * 25), durable=False)
    services.start()
    assert len(str(services.postgres.socket)) < places.SOCKET_PATH_LIMIT
    assert services.postgres.running()
    remove(services.home)


def test_a_home_the_server_user_cannot_reach_has_its_cluster_where_it_can(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    services = Services.at(locked / "home", durable=False)
    services.start()
    # Only root hands the cluster to another user, who cannot pass through `locked`.
    assert services.postgres.folder.parent == (places.OUTSIDE if places.is_root() else locked / "home")
    assert (locked / "home" / "postgres").resolve() == services.postgres.folder
    remove(locked / "home")
    assert not services.postgres.folder.exists()


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        ([], "PostgreSQL with PostGIS is not installed: run `apt-get install postgresql-15-postgis-3`"),
        (["lib/15/bin"], "PostgreSQL is installed without PostGIS: run `apt-get install postgresql-15-postgis-3`"),
    ],
)
def test_a_missing_package_is_said_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: list[str], sentence: str
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "initdb").touch()
    monkeypatch.setattr(postgres, "PROGRAMS", tmp_path / "lib")
    monkeypatch.setattr(postgres, "EXTENSIONS", tmp_path / "share")
    with pytest.raises(Trouble, match=sentence):
        postgres.binaries()


def test_the_newest_server_with_postgis_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version, with_postgis in (("15", True), ("16", True), ("17", False)):
        bin_folder = tmp_path / "lib" / version / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "initdb").touch()
        if with_postgis:
            (tmp_path / "share" / version / "extension").mkdir(parents=True)
            (tmp_path / "share" / version / "extension" / "postgis.control").touch()
    monkeypatch.setattr(postgres, "PROGRAMS", tmp_path / "lib")
    monkeypatch.setattr(postgres, "EXTENSIONS", tmp_path / "share")
    assert postgres.binaries() == tmp_path / "lib" / "16" / "bin"
