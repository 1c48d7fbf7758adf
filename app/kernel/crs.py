"""Places on the ground: the four datums in use converted to under 0.01 m both ways, and distances in metres."""

from collections.abc import Callable
from enum import StrEnum
from math import asin, atan, atan2, cos, hypot, isfinite, pi, radians, sin, sqrt, tan
from typing import Annotated

from msgspec import Meta, Struct

Point = tuple[float, float]  # (longitude, latitude) in degrees


class Datum(StrEnum):
    """The datum a coordinate is given in. CGCS2000 lies within centimetres of WGS-84 and is taken as equal."""

    WGS84 = "wgs84"
    CGCS2000 = "cgcs2000"
    GCJ02 = "gcj02"  # 火星坐标: phones and map sites in China (AMap, Tencent)
    BD09 = "bd09"  # Baidu: a second shift on top of GCJ-02


# The public reconstruction of GCJ-02 (as in coordtransform and eviltransform, MIT) works on the Krassowsky ellipsoid,
# inside this box only: map providers use WGS-84 abroad.
_AXIS, _ECCENTRICITY2 = 6378245.0, 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_BD_PI = pi * 3000.0 / 180.0
_WGS84_AXIS, _WGS84_FLATTENING = 6378137.0, 1 / 298.257223563


def _shifted(lon: float, lat: float) -> Point:
    """WGS-84 to GCJ-02."""
    x, y = lon - 105.0, lat - 35.0
    wave = 20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north += (wave + 20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east += (wave + 20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    phi = radians(lat)
    w2 = 1.0 - _ECCENTRICITY2 * sin(phi) ** 2
    metres_per_lat = pi / 180.0 * _AXIS * (1.0 - _ECCENTRICITY2) / (w2 * sqrt(w2))
    metres_per_lon = pi / 180.0 * _AXIS / sqrt(w2) * cos(phi)
    return lon + east / metres_per_lon, lat + north / metres_per_lat


def _baidu(lon: float, lat: float) -> Point:
    """WGS-84 to BD-09, by way of GCJ-02."""
    x, y = _shifted(lon, lat)
    radius = hypot(x, y) + 0.00002 * sin(y * _BD_PI)
    angle = atan2(y, x) + 0.000003 * cos(x * _BD_PI)
    return radius * cos(angle) + 0.0065, radius * sin(angle) + 0.006


_FROM_WGS84: dict[Datum, Callable[[float, float], Point]] = {Datum.GCJ02: _shifted, Datum.BD09: _baidu}


def _in_china(lon: float, lat: float, margin: float = 0.0) -> bool:
    return _WEST - margin <= lon <= _EAST + margin and _SOUTH - margin <= lat <= _NORTH + margin


def _to_wgs84(lon: float, lat: float, source: Datum) -> Point:
    """Invert by fixed point: each round shrinks the error about 50-fold, so 12 rounds reach the last digit."""
    forward = _FROM_WGS84.get(source)
    if forward is None or not _in_china(lon, lat, margin=1.0):
        return lon, lat
    x, y = lon, lat
    for _ in range(12):
        there = forward(x, y)
        x, y = x - (there[0] - lon), y - (there[1] - lat)
    return (x, y) if _in_china(x, y) else (lon, lat)


def convert(lon: float, lat: float, source: Datum, target: Datum) -> Point:
    """The same place (degrees) in another datum, within 0.01 m there and back; outside China all four are equal."""
    if source == target:
        return lon, lat
    x, y = _to_wgs84(lon, lat, source)
    forward = _FROM_WGS84.get(target)
    return forward(x, y) if forward and _in_china(x, y) else (x, y)


def distance_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Metres between two WGS-84 points on the ellipsoid, by Lambert's formula: within 0.01 % save near antipodes."""
    beta1, beta2 = (atan((1 - _WGS84_FLATTENING) * tan(radians(lat))) for lat in (lat1, lat2))
    half = sin((beta2 - beta1) / 2) ** 2 + cos(beta1) * cos(beta2) * sin(radians(lon2 - lon1) / 2) ** 2
    sigma = 2 * asin(min(1.0, sqrt(half)))
    if half == 0.0 or half > 1.0 - 1e-9:  # the same point; antipodes, where the term diverges
        return _WGS84_AXIS * sigma
    p, q = (beta1 + beta2) / 2, (beta2 - beta1) / 2
    x = (sigma - sin(sigma)) * (sin(p) * cos(q)) ** 2 / (1 - half)
    y = (sigma + sin(sigma)) * (cos(p) * sin(q)) ** 2 / half
    return _WGS84_AXIS * (sigma - _WGS84_FLATTENING / 2 * (x + y))


class Place(Struct, frozen=True):
    """A point as received, with its datum and accuracy in metres. Non-finite or out of range: ValueError."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    datum: Datum
    accuracy_m: Annotated[float, Meta(ge=0)] | None = None

    def __post_init__(self) -> None:
        if not (isfinite(self.lon) and isfinite(self.lat) and abs(self.lon) <= 180 and abs(self.lat) <= 90):
            raise ValueError(f"not a point on Earth 坐标超出范围: {self.lon}, {self.lat}")
        if self.accuracy_m is not None and not (isfinite(self.accuracy_m) and self.accuracy_m >= 0):
            raise ValueError(f"not an accuracy in metres 精度无效: {self.accuracy_m}")

    def wgs84(self) -> Point:
        """(longitude, latitude) in WGS-84, degrees."""
        return convert(self.lon, self.lat, self.datum, Datum.WGS84)
