"""Derivatives are small, upright once and without metadata; the hash knows a picture again however it is turned."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from media import derivatives
from tests.media import photos


def stored(orientation: int, picture: Image.Image) -> Image.Image:
    """The picture as a camera held that way stores it, with the orientation in its EXIF."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    exif = Image.Exif()
    exif[0x0112] = orientation
    if orientation != 1:
        picture = picture.transpose(Image.Transpose(undo[orientation]))
    return Image.open(io.BytesIO(photos.jpeg(picture, exif, quality=95)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_out_upright_whichever_way_the_camera_was_held(orientation: int) -> None:
    picture = photos.drawn()
    derived, hashes = derivatives.derive(stored(orientation, picture), orientation)
    upright = derivatives.hashes(picture)[0]
    assert (derived[0].width, derived[0].height) == picture.size
    assert derivatives.apart(hashes[0], upright) <= 2
    shown = Image.open(io.BytesIO(derived[0].content))
    assert derivatives.apart(derivatives.hashes(shown)[0], upright) <= 2


@pytest.mark.parametrize(("size", "sizes"), [
    ((3000, 2000), [(1280, 853), (320, 213)]),
    ((2000, 3000), [(853, 1280), (213, 320)]),
    ((640, 480), [(640, 480), (320, 240)]),
    ((10, 8), [(10, 8), (10, 8)]),
])  # fmt: skip
def test_derivatives_fit_their_limit_and_never_grow(size: tuple[int, int], sizes: list[tuple[int, int]]) -> None:
    derived, _ = derivatives.derive(Image.open(io.BytesIO(photos.jpeg(photos.drawn(size=size)))), 1)
    assert [one.variant for one in derived] == [1280, 320]
    assert [(one.width, one.height) for one in derived] == sizes


def test_derivatives_are_webp_without_any_metadata() -> None:
    with Image.open(photos.FOLDER / "jpg__orientation__landscape_6.jpg") as image:
        assert image.info["icc_profile"]
        derived, _ = derivatives.derive(image, 6)
    with Image.open(photos.FOLDER / "jpg__gps__DSCN0010.jpg") as image:
        more, _ = derivatives.derive(image, 1)
    for one in [*derived, *more]:
        assert one.content[8:12] == b"WEBP"
        shown = Image.open(io.BytesIO(one.content))
        assert not {"exif", "icc_profile", "xmp"} & set(shown.info)
        assert not shown.getexif()


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "1", "CMYK", "LA", "I;16"])
def test_pictures_of_every_kind_can_be_derived(mode: str) -> None:
    picture = photos.drawn(size=(400, 300)).convert("L" if mode == "I;16" else mode.replace("LA", "RGBA"))
    content = io.BytesIO()
    picture.convert(mode).save(content, "TIFF" if mode == "CMYK" else "PNG")
    derived, _ = derivatives.derive(Image.open(content), 1)
    assert Image.open(io.BytesIO(derived[1].content)).mode == "RGB"


@given(st.integers(1, 500), st.sampled_from(Image.Transpose))
def test_a_turned_or_mirrored_picture_is_known_again(seed: int, turn: Image.Transpose) -> None:
    picture = photos.drawn(seed)
    known = derivatives.hashes(picture)
    turned = derivatives.hashes(picture.transpose(turn))[0]
    assert min(derivatives.apart(turned, one) for one in known) <= derivatives.SAME_PICTURE


def test_a_picture_saved_again_smaller_is_known_again_and_another_is_not() -> None:
    with Image.open(photos.FOLDER / "jpg__gps__DSCN0010.jpg") as image:
        one = derivatives.hashes(image.convert("RGB"))[0]
        again = Image.open(io.BytesIO(photos.jpeg(image.resize((400, 300)), quality=40)))
    with Image.open(photos.FOLDER / "jpg__Nikon_E885.jpg") as image:
        other = derivatives.hashes(image.convert("RGB"))
    same = derivatives.hashes(again)[0]
    assert derivatives.apart(one, same) <= derivatives.SAME_PICTURE
    assert set(derivatives.bands(one)) & set(derivatives.bands(same))
    assert min(derivatives.apart(one, turned) for turned in other) > derivatives.SAME_PICTURE


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 63), max_size=3))
def test_hashes_that_differ_in_three_bits_share_a_band(value: int, flipped: list[int]) -> None:
    other = value
    for bit in flipped:
        other ^= 1 << bit
    assert set(derivatives.bands(value)) & set(derivatives.bands(other))
    assert all(0 <= band < 2**31 for band in derivatives.bands(value))


@pytest.mark.parametrize("colour", ["black", "white", "grey", "navy"])
def test_a_picture_without_features_is_never_taken_for_another(colour: str) -> None:
    assert not any(map(derivatives.is_distinct, derivatives.hashes(Image.new("RGB", (640, 480), colour))))
    assert all(map(derivatives.is_distinct, derivatives.hashes(photos.drawn())))
