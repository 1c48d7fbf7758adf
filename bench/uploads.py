"""Photos going up by tus, 8 at once in parts of 512 KB, beside a bare ASGI app that writes and syncs as many bytes."""

import asyncio
import hashlib
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.demo.accounts import PASSWORD
from bench.figure import Figure
from bench.load import UnexpectedAnswer, call, request
from bench.platform import Context, Platform

COUNT, SIZE, PART, CLIENTS = 200, 1_500_000, 512 * 1024, 8
VOLUME = 1 << 30
"""Bytes that go up while the memory of the server is watched."""
_TYPE = "Content-Type: application/offset+octet-stream"

Send = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


async def run(context: Context) -> list[Figure]:
    """Uploads a second, and the memory of the server processes over a gigabyte. The worker is off."""
    async with context.platform(demo=True, worker=False) as platform:
        assert platform.demo is not None
        accounts = [account.username for account in platform.demo.accounts]
        tokens = [await _token(platform, accounts[n % len(accounts)]) for n in range(CLIENTS)]
        await _rate(platform.port, [_tus(token) for token in tokens], COUNT // 4)
        before = _memory(platform.port)
        ours = await _rate(platform.port, [_tus(token) for token in tokens], COUNT)
        async with _bare(context.services.home) as port:
            await _rate(port, [_put] * CLIENTS, COUNT // 4)
            bare = await _rate(port, [_put] * CLIENTS, COUNT)
        after, most = await _watched(platform, tokens)
    floor = "bare ASGI app in 2 processes: write + fsync, 512 KB each"
    return [
        Figure(name="tus uploads of 1.5 MB, 8 at once", value=ours, unit="/s", floor=bare, floor_name=floor),
        Figure(name="server memory after 1 GiB more", value=after, unit="MiB", floor=before, floor_name="before it"),
        Figure(name="server memory at its most", value=most, unit="MiB", floor=before, floor_name="before it"),
    ]


async def _token(platform: Platform, username: str) -> str:
    status, answer = await call(
        platform.port, request("POST", "/v1/auth/login", {"username": username, "password": PASSWORD})
    )
    if status != 200:
        raise RuntimeError(f"sign-in: {status} {answer}")
    return answer["access_token"]


async def _rate(port: int, senders: list[Send], count: int) -> float:
    queue = iter(range(count))
    started = time.perf_counter()

    async def client(send: Send) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in queue:
            await send(reader, writer, os.urandom(64) + bytes(SIZE - 64))
        writer.close()

    await asyncio.gather(*map(client, senders))
    return count / (time.perf_counter() - started)


def _tus(token: str) -> Send:
    """One upload: begun with its digest promised, then its parts."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> None:
        common = ("Host: bench", "Tus-Resumable: 1.0.0", f"Authorization: Bearer {token}")
        lines = ("POST /v1/uploads HTTP/1.1", *common, f"Upload-Length: {len(content)}", "Content-Length: 0")
        where = (await _exchange(reader, writer, lines, b"", 201))["location"].partition("//bench")[2]
        for start in range(0, len(content), PART):
            part = memoryview(content)[start : start + PART]
            lines = (
                f"PATCH {where} HTTP/1.1",
                *common,
                _TYPE,
                f"Upload-Offset: {start}",
                f"Content-Length: {len(part)}",
            )
            answer = await _exchange(reader, writer, lines, part, 204)
            if int(answer["upload-offset"]) != start + len(part):
                raise UnexpectedAnswer(str(answer))

    return send


async def _put(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> None:
    """The same parts to the bare app; a new file begins at offset 0."""
    name = hashlib.sha256(content[:64]).hexdigest()
    for start in range(0, len(content), PART):
        part = memoryview(content)[start : start + PART]
        lines = (f"PUT /{name}/{start} HTTP/1.1", "Host: bench", f"Content-Length: {len(part)}")
        await _exchange(reader, writer, lines, part, 204)


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    lines: tuple[str, ...],
    body: bytes | memoryview,
    expect: int,
) -> dict[str, str]:
    writer.write("\r\n".join([*lines, "", ""]).encode())
    writer.write(body)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    if int(head[0].split()[1]) != expect:
        raise UnexpectedAnswer(f"{head[0]}: {content[:500]!r}")
    return headers


async def bare(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    """The floor: append the body to a file of its own and fsync it, with nothing else (an ASGI application)."""
    if scope["type"] != "http":
        return
    path = Path(os.environ["BENCH_FOLDER"]) / scope["path"].split("/")[1]
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        more, block = True, bytearray()
        while more:
            message = await receive()
            block += message.get("body", b"")
            more = message.get("more_body", False)
        await asyncio.to_thread(_write, handle, block)
    finally:
        os.close(handle)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _write(handle: int, block: bytearray) -> None:
    os.write(handle, block)
    os.fsync(handle)


@asynccontextmanager
async def _bare(home: Path) -> AsyncIterator[int]:
    """The bare app in two processes, on the file system of the media store."""
    with TemporaryDirectory(dir=home) as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        probe.close()
        words = ("-m", "uvicorn", "bench.uploads:bare", "--port", str(port), "--workers", "2", "--lifespan", "off")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, "--no-access-log", "--log-level", "error", env=os.environ | {"BENCH_FOLDER": folder}
        )
        try:
            await _answers(port)
            yield port
        finally:
            process.terminate()
            await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def _watched(platform: Platform, tokens: list[str]) -> tuple[float, float]:
    """MiB of the server's processes after a gigabyte more, and the most while it came."""
    sending: Coroutine[Any, Any, float] = _rate(platform.port, [_tus(token) for token in tokens], VOLUME // SIZE)
    task = asyncio.create_task(sending)
    most = 0.0
    while not task.done():
        most = max(most, _memory(platform.port))
        await asyncio.wait({task}, timeout=0.2)
    await task
    after = _memory(platform.port)
    return after, max(most, after)


def _memory(port: int) -> float:
    """Resident MiB of the processes that listen on a port, private pages only (fork shares the rest)."""
    return sum(_private(process) for process in _listening(port)) / 1024


def _listening(port: int) -> list[int]:
    text = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in text]
    nodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = {str(entry.readlink()) for entry in folder.iterdir()}
        except OSError:  # another's, or gone
            continue
        if links & nodes:
            found.append(int(folder.parent.name))
    return found


def _private(process: int) -> int:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
