"""The process that looks into one untrusted file and may be killed: `python -m media.check_process`, order on stdin."""

import math
import resource
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from media import sniff
from media.inspection import Bounds, DerivedFile, Inspection, Order
from media.reasons import Reason, refused

if TYPE_CHECKING:
    from media.derivatives import Derived


def main() -> None:
    """Read the order, set the limits, examine, answer on stdout."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    _limit(order.bounds)
    try:
        found = examine(Path(order.file), Path(order.folder), order.bounds)
    except MemoryError:
        found = Inspection(refusal=_too_big_to_decode())
    sys.stdout.buffer.write(msgspec.json.encode(found))


def _limit(bounds: Bounds) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory, bounds.memory))
    seconds = math.ceil(bounds.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def examine(file: Path, folder: Path, bounds: Bounds) -> Inspection:
    """Say what `file` is; write its derivatives into `folder`. MemoryError is left to the caller."""
    with file.open("rb") as source:
        head = source.read(sniff.HEAD)
    kind = sniff.media_type(head)
    if kind is None:
        return Inspection(refusal=_not_evidence(head))
    if kind not in sniff.IMAGES:
        return Inspection(media_type=kind)
    claimed = sniff.png_size(head)
    if claimed is not None and claimed.pixels > bounds.pixels:
        return _refuse(kind, claimed, _too_many_pixels(claimed, bounds))
    return _picture(file, folder, kind, bounds)


def _picture(file: Path, folder: Path, kind: str, bounds: Bounds) -> Inspection:
    from PIL import Image  # after the limits are set, and not at all for what is no picture

    from media import derivatives, exif

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = bounds.pixels
    if kind == "image/heic":
        _use_heif()
    found = Inspection(media_type=kind)
    try:
        with Image.open(file, formats=(sniff.PILLOW_FORMATS[kind],)) as image:
            size = sniff.Size(image.width, image.height)
            read = exif.read(image)
            found = Inspection(media_type=kind, width=size.width, height=size.height, exif=read)
            derived, hashes = derivatives.derive(image, read.orientation)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _refuse(kind, None, _too_many_pixels(None, bounds))
    except MemoryError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged or hostile bytes
        return msgspec.structs.replace(found, refusal=_damaged(error))
    files = [_write(folder, one) for one in derived]
    return msgspec.structs.replace(found, hashes=hashes, derived=tuple(files))


def _use_heif() -> None:
    from PIL import Image
    from pillow_heif import options
    from pillow_heif.as_plugin import HeifImageFile

    options.DECODE_THREADS = 1
    Image.register_open("HEIF", HeifImageFile)  # it turns by itself and says orientation 1 afterwards


def _write(folder: Path, one: "Derived") -> DerivedFile:
    path = folder / f"{one.variant}.webp"
    path.write_bytes(one.content)
    return DerivedFile(one.variant, one.width, one.height, str(path))


def _refuse(kind: str, size: sniff.Size | None, reason: Reason) -> Inspection:
    width, height = (None, None) if size is None else (size.width, size.height)
    return Inspection(media_type=kind, width=width, height=height, refusal=reason)


def _not_evidence(head: bytes) -> Reason:
    if not head:
        return refused("empty", "文件是空的", "the file is empty")
    return refused(
        "wrong-type",
        "不是可作佐证的文件类型（照片或视频）",
        "not a type of file that is taken as evidence (photo, video)",
    )


def _too_many_pixels(size: sniff.Size | None, bounds: Bounds) -> Reason:
    claim = "" if size is None else f" {size.width}×{size.height} = {size.pixels / 1e6:,.0f} MP,"
    limit = f"{bounds.pixels / 1e6:,.0f} MP"
    return refused(
        "too-many-pixels",
        f"声称的像素数过大：{claim.strip(' ,')}，上限 {limit}",
        f"it claims too many pixels:{claim} over {limit}",
    )


def _damaged(error: Exception) -> Reason:
    if "truncated" in str(error).lower():
        return refused("truncated", "照片不完整：文件在中途被截断", "the picture is incomplete: the file was cut off")
    what = type(error).__name__
    return refused(
        "damaged", f"照片已损坏，无法解码（{what}）", f"the picture is damaged and cannot be decoded ({what})"
    )


def _too_big_to_decode() -> Reason:
    return refused("out-of-memory", "解码所需内存超过上限", "decoding it takes more memory than is allowed")


if __name__ == "__main__":
    main()
