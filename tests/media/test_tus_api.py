"""Uploads over HTTP: by the letter of tus 1.0.0, resumable wherever they break off, open to their beginner alone."""

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.handlers import HTTPRouteHandler
from tusclient.client import TusClient

from app.kernel import clock, db
from media import storage, upload_commands
from media.api import routes as media_routes
from tests.tools.people import Person

TYPE = {"Content-Type": "application/offset+octet-stream"}
CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes


def b64(data: bytes | str) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def at(offset: int, **more: str) -> dict[str, str]:
    return TYPE | {"Upload-Offset": str(offset)} | {name.replace("_", "-"): value for name, value in more.items()}


async def begin(client: httpx.AsyncClient, length: int, metadata: str | None = None, **more: Any) -> str:
    headers = {"Upload-Length": str(length)} | ({} if metadata is None else {"Upload-Metadata": metadata})
    answer = await client.post("/v1/uploads", headers=headers | more)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


async def offset_of(client: httpx.AsyncClient, where: str) -> int:
    answer = await client.head(where)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["Upload-Offset"])


async def go_on(client: httpx.AsyncClient, where: str, content: bytes, start: int) -> None:
    """Send the rest as clients do: a late request of a broken connection may still break in, then once more."""
    for _ in range(5):
        answer = await client.patch(where, headers=at(start), content=content[start:])
        start = int(answer.headers["Upload-Offset"])
        if start == len(content):
            break
    assert answer.status_code in (204, 409)
    assert start == len(content)


def kept(root: Path, content: bytes) -> bool:
    path = storage.where(root, "330109", hashlib.sha256(content).hexdigest())
    return path.exists() and path.read_bytes() == content


async def test_options_tell_what_is_spoken_to_anybody(client: httpx.AsyncClient) -> None:
    answer = await client.options("/v1/uploads", headers={"Authorization": "", "Tus-Resumable": ""})
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert "checksum" in answer.headers["Tus-Extension"]
    assert answer.headers["Tus-Max-Size"] == "4000000"


async def test_a_file_goes_up_in_parts_and_is_kept_by_its_digest(client: httpx.AsyncClient, root: Path) -> None:
    where = await begin(client, len(CONTENT), f"filename {b64('a.mp4')}")
    for start in range(0, len(CONTENT), 300_000):
        part = CONTENT[start : start + 300_000]
        answer = await client.patch(where, headers=at(start), content=part)
        assert answer.status_code == 204
        assert answer.headers["Upload-Offset"] == str(start + len(part))
        assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert kept(root, CONTENT)
    done = await client.head(where)
    assert done.headers["Upload-Offset"] == done.headers["Upload-Length"] == str(len(CONTENT))
    assert done.headers["Upload-Metadata"] == f"filename {b64('a.mp4')}"
    assert done.headers["Cache-Control"] == "no-store"
    assert not list((root / "330109" / "uploads").iterdir())


async def test_bytes_can_come_with_the_creation(client: httpx.AsyncClient, root: Path) -> None:
    answer = await client.post("/v1/uploads", headers=TYPE | {"Upload-Length": "5"}, content=b"hello")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
    assert kept(root, b"hello")


async def test_an_empty_file_is_complete_when_it_is_begun(client: httpx.AsyncClient, root: Path) -> None:
    where = await begin(client, 0)
    assert kept(root, b"")
    assert await offset_of(client, where) == 0


REFUSED: list[tuple[str, str, dict[str, str], int]] = [
    ("no version", "PATCH", {"Tus-Resumable": "", **TYPE, "Upload-Offset": "0"}, 412),
    ("another version", "HEAD", {"Tus-Resumable": "0.2.2"}, 412),
    ("no offset", "PATCH", TYPE, 400),
    ("another offset", "PATCH", at(3), 409),
    ("another type", "PATCH", {"Content-Type": "text/plain", "Upload-Offset": "0"}, 415),
    ("unknown checksum", "PATCH", at(0, Upload_Checksum="crc32 AAAA"), 400),
    ("post without override", "POST", TYPE, 405),
]


