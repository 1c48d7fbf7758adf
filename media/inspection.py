"""Looks into a file in a process of its own, with limits of time and memory: always ends in findings or a refusal."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from media.exif import Exif
from media.reasons import Reason, refused


class Bounds(Struct, frozen=True, kw_only=True):
    """What one inspection may use: seconds of wall clock and processor, bytes of address space, pixels of a picture."""

    seconds: float = 15.0
    memory: int = 1 << 30
    pixels: int = 50_000_000


class DerivedFile(Struct, frozen=True):
    """A derivative written beside the inspected file: longest side's limit, size in pixels, where it lies."""

    variant: int
    width: int
    height: int
    path: str


class Inspection(Struct, frozen=True, kw_only=True):
    """What a file is. `width` and `height` are as stored, before turning; `refusal` says why it is useless."""

    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    exif: Exif = Exif()
    hashes: tuple[int, ...] = ()
    derived: tuple[DerivedFile, ...] = ()
    notes: tuple[Reason, ...] = ()
    refusal: Reason | None = None

    @property
    def phash(self) -> str | None:
        """The perceptual hash of the upright picture, 16 hexadecimal digits."""
        return f"{self.hashes[0]:016x}" if self.hashes else None


class Order(Struct, frozen=True):
    """What the inspecting process is told: the file, an empty folder for derivatives, and its bounds."""

    file: str
    folder: str
    bounds: Bounds


async def inspect(file: Path, folder: Path, bounds: Bounds) -> Inspection:
    """Inspect `file`, whatever it holds; derivatives go into `folder`, which the caller made and removes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "media.check_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # so that killing its group leaves nothing behind
        env={"PATH": os.environ.get("PATH", ""), "MALLOC_ARENA_MAX": "2", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    order = msgspec.json.encode(Order(str(file), str(folder), bounds))
    try:
        async with asyncio.timeout(bounds.seconds):
            answer, _ = await process.communicate(order)
    except TimeoutError:
        return Inspection(refusal=_too_slow(bounds.seconds))
    finally:
        _kill(process)
        await process.wait()
    return _read(answer, process.returncode or 0, bounds)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(answer: bytes, code: int, bounds: Bounds) -> Inspection:
    if code == 0:
        try:
            return msgspec.json.decode(answer, type=Inspection)
        except msgspec.DecodeError:
            pass
    if code == -signal.SIGXCPU:
        return Inspection(refusal=_too_slow(bounds.seconds))
    return Inspection(
        refusal=refused(
            "decoder-crashed",
            f"解码程序异常退出（{code}），文件不可用",
            f"the decoder broke down ({code}) on this file",
        )
    )


def _too_slow(seconds: float) -> Reason:
    return refused(
        "too-slow", f"检查超过 {seconds:g} 秒仍未完成，文件不可用", f"examining the file took more than {seconds:g} s"
    )
