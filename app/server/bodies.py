"""Reading a whole body before the route does: what is signed or answered once is looked at byte for byte."""

from typing import Any

from litestar.types import Receive

from app.kernel.problem import TooLarge

LARGEST = 10 * 1024 * 1024
"""Bytes of a body that is held in memory; files come through uploads instead."""


async def read(receive: Receive) -> bytes:
    """Return the whole body; TooLarge above LARGEST."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > LARGEST:
            raise TooLarge
        chunks.append(chunk)
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)
