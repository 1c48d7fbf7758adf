"""Bodies are written in order by one at a time; what broke off stays, what was promised a checksum counts whole."""

import asyncio
import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from media import receiving, storage
from media.problems import ChecksumMismatch, FileTooLarge, OffsetMismatch, StorageFull, UploadGone
from media.receiving import Interrupted
from media.tus import Checksum, Part
from media.underway import Digest


async def body(*chunks: bytes, end: Exception | None = None, pause: float = 0) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(pause)
    if end is not None:
        raise end


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = storage.partial(tmp_path, "330109", "upload")
    storage.begin(path)
    return path


def lies(path: Path) -> bytes:
    return path.read_bytes()


def remove(path: Path) -> None:
    path.unlink()


def checked(content: bytes, offset: int = 0) -> Part:
    return Part(offset, None, Checksum("sha256", hashlib.sha256(content).digest()))


async def test_what_came_of_a_body_that_broke_off_stays(path: Path) -> None:
    assert await receiving.append(path, Part(0, None, None), 100, body(b"abc", b"de", end=Interrupted()), 5) == 5
    assert lies(path) == b"abcde"


async def test_a_body_that_stalls_is_ended_and_what_came_stays(path: Path) -> None:
    assert await receiving.append(path, Part(0, None, None), 100, body(b"abc", b"de", pause=3600), 0.2) == 3
    assert lies(path) == b"abc"


async def test_a_body_with_a_checksum_that_broke_off_leaves_nothing(path: Path) -> None:
    assert await receiving.append(path, checked(b"abcdef"), 100, body(b"abc", end=Interrupted()), 5) == 0
    with pytest.raises(ChecksumMismatch):
        await receiving.append(path, checked(b"abcdef"), 100, body(b"abcdeX"), 5)
    assert lies(path) == b""
    assert await receiving.append(path, checked(b"abcdef"), 100, body(b"abc", b"def"), 5) == 6
    assert await receiving.append(path, checked(b"gh", 6), 100, body(b"gh"), 5) == 8
    assert lies(path) == b"abcdefgh"
    assert list(path.parent.iterdir()) == [path]


async def test_a_body_beyond_the_length_leaves_nothing(path: Path) -> None:
    with pytest.raises(FileTooLarge):
        await receiving.append(path, Part(0, None, None), 4, body(b"abc", b"de"), 5)
    assert lies(path) == b""


async def test_bytes_elsewhere_than_at_the_end_are_refused(path: Path) -> None:
    with pytest.raises(OffsetMismatch) as caught:
        await receiving.append(path, Part(3, None, None), 10, body(b"abc"), 5)
    assert caught.value.facts == {"offset": 0}


async def test_an_upload_that_ended_meanwhile_is_gone(path: Path) -> None:
    async with receiving.held(path):
        waiting = asyncio.create_task(receiving.standing(path))
        await asyncio.sleep(0.1)
        remove(path)
    with pytest.raises(UploadGone):
        await waiting
    with pytest.raises(UploadGone):
        await receiving.standing(path)


async def test_a_newcomer_is_given_way_and_no_byte_is_mixed(path: Path) -> None:
    slow = asyncio.create_task(
        receiving.append(path, Part(0, None, None), 100, body(b"aaaa", b"bbbb", pause=3600), 3600)
    )
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        standing = await receiving.standing(path)
        assert await receiving.append(path, Part(standing, None, None), 100, body(b"cc"), 5) == 6
    assert await slow == 4
    assert lies(path) == b"aaaacc"
    assert list(path.parent.iterdir()) == [path]


async def test_a_wish_left_by_a_request_that_died_disturbs_nobody(path: Path) -> None:
    path.with_name(f"{path.name}.wish").touch()
    assert await receiving.append(path, Part(0, None, None), 9, body(b"abc", b"def", b"ghi", pause=0.15), 5) == 9


async def test_a_full_disk_is_said_and_what_was_acknowledged_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await receiving.append(path, Part(0, None, None), 10, body(b"abc"), 5)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StorageFull):
            await receiving.append(path, Part(3, None, None), 10, body(b"def"), 5)
    assert await receiving.standing(path) == 3
    assert await receiving.append(path, Part(3, None, None), 10, body(b"def"), 5) == 6


