"""A lean HTTP/1.1 client for load: keep-alive connections that send prepared requests one after another."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct


class Outcome(Struct, frozen=True):
    """What a run of load gave: requests a second, and times of single requests in seconds, sorted."""

    rate: float
    times: list[float]

    def percentile(self, part: float) -> float:
        """Milliseconds within which this part of the requests was answered."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * part))] * 1000


class UnexpectedAnswer(RuntimeError):
    """A status other than the expected one; carries the body."""


def request(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
    """A request as it goes over the wire; `body` becomes JSON."""
    content = b"" if body is None else msgspec.json.encode(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def load(port: int, clients: int, requests: Sequence[bytes], expect: int = 200) -> Outcome:
    """Sends all requests over `clients` connections. Raises UnexpectedAnswer for any status but `expect`."""
    queue = iter(requests)
    started = time.perf_counter()
    times = await asyncio.gather(*(_client(port, queue, expect) for _ in range(clients)))
    elapsed = time.perf_counter() - started
    return Outcome(len(requests) / elapsed, sorted(single for each in times for single in each))


async def _client(port: int, queue: Iterator[bytes], expect: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    for each in queue:
        started = time.perf_counter()
        writer.write(each)
        status, body = await _answer(reader)
        times.append(time.perf_counter() - started)
        if status != expect:
            raise UnexpectedAnswer(f"{status} instead of {expect}: {body.decode(errors='replace')[:500]}")
    writer.close()
    return times


async def call(port: int, prepared: bytes) -> tuple[int, Any]:
    """One request on a connection of its own; gives status and decoded JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(prepared)
    status, body = await _answer(reader)
    writer.close()
    return status, msgspec.json.decode(body) if body else None


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, prepared: bytes) -> tuple[int, bytes]:
    """One request on an open connection; gives status and body."""
    writer.write(prepared)
    return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    status = int(head[0].split()[1])
    if headers.get("transfer-encoding") == "chunked":
        return status, await _chunks(reader)
    return status, await reader.readexactly(int(headers.get("content-length", "0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


def repeat(make: Callable[[int], bytes], numbers: Iterable[int]) -> list[bytes]:
    """Requests made from numbers."""
    return [make(number) for number in numbers]