@pytest.mark.parametrize(("method", "headers", "status"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
async def test_requests_against_the_protocol_are_refused_and_change_nothing(
    client: httpx.AsyncClient, method: str, headers: dict[str, str], status: int
) -> None:
    where = await begin(client, 10)
    answer = await client.request(method, where, headers=headers, content=b"hello")
    assert answer.status_code == status
    if method != "HEAD":
        assert answer.json()["type"].startswith("/problems/")
    assert await offset_of(client, where) == 0


async def test_a_part_beyond_the_length_is_refused_whether_it_is_announced_or_not(client: httpx.AsyncClient) -> None:
    where = await begin(client, 10)
    assert (await client.patch(where, headers=at(0), content=bytes(11))).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        yield bytes(8)
        yield bytes(8)

    assert (await client.patch(where, headers=at(0), content=unannounced())).status_code == 413
    assert await offset_of(client, where) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_part_with_a_false_checksum_is_thrown_away_whole(client: httpx.AsyncClient, algorithm: str) -> None:
    where = await begin(client, 10)
    good = b64(hashlib.new(algorithm, b"hello").digest())
    answer = await client.patch(where, headers=at(0, Upload_Checksum=f"{algorithm} {good}"), content=b"hallo")
    assert answer.status_code == 460
    assert await offset_of(client, where) == 0
    answer = await client.patch(where, headers=at(0, Upload_Checksum=f"{algorithm} {good}"), content=b"hello")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "5")


async def test_a_file_without_its_promised_digest_is_refused_and_not_kept(
    client: httpx.AsyncClient, root: Path
) -> None:
    where = await begin(client, 5, f"sha256 {b64(hashlib.sha256(b'hello').hexdigest())}")
    answer = await client.patch(where, headers=at(0), content=b"hallo")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/sha256-mismatch")
    assert not kept(root, b"hallo")
    assert (await client.head(where)).status_code == 410


@pytest.mark.parametrize(("metadata", "length", "status"), [
    (f"filetype {b64('image/jpeg')}", 1_000_001, 413),
    (f"filetype {b64('image/jpeg')}", 1_000_000, 201),
    (f"filetype {b64('video/mp4')}", 4_000_000, 201),
    ("", 4_000_001, 413),
    (f"filetype {b64('image/svg+xml')}", 10, 415),
    (f"filetype {b64('text/html')}", 10, 415),
    (f"sha256 {b64('nonsense')}", 10, 422),
    (f"evidence {b64('nonsense')}", 10, 422),
    (f"evidence {b64('0190d4c4-7b1e-7000-8000-000000000000')}", 10, 404),
    ("bad value", 10, 400),
])  # fmt: skip
async def test_what_is_not_taken_is_refused_when_the_upload_begins(
    client: httpx.AsyncClient, metadata: str, length: int, status: int
) -> None:
    answer = await client.post("/v1/uploads", headers={"Upload-Length": str(length), "Upload-Metadata": metadata})
    assert answer.status_code == status
    assert answer.headers["Tus-Resumable"] == "1.0.0"


async def test_the_limit_of_a_day_is_kept(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await begin(client, 4_000_000)
    answer = await client.post("/v1/uploads", headers={"Upload-Length": "1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3600")


async def test_an_upload_of_another_actor_is_not_there(client: httpx.AsyncClient, colleague: Person) -> None:
    where = await begin(client, 5)
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = await client.request(method, where, headers=at(0) | colleague.headers, content=b"hello")
        assert answer.status_code == 404
    assert (await client.head(where, headers={"Authorization": ""})).status_code == 401
    assert await offset_of(client, where) == 0


async def test_a_terminated_upload_is_gone(client: httpx.AsyncClient, root: Path) -> None:
    where = await begin(client, 10)
    await client.patch(where, headers=at(0), content=b"hello")
    assert (await client.delete(where)).status_code == 204
    assert (await client.head(where)).status_code == 410
    assert (await client.patch(where, headers=at(5), content=b"world")).status_code == 410
    assert not list((root / "330109" / "uploads").iterdir())


async def test_bytes_for_an_upload_that_another_process_ended_are_refused_though_its_file_is_still_there(
    client: httpx.AsyncClient, root: Path, committed: str
) -> None:
    where = await begin(client, 5)
    async with db.transaction(committed):
        await db.execute("update upload set outcome = 'terminated', ended_at = created_at")  # and was killed then
    assert (await client.patch(where, headers=at(0), content=b"hello")).status_code == 410
    assert not kept(root, b"hello")


async def test_an_expired_upload_is_gone_and_its_bytes_are_freed(
    client: httpx.AsyncClient, root: Path, committed: str
) -> None:
    where = await begin(client, 10)
    assert "GMT" in (await client.patch(where, headers=at(0), content=b"hello")).headers["Upload-Expires"]
    async with db.transaction(committed):
        await db.execute("update upload set created_at = created_at - interval '8 days', expires_at = created_at")
    assert (await client.head(where)).status_code == 410
    assert await upload_commands.sweep(committed, clock.now()) == 1
    assert not list((root / "330109" / "uploads").iterdir())


async def test_clients_without_patch_say_the_method_in_a_header(client: httpx.AsyncClient, root: Path) -> None:
    where = await begin(client, 5, "")
    answer = await client.post(where, headers=at(0, X_HTTP_Method_Override="PATCH"), content=b"hello")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "5")
    answer = await client.post(where, headers={"X-HTTP-Method-Override": "HEAD"})
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (200, "5")
    assert (await client.post(where, headers={"X-HTTP-Method-Override": "DELETE"})).status_code == 204


@pytest.mark.parametrize("cut", [1, 65_536, 300_000, len(CONTENT) - 1])
async def test_an_upload_cut_at_any_byte_goes_on_there(address: str, officer: Person, root: Path, cut: int) -> None:
    async with httpx.AsyncClient(base_url=address, headers=officer.headers | {"Tus-Resumable": "1.0.0"}) as client:
        where = await begin(client, len(CONTENT))
        lines = [f"PATCH {where} HTTP/1.1", "Host: x", f"Content-Length: {len(CONTENT)}"]
        lines += [f"{name}: {value}" for name, value in (dict(client.headers) | at(0)).items()]
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write("\r\n".join([*lines, "", ""]).encode() + CONTENT[:cut])
        await writer.drain()
        writer.transport.abort()
        assert await reader.read() == b""
        start = await offset_of(client, where)
        assert start <= cut
        await go_on(client, where, CONTENT, start)
    assert kept(root, CONTENT)


async def test_asking_for_the_offset_takes_over_from_a_request_whose_client_is_silent(
    address: str, officer: Person, root: Path
) -> None:
    async with httpx.AsyncClient(base_url=address, headers=officer.headers | {"Tus-Resumable": "1.0.0"}) as client:
        where = await begin(client, 10)
        silent = asyncio.Event()

        async def half() -> AsyncIterator[bytes]:
            yield b"hello"
            silent.set()
            await asyncio.sleep(3600)

        dead = asyncio.create_task(client.patch(where, headers=at(0), content=half()))
        await silent.wait()
        await asyncio.sleep(0.2)
        async with asyncio.timeout(5):
            assert await offset_of(client, where) == 5
        assert (await client.patch(where, headers=at(5), content=b"world")).status_code == 204
        dead.cancel()
    assert kept(root, b"helloworld")


async def test_what_is_too_large_is_refused_before_its_bytes_are_read(address: str, officer: Person) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        lines = ["POST /v1/uploads HTTP/1.1", "Host: x", "Content-Length: 5000000", "Upload-Length: 5000000"]
        lines += ["Tus-Resumable: 1.0.0", f"Authorization: {officer.headers['Authorization']}"]
        lines += ["Content-Type: application/offset+octet-stream", "Expect: 100-continue", "", ""]
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(5):
            assert b"413" in await reader.readline()
        writer.close()


async def test_an_answer_that_was_lost_at_the_end_is_made_good_by_asking(
    client: httpx.AsyncClient, root: Path, committed: str
) -> None:
    where = await begin(client, 5)
    name = where.rpartition("/")[2]
    storage.partial(root, "330109", name).write_bytes(b"hello")  # the server died after its last write
    assert await offset_of(client, where) == 5
    assert kept(root, b"hello")


async def test_an_upload_whose_client_never_asks_again_is_finished_by_the_sweep(
    client: httpx.AsyncClient, root: Path, committed: str
) -> None:
    where = await begin(client, 5)
    storage.partial(root, "330109", where.rpartition("/")[2]).write_bytes(b"hello")
    async with db.transaction(committed):
        await db.execute("update upload set created_at = created_at - interval '1 hour'")
    assert await upload_commands.sweep(committed, clock.now()) == 1
    assert kept(root, b"hello")
    assert await upload_commands.sweep(committed, clock.now()) == 0


@pytest.mark.parametrize("checksum", [False, True])
async def test_the_python_client_of_the_protocol_uploads_unchanged(
    address: str, officer: Person, root: Path, checksum: bool
) -> None:
    def upload() -> None:
        client: Any = TusClient(f"{address}/v1/uploads", headers=dict(officer.headers))
        uploader = client.uploader(
            file_stream=io.BytesIO(CONTENT),
            chunk_size=400_000,
            metadata={"filename": "夜访.jpg", "sha256": hashlib.sha256(CONTENT).hexdigest()},
            upload_checksum=checksum,
        )
        uploader.upload_chunk()
        again = client.uploader(file_stream=io.BytesIO(CONTENT), chunk_size=400_000, url=uploader.url)
        assert again.offset == 400_000
        again.upload()

    await asyncio.to_thread(upload)
    assert kept(root, CONTENT)


def test_only_the_parts_of_an_upload_are_not_counted_by_the_rate_limit() -> None:
    unlimited = {
        handler.fn.__name__
        for handler in media_routes
        if isinstance(handler, HTTPRouteHandler) and handler.opt.get("unlimited")
    }
    assert unlimited == {"ask", "add", "terminate", "override"}