blocks = st.binary(max_size=300_000)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    parts=st.lists(
        st.tuples(st.lists(st.binary(max_size=300_000), max_size=4), st.booleans(), st.booleans()), max_size=4
    )
)
def test_however_bodies_break_off_the_file_is_what_was_acknowledged(
    parts: list[tuple[list[bytes], bool, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = storage.partial(tmp_path_factory.mktemp("store"), "330109", "upload")
    storage.begin(path)

    async def play() -> bytes:
        expected = b""
        for chunks, breaks, promised in parts:
            content = b"".join(chunks)
            asked = checked(content, len(expected)) if promised else Part(len(expected), None, None)
            end = Interrupted() if breaks else None
            offset = await receiving.append(path, asked, 10**7, body(*chunks, end=end), 5)
            expected += b"" if breaks and promised else content
            assert offset == len(expected)
        return expected

    assert asyncio.run(play()) == lies(path)


class Turn(Struct, frozen=True):
    """One request: which of two processes takes it, what comes of its body, how it ends."""

    process: int
    chunks: list[bytes]
    ends: str


turns = st.lists(
    st.builds(
        Turn,
        process=st.integers(0, 1),
        chunks=st.lists(st.sampled_from([b"a", b"bcd", b"e" * 600_000, b"f" * 200_000]), max_size=3),
        ends=st.sampled_from(["whole", "broken", "too much", "checksum", "full"]),
    ),
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(turns=turns)
def test_a_digest_kept_while_bytes_come_is_that_of_the_file_or_of_no_use_whichever_process_writes(
    turns: list[Turn], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = storage.partial(tmp_path_factory.mktemp("store"), "330109", "upload")
    storage.begin(path)
    digests = [Digest(), Digest()]

    async def take(turn: Turn) -> None:
        at, size = path.stat().st_size, sum(map(len, turn.chunks))
        asked = checked(b"".join(turn.chunks), at) if turn.ends == "checksum" else Part(at, None, None)
        end: Exception | None = {"broken": Interrupted(), "full": OSError(errno.ENOSPC, "full")}.get(turn.ends)
        length = at + size - (turn.ends == "too much")
        with contextlib.suppress(FileTooLarge, StorageFull):
            await receiving.append(path, asked, length, body(*turn.chunks, end=end), 5, digests[turn.process])

    for turn in turns:
        asyncio.run(take(turn))
        for digest in digests:
            size = path.stat().st_size
            assert digest.of(size) in (None, hashlib.sha256(path.read_bytes()).hexdigest())


async def test_parts_that_one_process_takes_are_counted_as_they_come(path: Path) -> None:
    digest = Digest()
    for at, content in ((0, b"abc"), (3, b"d" * 700_000), (700_003, b"e")):
        await receiving.append(path, Part(at, None, None), 10**6, body(content), 5, digest)
    assert digest.of(700_004) == hashlib.sha256(b"abc" + b"d" * 700_000 + b"e").hexdigest()


async def test_a_digest_that_counted_bytes_which_were_taken_back_is_of_no_use(path: Path) -> None:
    here, elsewhere = Digest(), Digest()
    with pytest.raises(FileTooLarge):
        await receiving.append(path, Part(0, None, None), 4, body(b"abc", b"de"), 5, here)
    await receiving.append(path, Part(0, None, None), 4, body(b"xyz"), 5, elsewhere)
    assert (here.of(3), elsewhere.of(3)) == (None, hashlib.sha256(b"xyz").hexdigest())


async def test_a_request_cut_off_while_it_is_written_ends_only_when_its_bytes_are_in_its_own_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, write = threading.Event(), threading.Event(), os.write

    def slow(handle: int, block: memoryview) -> int:
        begun.set()
        go_on.wait()
        return write(handle, block)

    monkeypatch.setattr(os, "write", slow)
    adding = asyncio.create_task(receiving.append(path, Part(0, None, None), 9, body(b"abc"), 5))
    await asyncio.to_thread(begun.wait)
    adding.cancel()
    await asyncio.sleep(0)
    with (tmp_path / "other").open("w"):  # takes the descriptor if it was given back
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await adding
    assert (lies(path), lies(tmp_path / "other")) == (b"abc", b"")
