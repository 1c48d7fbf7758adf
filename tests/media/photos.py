"""The photos of `tests/data/photos` with what their manifest says of them, and pictures drawn on the spot."""

import csv
import io
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.Image import Exif

FOLDER = Path(__file__).parent.parent / "data" / "photos"


def manifest() -> list[dict[str, str]]:
    """One row a photo."""
    with (FOLDER / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def drawn(seed: int = 1, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A picture with features that no turn or mirror maps onto itself."""
    image = Image.new("RGB", size, (40, 60, 90))
    pen = ImageDraw.Draw(image)
    for n in range(12):
        x, y = (seed * 7919 + n * 104729) % size[0], (seed * 6101 + n * 130363) % size[1]
        pen.rectangle((x, y, x + 30 + 17 * n, y + 10 + 11 * n), fill=(20 * n, 255 - 20 * n, (seed * 50) % 255))
    return image


def jpeg(image: Image.Image | None = None, exif: Exif | None = None, quality: int = 85) -> bytes:
    """The picture as JPEG bytes."""
    content = io.BytesIO()
    (image or drawn()).save(content, "JPEG", quality=quality, exif=exif or b"")
    return content.getvalue()
