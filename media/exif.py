"""What a camera wrote into a picture: when, where, which way up; whatever is wrong becomes a reason, never an error."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, cast

from msgspec import Struct
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from media.reasons import Reason, doubtful, note

FIRST_YEAR = 1990  # no digital camera wrote EXIF before; earlier dates are unset clocks


class Exif(Struct, frozen=True, kw_only=True):
    """Time and place in the file. `taken` is the camera's wall clock; `offset` its minutes east of UTC, if known."""

    taken: str | None = None
    offset: int | None = None
    offset_from_gps: bool = False
    lon: float | None = None
    lat: float | None = None
    orientation: int = 1
    reasons: tuple[Reason, ...] = ()

    @property
    def taken_at(self) -> str | None:
        """ISO 8601 as the camera recorded it: with an offset only where one is in the file."""
        if self.taken is None or self.offset is None or self.offset_from_gps:
            return self.taken
        return datetime.fromisoformat(self.taken).replace(tzinfo=_zone(self.offset)).isoformat()

    def instant(self, assumed: tzinfo) -> datetime | None:
        """The time taken in UTC; `assumed` is the zone of a camera that does not tell its own."""
        if self.taken is None:
            return None
        zone = assumed if self.offset is None else _zone(self.offset)
        return datetime.fromisoformat(self.taken).replace(tzinfo=zone).astimezone(UTC)


def read(image: Image.Image) -> Exif:
    """Read an opened, not necessarily decoded, picture."""
    try:
        tags = image.getexif()
        main: Mapping[int, Any] = dict(tags)
        camera: Mapping[int, Any] = dict(tags.get_ifd(IFD.Exif))
        gps: Mapping[int, Any] = dict(tags.get_ifd(IFD.GPSInfo))
    except Exception as error:  # Pillow's parsers raise nearly anything on hostile bytes
        return Exif(reasons=(_unreadable(error),))
    if not main and image.info.get("exif"):
        return Exif(reasons=(_unreadable(ValueError()),))
    if not main:
        return Exif(reasons=(note("exif-none", "照片没有拍摄信息（EXIF）", "the picture carries no EXIF"),))
    return from_tags(main, camera, gps)


def from_tags(main: Mapping[int, Any], camera: Mapping[int, Any], gps: Mapping[int, Any]) -> Exif:
    """Read the three tag directories of EXIF 2.32 (0th, Exif, GPS)."""
    reasons: list[Reason] = []
    taken = _time(camera, reasons)
    offset, from_gps = _offset(camera, gps, taken)
    lon, lat = _place(gps, reasons)
    return Exif(
        taken=None if taken is None else taken.isoformat(),
        offset=offset,
        offset_from_gps=from_gps,
        lon=lon,
        lat=lat,
        orientation=_orientation(main, reasons),
        reasons=tuple(reasons),
    )


def _unreadable(error: Exception) -> Reason:
    what = type(error).__name__
    return doubtful(
        "exif-unreadable", f"拍摄信息损坏，无法读取（{what}）", f"the EXIF is damaged and cannot be read ({what})"
    )


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""


def _day(text: str) -> str:
    """EXIF writes 2026:11:20, some phones 2026-11-20."""
    return text[:10].replace(":", "-")


def _orientation(main: Mapping[int, Any], reasons: list[Reason]) -> int:
    value = main.get(Base.Orientation, 1)
    if value in range(1, 9):
        return int(value)
    if value != 0:  # 0 is a common "unknown"
        reasons.append(
            note(
                "exif-orientation",
                f"方向标记无效：{value!r:.20}",
                f"the orientation is not one of 1 to 8: {value!r:.20}",
            )
        )
    return 1


