"""Every file, however hostile, ends in findings or a stated refusal, within its limits of time and memory."""

import asyncio
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from app.kernel.clock import SHANGHAI, now
from media.inspection import Bounds, Inspection, inspect
from media.verdict import Context, judge
from tests.media import photos


async def look(path: Path, folder: Path, bounds: Bounds | None = None) -> Inspection:
    return await inspect(path, folder, bounds or Bounds())


async def look_at(content: bytes, folder: Path, bounds: Bounds | None = None) -> Inspection:
    file = folder / "file"
    file.write_bytes(content)
    return await look(file, folder, bounds)


@pytest.mark.parametrize("row", photos.manifest(), ids=lambda row: row["file"])
async def test_every_photo_ends_in_its_stated_verdict_or_refusal(row: dict[str, str], tmp_path: Path) -> None:
    found = await look(photos.FOLDER / row["file"], tmp_path)
    if row["verdict"] == "refused":
        assert found.refusal is not None
        assert found.refusal.code == row["reason"]
        assert not found.derived
        return
    verdict = judge(found.exif, Context(received_at=now(), zone=SHANGHAI))
    assert verdict.outcome == row["verdict"]
    assert not row["reason"] or row["reason"] in [reason.code for reason in verdict.reasons]
    assert f"{found.width}x{found.height}" == row["pixels"]
    assert len(found.hashes) == 8
    for derived in found.derived:
        with Image.open(derived.path) as shown:
            assert shown.size == (derived.width, derived.height)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that unpacks to width × height zeros."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width * 3 + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


JPEG = photos.jpeg()
HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"hello", "wrong-type"),
    "page named photo": (b"<html><script>alert(1)</script></html>", "wrong-type"),
    "drawing with script": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "wrong-type"),
    "program": (b"\x7fELF" + bytes(100), "wrong-type"),
    "animation": (b"GIF89a" + bytes(100), "wrong-type"),
    "head of a JPEG only": (JPEG[:3], "damaged"),
    "cut in the middle": (JPEG[: len(JPEG) // 2], "truncated"),
    "noise behind the head of a JPEG": (JPEG[:3] + bytes(range(256)) * 40, "damaged"),
    "noise behind the head of a HEIC": (b"\0\0\0\x18ftypheic" + bytes(range(256)), "damaged"),
    "noise behind the head of a WebP": (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(100), "damaged"),
    "64 megapixels": (bomb(8_000, 8_000), "too-many-pixels"),
}


@pytest.mark.parametrize(("content", "code"), HOSTILE.values(), ids=HOSTILE)
async def test_hostile_bytes_are_refused_with_a_reason(content: bytes, code: str, tmp_path: Path) -> None:
    found = await look_at(content, tmp_path)
    assert found.refusal is not None
    assert found.refusal.code == code


async def test_a_jpeg_that_claims_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    at = JPEG.index(b"\xff\xc0") + 5
    found = await look_at(JPEG[:at] + b"\xff\xff\xff\xff" + JPEG[at + 4 :], tmp_path)
    assert found.refusal is not None
    assert found.refusal.code == "too-many-pixels"


async def test_a_picture_that_needs_more_memory_than_allowed_is_refused(tmp_path: Path) -> None:
    found = await look_at(bomb(7_000, 7_000), tmp_path, Bounds(memory=200 << 20))
    assert found.refusal is not None
    assert found.refusal.code == "out-of-memory"


async def test_an_inspection_that_does_not_end_is_killed(tmp_path: Path) -> None:
    pipe = tmp_path / "endless"
    os.mkfifo(pipe)  # opening it to read waits for a writer that never comes
    async with asyncio.timeout(5):
        found = await look(pipe, tmp_path, Bounds(seconds=0.5))
    assert found.refusal is not None
    assert found.refusal.code == "too-slow"


async def test_a_video_is_known_by_its_content_and_not_decoded(tmp_path: Path) -> None:
    found = await look_at(b"\0\0\0\x20ftypisom" + bytes(100), tmp_path)
    assert (found.media_type, found.refusal, found.derived) == ("video/mp4", None, ())
