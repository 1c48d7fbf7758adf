"""Every header of the protocol is read exactly, and what cannot be read is refused."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.problem import Problem
from media import tus
from media.tus import Checksum, Creation, Part

SHA1 = base64.b64encode(hashlib.sha1(b"x").digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
X1, X256 = Checksum("sha1", hashlib.sha1(b"x").digest()), Checksum("sha256", hashlib.sha256(b"x").digest())
TYPE = {"content-type": "application/offset+octet-stream"}


@pytest.mark.parametrize(("headers", "refused"), [
    ({"tus-resumable": "1.0.0"}, False),
    ({"tus-resumable": "0.2.2"}, True),
    ({}, True),
])  # fmt: skip
def test_only_version_1_0_0_is_spoken(headers: dict[str, str], refused: bool) -> None:
    if not refused:
        tus.require_version(headers)
        return
    with pytest.raises(Problem) as caught:
        tus.require_version(headers)
    assert (caught.value.status, caught.value.headers["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize(("raw", "read"), [
    ("", {}),
    ("filename d29ybGQucG5n", {"filename": "world.png"}),
    ("filename d29ybGQucG5n,is_confidential", {"filename": "world.png", "is_confidential": ""}),
    ("a QQ==, b Qg==", {"a": "A", "b": "B"}),
    ("name 5Lit", {"name": "中"}),
    ("empty ", {"empty": ""}),
])  # fmt: skip
def test_metadata_is_keys_with_base64_values_or_none(raw: str, read: dict[str, str]) -> None:
    assert tus.metadata(raw) == read


@pytest.mark.parametrize("raw", ["a QQ==,a QQ==", "a !!!", "名 QQ==", "a Q"])
def test_metadata_that_cannot_be_read_is_refused(raw: str) -> None:
    with pytest.raises(Problem) as caught:
        tus.metadata(raw)
    assert caught.value.status == 400


@pytest.mark.parametrize("length", ["", "-1", "+1", "1.5", "x", "1e9", "９", "9" * 30])
def test_a_length_is_a_number_of_bytes(length: str) -> None:
    assert tus.creation({"upload-length": "12"}) == Creation(12, {}, "")
    with pytest.raises(Problem) as caught:
        tus.creation({"upload-length": length})
    assert caught.value.status == 400


def test_a_deferred_length_is_refused() -> None:
    with pytest.raises(Problem):
        tus.creation({"upload-defer-length": "1"})


@pytest.mark.parametrize(("headers", "read"), [
    ({"upload-offset": "0"}, Part(0, None, None)),
    ({"upload-offset": "7", "content-length": "5"}, Part(7, 5, None)),
    ({"upload-offset": "7", "upload-checksum": f"sha1 {SHA1}"}, Part(7, None, X1)),
    ({"upload-offset": "7", "upload-checksum": f"sha256 {SHA256}"}, Part(7, None, X256)),
])  # fmt: skip
def test_a_part_says_where_it_goes_and_what_it_hashes_to(headers: dict[str, str], read: Part) -> None:
    assert tus.part(TYPE | headers) == read


@pytest.mark.parametrize(("headers", "status"), [
    ({"upload-offset": "0", "content-type": "application/json"}, 415),
    ({"upload-offset": "0", "content-type": ""}, 415),
    ({}, 400),
    ({"upload-offset": "-3"}, 400),
    ({"upload-offset": "0", "upload-checksum": f"md5 {SHA1}"}, 400),
    ({"upload-offset": "0", "upload-checksum": "sha1"}, 400),
    ({"upload-offset": "0", "upload-checksum": f"sha1 {SHA256}"}, 400),
    ({"upload-offset": "0", "upload-checksum": "sha1 !!"}, 400),
])  # fmt: skip
def test_a_part_that_cannot_be_read_is_refused(headers: dict[str, str], status: int) -> None:
    with pytest.raises(Problem) as caught:
        tus.part(TYPE | headers)
    assert caught.value.status == status


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100) | st.none())
def test_bytes_fit_only_where_the_upload_stands_and_within_its_length(
    received: int, more: int, offset: int, size: int | None
) -> None:
    length = received + more
    asked = Part(offset, size, None)
    if offset == received and (size is None or size <= more):
        tus.fit(received, length, asked)
        return
    with pytest.raises(Problem) as caught:
        tus.fit(received, length, asked)
    assert caught.value.status == (409 if offset != received else 413)


@pytest.mark.parametrize(("method", "headers", "meant"), [
    ("POST", {"x-http-method-override": "PATCH"}, "PATCH"),
    ("POST", {"x-http-method-override": "delete"}, "DELETE"),
    ("PATCH", {}, "PATCH"),
])  # fmt: skip
def test_the_method_meant_can_stand_in_a_header(method: str, headers: dict[str, str], meant: str) -> None:
    assert tus.method_of(method, headers) == meant


def test_times_are_written_as_http_dates() -> None:
    assert tus.http_date(datetime(2026, 11, 20, 4, 0, 0, 5, tzinfo=UTC)) == "Fri, 20 Nov 2026 04:00:00 GMT"


def test_the_capabilities_name_all_that_is_offered() -> None:
    told = tus.capabilities(100)
    assert told["Tus-Version"] == "1.0.0"
    assert told["Tus-Max-Size"] == "100"
    assert set(told["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "expiration", "termination", "checksum",
    }  # fmt: skip
    assert told["Tus-Checksum-Algorithm"] == "sha1,sha256"
