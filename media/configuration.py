"""Where bytes are kept, what signs links to them, and how much is taken; set once in each process."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from media import sniff
from media.inspection import Bounds

MIB = 1 << 20


class Limits(Struct, frozen=True, kw_only=True):
    """Most bytes of one picture, of any other file and of one person in 24 hours; how long things are kept."""

    image_bytes: int = 30 * MIB
    video_bytes: int = 200 * MIB
    person_day_bytes: int = 2048 * MIB
    idle: timedelta = timedelta(seconds=60)
    """A body that brings nothing for so long is ended; the upload can be resumed."""
    unfinished: timedelta = timedelta(days=7)
    link: timedelta = timedelta(minutes=10)
    inspection: Bounds = Bounds()

    def bytes_of(self, media_type: str | None) -> int:
        """The most bytes a file of a type may have."""
        return self.image_bytes if media_type in sniff.IMAGES else self.video_bytes


class Configuration(Struct, frozen=True, kw_only=True):
    """`root` is a folder of this machine or a mount all machines share; `key` signs links."""

    root: Path
    key: bytes
    limits: Limits = Limits()


class _Chosen:
    configuration: Configuration | None = None


def configure(url: str, key: bytes, limits: Limits | None = None) -> None:
    """Set the store (`file:///folder`) and the signing key; ValueError for a store that is not offered."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise ValueError(f"the media store is a folder, file:///…, and not {url!r}")
    if len(key) < 32:
        raise ValueError("the key that signs links has 32 bytes or more")
    _Chosen.configuration = Configuration(root=Path(unquote(parts.path)), key=key, limits=limits or Limits())


def limits_of(image_mib: int, image_megapixels: int, video_mib: int, upload_day_mib: int) -> Limits:
    """The limits as settings give them."""
    return Limits(
        image_bytes=image_mib * MIB,
        video_bytes=video_mib * MIB,
        person_day_bytes=upload_day_mib * MIB,
        inspection=Bounds(pixels=image_megapixels * 1_000_000),
    )


def current() -> Configuration | None:
    """The configuration of this process, if there is one yet."""
    return _Chosen.configuration


def restore(configuration: Configuration | None) -> None:
    """Put back what `current` gave (tests that set their own)."""
    _Chosen.configuration = configuration


def chosen() -> Configuration:
    """The configuration of this process; RuntimeError before `configure`."""
    if _Chosen.configuration is None:
        raise RuntimeError("call media.configuration.configure first")
    return _Chosen.configuration


def limits() -> Limits:
    """The limits in force; the usual ones where no store is configured (nothing there takes bytes)."""
    return Limits() if _Chosen.configuration is None else _Chosen.configuration.limits
