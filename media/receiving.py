"""Writes request bodies into a partial file: flat memory, one writer at a time, on the disk before it is acknowledged.

One upload may be met by several processes: the lock is `flock` on the partial file, and a newcomer (HEAD or PATCH after
a lost connection) asks the holder to give way by a file beside it. The size of the partial file is the offset.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from media.problems import ChecksumMismatch, FileTooLarge, OffsetMismatch, StorageFull, UploadBusy, UploadGone
from media.tus import Checksum, Part
from media.underway import Digest

BLOCK = 512 * 1024
"""Bytes gathered before they are written; the most of a body that is in memory."""
T = TypeVar("T")
_LOOK = 0.1  # seconds between two looks for a newcomer
_PATIENCE = 10.0  # seconds a newcomer waits


class Interrupted(Exception):
    """The body ended before its end: the client is gone. What came is kept."""


@contextlib.contextmanager
def room() -> Generator[None]:
    """StorageFull where the file system says that there is no room, or no more of it for this account."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(headers={"Retry-After": "60"}) from error
        raise


@contextlib.asynccontextmanager
async def held(path: Path) -> AsyncGenerator[int]:
    """Hold the partial file alone and give its descriptor; a request that holds it is asked to give way.

    UploadGone when there is no such file any more, UploadBusy when the holder does not give way.
    """
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        raise UploadGone from None
    try:
        await _lock(handle, path)
        if not _is_at(handle, path):
            raise UploadGone
        yield handle
    finally:
        os.close(handle)


async def _lock(handle: int, path: Path) -> None:
    wish = _wish(path)
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise UploadBusy() from None
            wish.touch()
            await asyncio.sleep(_LOOK / 2)
    wish.unlink(missing_ok=True)  # whoever still waits wishes again


def _is_at(handle: int, path: Path) -> bool:
    """Whether the file is still there under its name: the holder before may have ended the upload."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _wish(path: Path) -> Path:
    return path.with_name(f"{path.name}.wish")


async def standing(path: Path) -> int:
    """How many bytes are safely on the disk, after whoever writes has given way."""
    async with held(path) as handle:
        return await _threaded(partial(_size_on_disk, handle))


def _size_on_disk(handle: int) -> int:
    os.fsync(handle)
    return os.fstat(handle).st_size


async def append(
    path: Path, asked: Part, length: int, body: AsyncIterator[bytes], idle: float, digest: Digest | None = None
) -> int:
    """Write a body behind what is there and return the new offset, synced to the disk; `digest` goes along.

    A body that breaks off, stalls for `idle` seconds or has to give way leaves what came of it, unless a checksum was
    promised: then all or nothing counts. OffsetMismatch, FileTooLarge, ChecksumMismatch, StorageFull.
    """
    digest = digest or Digest()
    async with held(path) as handle:
        start = os.fstat(handle).st_size
        if start != asked.offset:
            raise OffsetMismatch(headers={"Upload-Offset": str(start)}, offset=start)
        os.lseek(handle, start, os.SEEK_SET)
        try:
            with room():
                if asked.checksum is not None:
                    digest.drop()  # what is copied inside the kernel is not seen
                    await _append_checked(handle, path, asked.checksum, length - start, body, idle)
                    return await _threaded(partial(_size_on_disk, handle))
                writer = _Writer(handle, length - start, digest)
                await writer.fill(body, path, idle)
                return await _threaded(writer.settle)
        except BaseException as error:
            digest.drop()
            if isinstance(error, FileTooLarge):
                os.ftruncate(handle, start)
            raise


async def _append_checked(
    handle: int, path: Path, checksum: Checksum, most: int, body: AsyncIterator[bytes], idle: float
) -> None:
    """Collect the part beside the file; only a part that has its checksum is copied behind it (inside the kernel)."""
    aside = path.with_name(f"{path.name}.part")
    hasher = checksum.hasher()
    try:
        with aside.open("w+b") as file:
            writer = _Writer(file.fileno(), most, Digest())
            whole = await writer.fill(_hashed(body, hasher), path, idle)
            if not whole:
                return
            await _threaded(writer.write)
            if hasher.digest() != checksum.digest:
                raise ChecksumMismatch()
            file.seek(0)
            with os.fdopen(os.dup(handle), "ab") as target:
                await _threaded(partial(shutil.copyfileobj, file, target, BLOCK))
    finally:
        aside.unlink(missing_ok=True)


async def _hashed(body: AsyncIterator[bytes], hasher: Any) -> AsyncIterator[bytes]:
    async for chunk in body:
        hasher.update(chunk)
        yield chunk


class _Writer:
    """Gathers chunks into blocks and writes these in a thread; the last one is written and synced in one go."""

    def __init__(self, handle: int, most: int, digest: Digest) -> None:
        self._handle = handle
        self._room = most
        self._digest = digest
        self._block = bytearray()
        self._heard = 0.0

    async def fill(self, body: AsyncIterator[bytes], path: Path, idle: float) -> bool:
        """Take the body, the last block of it is not written yet; False when it broke off, stalled or gave way.

        FileTooLarge beyond the most.
        """
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        try:
            async with asyncio.timeout(None) as patience:
                watch = loop.create_task(self._watch(patience, _wish(path), idle))
                try:
                    async for chunk in body:
                        self._heard = loop.time()
                        await self._take(chunk)
                finally:
                    watch.cancel()
        except (TimeoutError, Interrupted):
            return False
        except BaseException:  # the server stops: what came is kept
            self.write()
            raise
        return True

    def write(self) -> None:
        """Write what was gathered."""
        block, self._block = self._block, bytearray()
        _write(self._handle, block)
        self._digest.add(block)

    def settle(self) -> int:
        """Write what was gathered; the size of the file once it is on the disk."""
        self.write()
        return _size_on_disk(self._handle)

    async def _take(self, chunk: bytes) -> None:
        self._room -= len(chunk)
        if self._room < 0:
            raise FileTooLarge()
        if len(self._block) >= BLOCK:
            await _threaded(self.write)
        self._block += chunk

    async def _watch(self, patience: asyncio.Timeout, wish: Path, idle: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK)
            if os.access(wish, os.F_OK) or loop.time() - self._heard > idle:
                patience.reschedule(loop.time())
                return


async def _threaded(act: Callable[[], T]) -> T:
    """Act in a thread, to its end also when cancelled: its descriptor must not be closed, and be another file, then."""
    acting = asyncio.get_running_loop().run_in_executor(None, act)
    try:
        return await asyncio.shield(acting)
    except asyncio.CancelledError:
        await asyncio.wait({acting})
        raise


def _write(handle: int, block: bytearray) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(handle, left) :]