def _time(camera: Mapping[int, Any], reasons: list[Reason]) -> datetime | None:
    """The moment of exposure; `DateTime` of the 0th directory is the last change of the file and is not it."""
    text = _text(camera.get(Base.DateTimeOriginal)) or _text(camera.get(Base.DateTimeDigitized))
    if not text:
        reasons.append(note("exif-no-time", "照片没有拍摄时间", "the picture does not tell when it was taken"))
        return None
    try:
        taken = datetime.fromisoformat(f"{_day(text)}T{text[11:19]}")
    except ValueError:
        taken = None
    if taken is None or taken.year < FIRST_YEAR:
        reasons.append(
            doubtful("exif-bad-time", f"拍摄时间无效：{text[:24]}", f"the time taken is not a time: {text[:24]}")
        )
        return None
    return taken


def _offset(camera: Mapping[int, Any], gps: Mapping[int, Any], taken: datetime | None) -> tuple[int | None, bool]:
    """Minutes east of UTC and whether they were derived from the satellites' clock instead of being recorded."""
    for tag in (Base.OffsetTimeOriginal, Base.OffsetTimeDigitized, Base.OffsetTime):
        try:
            recorded = datetime.strptime(_text(camera.get(tag)), "%z").utcoffset()
        except ValueError:
            continue
        if recorded is not None:
            return int(recorded.total_seconds() // 60), False
    satellites = _satellite_time(gps)
    if taken is None or satellites is None:
        return None, False
    minutes = (taken - satellites).total_seconds() / 60
    quarters = round(minutes / 15) * 15
    fits = abs(minutes - quarters) < 5 and -12 * 60 <= quarters <= 14 * 60
    return (quarters, True) if fits else (None, False)


def _satellite_time(gps: Mapping[int, Any]) -> datetime | None:
    """GPSDateStamp with GPSTimeStamp, which are UTC; naive, for subtracting from the wall clock."""
    clock = _numbers(gps.get(GPS.GPSTimeStamp))
    try:
        day = datetime.fromisoformat(_day(_text(gps.get(GPS.GPSDateStamp))))
        return None if clock is None else day + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2])
    except (ValueError, OverflowError):
        return None


def _numbers(value: object) -> tuple[float, float, float] | None:
    """Three finite numbers out of three rationals (degrees, minutes, seconds); None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(cast("Sequence[Any]", value)) != 3:
        return None
    try:
        a, b, c = (float(part) for part in cast("Sequence[Any]", value))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return (a, b, c) if math.isfinite(a + b + c) else None


def _degrees(gps: Mapping[int, Any], tag: int, reference: int, positive: str, negative: str) -> float | None:
    parts = _numbers(gps.get(tag))
    if parts is None:
        return None
    degrees = parts[0] + math.copysign(parts[1] / 60 + parts[2] / 3600, parts[0])
    letter = _text(gps.get(reference))[:1].upper()
    if letter not in (positive, negative):
        return None
    # some phones write the sign into the degrees and the letter as well: one of them is meant
    return -abs(degrees) if letter == negative else degrees


def _place(gps: Mapping[int, Any], reasons: list[Reason]) -> tuple[float, float] | tuple[None, None]:
    if GPS.GPSLatitude not in gps and GPS.GPSLongitude not in gps:
        reasons.append(note("exif-no-place", "照片没有拍摄位置", "the picture does not tell where it was taken"))
        return None, None
    lat = _degrees(gps, GPS.GPSLatitude, GPS.GPSLatitudeRef, "N", "S")
    lon = _degrees(gps, GPS.GPSLongitude, GPS.GPSLongitudeRef, "E", "W")
    if lon is None or lat is None or abs(lon) > 180 or abs(lat) > 90:
        reasons.append(doubtful("exif-bad-place", "拍摄位置不是有效坐标", "the place taken is not a place on Earth"))
        return None, None
    if abs(lon) < 1e-6 and abs(lat) < 1e-6:
        reasons.append(
            doubtful("exif-zero-place", "拍摄位置为 0,0：定位未成功", "the place taken is 0,0: the phone had no fix")
        )
        return None, None
    if _text(gps.get(GPS.GPSStatus)) == "V":
        reasons.append(note("exif-void-fix", "定位标记为无效（V）", "the receiver marked its fix as void (V)"))
    return round(lon, 8), round(lat, 8)
