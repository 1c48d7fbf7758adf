"""Datum conversion agrees with published values, is exact there and back, and refuses what is not a place."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.crs import Datum, Place, convert, distance_m

# Published test values of eviltransform and coordtransform (MIT), whose inverses are not iterated and up to 1 m off:
# source, lon, lat, target, lon, lat
KNOWN = [
    ("wgs84", 121.5272106, 31.1774276, "gcj02", 121.531541859215, 31.17530398364597),
    ("wgs84", 113.912316, 22.543847, "gcj02", 113.9171764808363, 22.540796131694766),
    ("wgs84", 116.377817, 39.911954, "gcj02", 116.38404722455657, 39.91334545536069),
    ("wgs84", 116.404, 39.915, "gcj02", 116.41024449916938, 39.91640428150164),
    ("gcj02", 116.404, 39.915, "bd09", 116.41036949371029, 39.92133699351021),
    ("bd09", 116.404, 39.915, "gcj02", 116.39762729119315, 39.90865673957631),
    ("bd09", 123.0, 45.0, "wgs84", 122.98762210, 44.99171540),
]

china_lon, china_lat = st.floats(73.5, 135), st.floats(3.5, 53.5)
datums = st.sampled_from(Datum)


@pytest.mark.parametrize(("source", "lon", "lat", "target", "x", "y"), KNOWN)
def test_conversions_agree_with_published_values(
    source: str, lon: float, lat: float, target: str, x: float, y: float
) -> None:
    found = convert(lon, lat, Datum(source), Datum(target))
    assert distance_m(*found, x, y) < (1.0 if source == "bd09" else 0.01)


@given(china_lon, china_lat, datums, datums)
def test_there_and_back_is_the_same_place_to_a_millimetre(lon: float, lat: float, one: Datum, other: Datum) -> None:
    back = convert(*convert(lon, lat, one, other), other, one)
    assert distance_m(lon, lat, *back) < 0.001


@given(st.floats(-180, 180), st.floats(-90, 90), datums, datums)
def test_any_place_on_earth_converts_to_a_place_on_earth(lon: float, lat: float, one: Datum, other: Datum) -> None:
    x, y = convert(lon, lat, one, other)
    assert -180 <= x <= 180
    assert -90 <= y <= 90
    assert distance_m(lon, lat, x, y) < 5_000


@given(st.floats(-180, 70), st.floats(-90, 90), datums, datums)
def test_outside_china_all_datums_are_equal(lon: float, lat: float, one: Datum, other: Datum) -> None:
    assert convert(lon, lat, one, other) == (lon, lat)


def test_the_shifts_across_xiaoshan_are_about_500_m_and_1_km() -> None:
    lon, lat = 120.27, 30.17
    assert 400 < distance_m(lon, lat, *convert(lon, lat, Datum.WGS84, Datum.GCJ02)) < 600
    assert 1_000 < distance_m(lon, lat, *convert(lon, lat, Datum.WGS84, Datum.BD09)) < 1_300


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        # Flinders Peak - Buninyon, the test line of Vincenty's paper, and the length of a degree on WGS-84
        ((144.42486788888888, -37.95103341666667), (143.92649552777777, -37.65282113888889), 54972.271),
        ((0, 0), (1, 0), 111319.491),
        ((0, 0), (0, 1), 110574.389),
        ((0, -90), (0, 90), 20003931),
    ],
)
def test_distances_agree_with_the_ellipsoid(
    one: tuple[float, float], other: tuple[float, float], metres: float
) -> None:
    assert distance_m(*one, *other) == pytest.approx(metres, rel=2e-3 if metres > 1e7 else 1e-5)


@given(china_lon, china_lat, china_lon, china_lat)
def test_distance_is_symmetric_and_zero_to_itself(a: float, b: float, c: float, d: float) -> None:
    assert distance_m(a, b, c, d) == pytest.approx(distance_m(c, d, a, b))
    assert distance_m(a, b, a, b) == 0


@pytest.mark.parametrize(
    ("lon", "lat", "accuracy"),
    [
        (math.nan, 30, None),
        (120, math.inf, None),
        (181, 30, None),
        (120, -90.5, None),
        (120, 30, -1),
        (120, 30, math.nan),
    ],
)
def test_what_is_not_a_place_is_refused(lon: float, lat: float, accuracy: float | None) -> None:
    with pytest.raises(ValueError, match="not a"):
        Place(lon, lat, Datum.WGS84, accuracy)


def test_a_place_from_the_wire_names_its_bad_field() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.lon"):
        msgspec.json.decode(b'{"lon": 200, "lat": 30, "datum": "gcj02"}', type=Place)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.lon"):
        msgspec.msgpack.decode(msgspec.msgpack.encode({"lon": math.nan, "lat": 30.0, "datum": "gcj02"}), type=Place)
    place = msgspec.json.decode(b'{"lon": 120.27, "lat": 30.17, "datum": "gcj02"}', type=Place)
    assert place.wgs84() == convert(120.27, 30.17, Datum.GCJ02, Datum.WGS84)
