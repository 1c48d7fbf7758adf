"""Every MUST of tus 1.0.0 has its test (`tus_musts.toml`); here are those that stand nowhere else."""

import ast
import asyncio
import hashlib
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from media import storage
from tests.media.test_tus_api import CONTENT, TYPE, at, b64, begin, go_on, kept, offset_of
from tests.tools.people import Person

HERE = Path(__file__).parent
MUSTS: list[dict[str, str]] = tomllib.loads((HERE / "tus_musts.toml").read_text())["must"]
HTTP_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def _tests(file: str) -> set[str]:
    tree = ast.parse((HERE / file).read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_must_has_a_test_that_is_there_or_says_what_is_not_offered() -> None:
    for row in MUSTS:
        assert row.keys() in ({"section", "must", "of", "test"}, {"section", "must", "of", "not_offered"}), row
        assert row["of"] in ("server", "client", "both")
        if "test" in row:
            file, _, name = row["test"].partition("::")
            assert name in _tests(file), row["test"]


def test_every_test_of_a_must_here_stands_in_the_table() -> None:
    named = {row["test"].partition("::")[2] for row in MUSTS if row.get("test", "").startswith("test_tus_musts.py::")}
    assert named == {name for name in _tests("test_tus_musts.py") if name not in _ABOUT_MORE}


_ABOUT_MORE = {
    "test_every_must_has_a_test_that_is_there_or_says_what_is_not_offered",
    "test_every_test_of_a_must_here_stands_in_the_table",
    "test_a_full_disk_is_a_problem_and_the_upload_goes_on_when_there_is_room",
}


async def test_every_answer_names_the_version_spoken(client: httpx.AsyncClient) -> None:
    where = await begin(client, 10)
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("POST", "/v1/uploads", {"Upload-Length": "5"}, 201),
        ("POST", "/v1/uploads", {}, 400),
        ("POST", "/v1/uploads", {"Upload-Length": "5", "Authorization": ""}, 401),
        ("HEAD", where, {}, 200),
        ("PATCH", where, at(0), 204),
        ("PATCH", where, at(0), 409),
        ("POST", where, {}, 405),
        ("DELETE", where, {}, 204),
        ("HEAD", where, {}, 410),
    ]
    for method, path, headers, status in asked:
        answer = await client.request(method, path, headers=headers, content=b"hello" if method == "PATCH" else None)
        assert (answer.status_code, answer.headers.get("Tus-Resumable")) == (status, "1.0.0"), (method, status)


@pytest.mark.parametrize("version", ["0.2.2", "1.0.1", "2.0.0", "1.0.0, 0.2.2", ""])
async def test_another_version_is_refused_with_the_one_spoken_and_nothing_is_done(
    client: httpx.AsyncClient, root: Path, version: str
) -> None:
    where = await begin(client, 5)
    other = {"Tus-Resumable": version}
    for method, path, headers in (
        ("POST", "/v1/uploads", {"Upload-Length": "5"}),
        ("HEAD", where, {}),
        ("PATCH", where, at(0)),
        ("DELETE", where, {}),
    ):
        answer = await client.request(method, path, headers=headers | other, content=b"hello")
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
    assert len(list((root / "330109" / "uploads").iterdir())) == 1
    assert await offset_of(client, where) == 0


@pytest.mark.parametrize("actual", ["POST", "PATCH", "DELETE"])
async def test_the_overriding_method_counts_whatever_the_actual_one_is(client: httpx.AsyncClient, actual: str) -> None:
    where = await begin(client, 10)
    asked = await client.request(actual, where, headers={"X-HTTP-Method-Override": "HEAD"})
    assert (asked.status_code, asked.headers["Upload-Offset"]) == (200, "0")
    headers = at(0, X_HTTP_Method_Override="PATCH")
    added = await client.request(actual, where, headers=headers, content=b"hello")
    assert (added.status_code, added.headers["Upload-Offset"]) == (204, "5")
    refused = await client.request(actual, where, headers={"X-HTTP-Method-Override": "PUT"})
    assert refused.status_code == 405
    ended = await client.request(actual, where, headers={"X-HTTP-Method-Override": "DELETE"})
    assert ended.status_code == 204
    assert (await client.head(where)).status_code == 410
    told = await client.post("/v1/uploads", headers={"X-HTTP-Method-Override": "OPTIONS", "Upload-Length": "5"})
    assert (told.status_code, told.headers["Tus-Version"]) == (204, "1.0.0")


