"""What is made of a picture: 1280 and 320 pixel WebP without metadata, the right way up, and a perceptual hash."""

import io
import math
from collections.abc import Sequence
from functools import cache
from typing import IO, Any

from msgspec import Struct
from PIL import Image, ImageCms

VARIANTS = (1280, 320)
"""The longest side of each derivative, in pixels, largest first: the smaller is made of the larger."""
QUALITY = 80
EFFORT = 2  # of 6: 4, the default, takes twice the time for 3 % fewer bytes

_SIDE, _BLOCK = 32, 8
SAME_PICTURE = 6
"""Hashes that differ in so few of their 64 bits show the same picture."""
_FLAT = 8  # a hash with fewer bits set is of a picture without features, which resembles every other such picture


_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Derived(Struct, frozen=True):
    """One derivative: its longest side's limit, size in pixels and WebP bytes."""

    variant: int
    width: int
    height: int
    content: bytes


def derive(image: Image.Image, orientation: int) -> tuple[list[Derived], tuple[int, ...]]:
    """Decode an opened picture once; return its derivatives and its hash in the 8 orientations, upright first.

    `orientation` is EXIF's (1 to 8), applied once, here. Raises what Pillow raises on damaged pixels (mostly OSError).
    """
    if image.format == "JPEG":  # decode at the nearest larger eighth; HEIC would give an embedded thumbnail, which may
        image.draft("RGB", (VARIANTS[0], VARIANTS[0]))  # show something else than the picture
    if image.mode in ("P", "1"):  # palettes cannot be scaled
        image = image.convert("RGBA")
    # reducing_gap is None: after a draft, the default of 2.0 reduces a second time and takes longer (measured)
    image.thumbnail((VARIANTS[0], VARIANTS[0]), reducing_gap=None)
    upright = _UPRIGHT.get(orientation)
    picture = _plain(image if upright is None else image.transpose(upright))
    derived: list[Derived] = []
    for variant in VARIANTS:
        picture.thumbnail((variant, variant), reducing_gap=None)
        derived.append(Derived(variant, picture.width, picture.height, _webp(picture)))
    return derived, hashes(picture)


def _webp(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    target: IO[bytes] = content
    picture.save(target, "WEBP", quality=QUALITY, method=EFFORT, exif=b"", xmp=b"", icc_profile=b"")
    return content.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The picture as sRGB over white: phones of one maker record Display P3, and the profile does not go along."""
    profile = image.info.get("icc_profile")
    if profile and image.mode == "RGB":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            ImageCms.profileToProfile(image, source, _srgb(), inPlace=True)
        except ImageCms.PyCMSError:  # a broken profile: the colours stay as they are
            pass
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return image.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    made: Any = vars(ImageCms)["createProfile"]("sRGB")  # by name: it is not typed
    return ImageCms.ImageCmsProfile(made)


def hashes(picture: Image.Image) -> tuple[int, ...]:
    """pHash (64 bits: low frequencies of the cosine transform against their median) in the 8 orientations.

    Mirroring only changes signs of the transform and turning also swaps its axes, so one transform serves all eight.
    """
    low = _frequencies(picture)
    turned = list(zip(*low, strict=True))
    return tuple(
        _hash([row[u] * (across**u) * (down**v) for v, row in enumerate(axes) for u in range(_BLOCK)])
        for axes in (low, turned)
        for across in (1, -1)
        for down in (1, -1)
    )


def _hash(values: Sequence[float]) -> int:
    ordered = sorted(values)
    median = (ordered[31] + ordered[32]) / 2
    bits = 0
    for value in values:
        bits = bits << 1 | (value > median)
    return bits


@cache
def _waves() -> list[list[float]]:
    return [[math.cos(math.pi * (2 * x + 1) * u / (2 * _SIDE)) for x in range(_SIDE)] for u in range(_BLOCK)]


def _frequencies(picture: Image.Image) -> list[list[float]]:
    """The lowest 8 × 8 coefficients [down][across] of the cosine transform of the picture in 32 × 32 greys."""
    small = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    grey = small.tobytes()
    rows = [grey[y * _SIDE : (y + 1) * _SIDE] for y in range(_SIDE)]
    waves = _waves()
    across = [[sum(map(float.__mul__, wave, map(float, row))) for wave in waves] for row in rows]
    columns = list(zip(*across, strict=True))
    low = [[sum(map(float.__mul__, wave, column)) for column in columns] for wave in waves]
    return [[round(value, 3) for value in row] for row in low]  # rounding: a flat picture has no noise for a hash


def is_distinct(value: int) -> bool:
    """Whether a hash is of a picture with features; black, white and grey pictures all look alike."""
    return value.bit_count() >= _FLAT


def bands(value: int) -> tuple[int, ...]:
    """Four numbers, of which hashes that differ in at most 3 bits share one (pigeonhole): what to look up by."""
    return tuple(part << 16 | (value >> part * 16) & 0xFFFF for part in range(4))


def apart(one: int, other: int) -> int:
    """In how many bits two hashes differ."""
    return (one ^ other).bit_count()
