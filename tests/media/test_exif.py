"""Time, place and orientation are read as cameras write them; faults become reasons and never errors."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.kernel.clock import SHANGHAI
from media import exif
from tests.media import photos

HERE = {1: "N", 2: (30.0, 10.0, 12.0), 3: "E", 4: (120.0, 16.0, 12.0)}


def gps(**changes: Any) -> dict[int, Any]:
    names = {"lat_ref": 1, "lat": 2, "lon_ref": 3, "lon": 4, "time": 7, "day": 29, "status": 9}
    return HERE | {names[name]: value for name, value in changes.items()}


def codes(read: exif.Exif) -> list[str]:
    return [reason.code for reason in read.reasons]


@pytest.mark.parametrize(
    "row",
    [r for r in photos.manifest() if r["has_gps"] == "yes" and r["reason"] != "truncated"],
    ids=lambda r: r["file"],
)
def test_places_and_times_of_real_photos_are_those_of_the_manifest(row: dict[str, str]) -> None:
    if row["type"] == "HEIC":
        from pillow_heif.as_plugin import HeifImageFile

        Image.register_open("HEIF", HeifImageFile)
    with Image.open(photos.FOLDER / row["file"]) as image:
        read = exif.read(image)
    assert read.lon == pytest.approx(float(row["lon"]), abs=1e-5)
    assert read.lat == pytest.approx(float(row["lat"]), abs=1e-5)
    assert read.taken == row["taken_at"].replace(":", "-", 2).replace(" ", "T")


@pytest.mark.parametrize(
    ("tags", "lon", "lat", "code"),
    [
        (gps(), 120.27, 30.17, None),
        (gps(lat_ref="S", lon_ref="W"), -120.27, -30.17, None),
        (gps(lon_ref="W", lon=(-120.0, 16.0, 12.0)), -120.27, 30.17, None),  # sign written twice
        (gps(lat=(0.0, 0.0, 0.0), lon=(0.0, 0.0, 0.0)), None, None, "exif-zero-place"),
        (gps(lat=(95.0, 0.0, 0.0)), None, None, "exif-bad-place"),
        (gps(lat=(float("nan"), 0.0, 0.0)), None, None, "exif-bad-place"),
        (gps(lat=(30.0, 10.0)), None, None, "exif-bad-place"),
        (gps(lat="30"), None, None, "exif-bad-place"),
        (gps(lat_ref=None), None, None, "exif-bad-place"),
        (gps(status="V"), 120.27, 30.17, "exif-void-fix"),
        ({}, None, None, "exif-no-place"),
    ],
)
def test_a_place_is_signed_by_its_letters_or_says_what_is_wrong(
    tags: dict[int, Any], lon: float | None, lat: float | None, code: str | None
) -> None:
    read = exif.from_tags({}, {}, tags)
    assert (read.lon, read.lat) == (pytest.approx(lon) if lon else None, pytest.approx(lat) if lat else None)
    assert code is None or code in codes(read)


@pytest.mark.parametrize(
    ("camera", "tags", "text", "instant", "code"),
    [
        ({0x9003: "2026:11:20 19:05:00", 0x9011: "+08:00"}, {}, "2026-11-20T19:05:00+08:00", "2026-11-20T11:05", None),
        ({0x9003: "2026:11:20 19:05:00"}, {}, "2026-11-20T19:05:00", "2026-11-20T11:05", None),
        ({0x9004: "2026:11:20 19:05:00"}, {}, "2026-11-20T19:05:00", "2026-11-20T11:05", None),
        (  # the satellites tell the zone the camera is set to
            {0x9003: "2026:11:20 12:05:10"},
            gps(day="2026:11:20", time=(11.0, 4.0, 58.0)),
            "2026-11-20T12:05:10",
            "2026-11-20T11:05",
            None,
        ),
        ({0x9003: "0000:00:00 00:00:00"}, {}, None, None, "exif-bad-time"),
        ({0x9003: "2026:13:45 99:00:00"}, {}, None, None, "exif-bad-time"),
        ({0x9003: "1970:01:01 00:00:00"}, {}, None, None, "exif-bad-time"),
        ({0x9003: b"2026:11:20 19:05:00\0"}, {}, "2026-11-20T19:05:00", "2026-11-20T11:05", None),
        ({0x9003: "2026:11:20 19:05:00", 0x9011: "nonsense"}, {}, "2026-11-20T19:05:00", "2026-11-20T11:05", None),
        ({}, {}, None, None, "exif-no-time"),
    ],
)
def test_the_time_taken_is_the_exposure_in_its_own_zone(
    camera: dict[int, Any], tags: dict[int, Any], text: str | None, instant: str | None, code: str | None
) -> None:
    read = exif.from_tags({}, camera, tags)
    assert read.taken_at == text
    found = read.instant(SHANGHAI)
    assert (found and found.replace(second=0, tzinfo=None)) == (instant and datetime.fromisoformat(instant))
    assert found is None or found.tzinfo is UTC
    assert code is None or code in codes(read)


@pytest.mark.parametrize(("value", "read_as"), [(6, 6), (1, 1), (0, 1), (9, 1), ("x", 1), (None, 1)])
def test_an_orientation_that_is_none_counts_as_upright(value: object, read_as: int) -> None:
    assert exif.from_tags({0x0112: value}, {}, {}).orientation == read_as


anything = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.tuples(st.floats(), st.floats(), st.floats()),
)


@given(
    st.dictionaries(st.just(0x0112), anything),
    st.dictionaries(st.sampled_from([0x9003, 0x9004, 0x9010, 0x9011, 0x9012]), anything),
    st.dictionaries(st.sampled_from([1, 2, 3, 4, 7, 9, 29]), anything),
)
def test_whatever_stands_in_the_tags_nothing_breaks(
    main: dict[int, Any], camera: dict[int, Any], tags: dict[int, Any]
) -> None:
    read = exif.from_tags(main, camera, tags)
    assert read.orientation in range(1, 9)
    assert read.instant(SHANGHAI) is None or read.taken_at is not None
    assert (read.lon is None) == (read.lat is None)


@given(st.binary(max_size=300))
def test_whatever_bytes_stand_for_exif_nothing_breaks(noise: bytes) -> None:
    image = Image.open(io.BytesIO(photos.jpeg(Image.new("RGB", (8, 8)))))
    image.info["exif"] = b"Exif\0\0" + noise
    assert exif.read(image).orientation in range(1, 9)