async def test_the_offset_is_told_at_zero_and_when_complete(client: httpx.AsyncClient) -> None:
    where = await begin(client, 5)
    for offset in ("0", "5"):
        answer = await client.head(where)
        assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == (offset, "5")
        assert answer.headers["Cache-Control"] == "no-store"
        if offset == "0":
            await client.patch(where, headers=at(0), content=b"hello")


async def test_of_two_parts_for_the_same_place_at_once_one_is_taken(address: str, officer: Person, root: Path) -> None:
    parts = [bytes([n]) * len(CONTENT) for n in range(4)]
    headers = officer.headers | {"Tus-Resumable": "1.0.0"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        where = await begin(client, len(CONTENT))
        answers = await asyncio.gather(*(client.patch(where, headers=at(0), content=part) for part in parts))
        # one that gave way before its first byte is answered 204 at 0: nothing of it was taken
        good = [n for n, answer in enumerate(answers) if answer.status_code == 204]
        taken = [n for n in good if answers[n].headers["Upload-Offset"] != "0"]
        standing = await offset_of(client, where)
        if standing < len(CONTENT):  # the first one gave way to another that came too late for its place
            rest = parts[taken[0]][standing:]
            assert (await client.patch(where, headers=at(standing), content=rest)).status_code == 204
    assert len(taken) == 1
    assert {answer.status_code for n, answer in enumerate(answers) if n not in good} <= {409}
    assert kept(root, parts[taken[0]])


async def test_an_upload_cut_again_and_again_at_any_byte_goes_on_there(
    address: str, officer: Person, root: Path
) -> None:
    chance = random.Random(20261124)
    headers = officer.headers | {"Tus-Resumable": "1.0.0"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        for _ in range(6):
            content = chance.randbytes(chance.choice([1, 1000, 200_000, 1_000_000]))
            where = await begin(client, len(content))
            standing = 0
            for _ in range(8):
                before, rest = standing, content[standing:]
                sent = await _cut(client, where, before, rest, chance)
                standing = await offset_of(client, where)
                assert before <= standing <= before + sent
                if standing == len(content):
                    break
            else:
                await go_on(client, where, content, standing)
            assert kept(root, content)


async def _cut(client: httpx.AsyncClient, where: str, offset: int, rest: bytes, chance: random.Random) -> int:
    """Send a PATCH up to some byte of its head or body and break the connection; how many bytes of the body went."""
    lines = [f"PATCH {httpx.URL(where).path} HTTP/1.1", "Host: x", f"Content-Length: {len(rest)}"]
    lines += [f"{name}: {value}" for name, value in (dict(client.headers) | at(offset)).items()]
    head = "\r\n".join([*lines, "", ""]).encode()
    end = chance.choice([chance.randrange(len(head)), len(head) + chance.randrange(len(rest) + 1)])
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write((head + rest)[:end])
    await writer.drain()
    if chance.random() < 0.5:
        await asyncio.sleep(chance.random() / 20)
    if chance.random() < 0.5:
        writer.transport.abort()
    else:
        writer.close()
    return max(0, end - len(head))


async def test_options_are_answered_whatever_version_is_named(client: httpx.AsyncClient) -> None:
    for version in ("1.0.0", "0.2.2", "nonsense"):
        assert (await client.options("/v1/uploads", headers={"Tus-Resumable": version})).status_code == 204


@pytest.mark.parametrize("headers", [{}, {"Upload-Defer-Length": "1"}, {"Upload-Concat": "final;/v1/uploads/1"}])
async def test_a_creation_without_a_length_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.post("/v1/uploads", headers=headers)).status_code == 400


async def test_a_creation_is_answered_with_an_address_that_works_and_its_end(client: httpx.AsyncClient) -> None:
    direct = await client.post("/v1/uploads", headers={"Upload-Length": "5"})
    proxied = await client.post(
        "/v1/uploads", headers={"Upload-Length": "5", "Host": "zj.example.org:8443", "X-Forwarded-Proto": "https"}
    )
    starts = ("http://test/v1/uploads/", "https://zj.example.org:8443/v1/uploads/")
    for answer, start in zip((direct, proxied), starts, strict=True):
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"].startswith(start)
        assert HTTP_DATE.fullmatch(answer.headers["Upload-Expires"])
        assert await offset_of(client, httpx.URL(answer.headers["Location"]).path) == 0


async def test_bytes_of_another_type_with_a_creation_are_no_part_of_the_upload(client: httpx.AsyncClient) -> None:
    headers = {"Upload-Length": "5", "Content-Type": "text/plain"}
    answer = await client.post("/v1/uploads", headers=headers, content=b"hello")
    assert answer.status_code == 201
    assert await offset_of(client, answer.headers["Location"]) == 0


async def test_the_end_of_an_upload_is_told_until_it_is_complete(client: httpx.AsyncClient) -> None:
    begun = await client.post("/v1/uploads", headers=TYPE | {"Upload-Length": "9"}, content=b"hel")
    where = begun.headers["Location"]
    part = await client.patch(where, headers=at(3), content=b"lo ")
    for answer in (begun, part, await client.head(where)):
        assert HTTP_DATE.fullmatch(answer.headers["Upload-Expires"])
    whole = await client.patch(where, headers=at(6), content=b"you")
    assert "Upload-Expires" not in whole.headers


@pytest.mark.parametrize(("checksum", "status"), [
    (f"sha1 {b64(hashlib.sha1(b'other').digest())}", 460),
    (f"sha256 {b64(hashlib.sha256(b'other').digest())}", 460),
    (f"md5 {b64(hashlib.md5(b'world').digest())}", 400),
    (f"sha256 {b64(b'short')}", 400),
])  # fmt: skip
async def test_a_false_or_unknown_checksum_in_the_middle_changes_nothing(
    client: httpx.AsyncClient, root: Path, checksum: str, status: int
) -> None:
    where = await begin(client, 10)
    await client.patch(where, headers=at(0), content=b"hello")
    answer = await client.patch(where, headers=at(5, Upload_Checksum=checksum), content=b"world")
    assert answer.status_code == status
    assert await offset_of(client, where) == 5
    assert (await client.patch(where, headers=at(5), content=b"there")).status_code == 204
    assert kept(root, b"hellothere")


@pytest.mark.parametrize("checksum", [{}, {"Upload-Checksum": f"sha1 {b64(hashlib.sha1(b'world').digest())}"}])
async def test_a_full_disk_is_a_problem_and_the_upload_goes_on_when_there_is_room(
    client: httpx.AsyncClient, root: Path, checksum: dict[str, Any]
) -> None:
    where = await begin(client, 10)
    path = storage.partial(root, "330109", where.rpartition("/")[2])
    aside = path.with_name(f"{path.name}.part") if checksum else path
    aside.unlink(missing_ok=True)
    aside.symlink_to("/dev/full")  # a device of the kernel that never has room
    answer = await client.patch(where, headers=at(0) | checksum, content=b"world")
    assert (answer.status_code, answer.json()["type"]) == (507, "/problems/storage-full")
    assert answer.headers["Retry-After"] == "60"
    if not checksum:
        path.unlink()
        path.touch()
    assert await offset_of(client, where) == 0
    assert (await client.patch(where, headers=at(0) | checksum, content=b"world")).status_code == 204
