"""What a file really is, by its first bytes; names and declared types are not believed."""

from msgspec import Struct

HEAD = 64
"""How many first bytes are enough for every type here."""

_HEIC = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
_MP4 = {
    b"isom",
    b"iso2",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"M4V ",
    b"MSNV",
    b"3gp4",
    b"3gp5",
    b"3gp6",
}

IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic"})
VIDEOS = frozenset({"video/mp4", "video/quicktime"})
ALLOWED = IMAGES | VIDEOS
"""What is taken as evidence."""

PILLOW_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/heic": "HEIF"}
"""The one decoder each image type is given to."""


class Size(Struct, frozen=True):
    """Width and height in pixels, as the header claims them."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width by height."""
        return self.width * self.height


def media_type(head: bytes) -> str | None:
    """The media type of the first `HEAD` bytes of a file; None for anything that is not taken as evidence."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _iso_media(head[8:12]) if head[4:8] == b"ftyp" else None


def _iso_media(brand: bytes) -> str | None:
    if brand in _HEIC:
        return "image/heic"
    if brand == b"qt  ":
        return "video/quicktime"
    return "video/mp4" if brand in _MP4 else None


def png_size(head: bytes) -> Size | None:
    """The size a PNG claims (its first chunk is always IHDR): a decoder may fail before it can tell."""
    if media_type(head) != "image/png" or head[12:16] != b"IHDR" or len(head) < 24:
        return None
    return Size(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
