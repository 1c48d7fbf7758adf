"""kill −9 of the server while files go up: nothing acknowledged is lost, and each file ends whole, once."""

import asyncio
import base64
import hashlib
import random
from pathlib import Path

import httpx

from app.kernel import db
from media import configuration, facts, storage
from tests.media.test_commands import declare, ref
from tests.tools import faults, people
from tests.tools.people import Person

PART = 16_384


class Sender:
    """A client that resumes where the server says it stands, for as long as it takes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.acknowledged = 0
        self.lost: list[tuple[int, int]] = []

    async def send(self, client: httpx.AsyncClient) -> None:
        where = None
        while self.acknowledged < len(self.content) or where is None:
            try:
                where = where or await self._begin(client)
                self.acknowledged = await self._ask(client, where)
                while self.acknowledged < len(self.content):
                    self.acknowledged = await self._add(client, where)
            except httpx.TransportError:
                await asyncio.sleep(0.02)
        await self._ask(client, where)  # as one that lost the last answer would

    async def _begin(self, client: httpx.AsyncClient) -> str:
        return (await client.post("/v1/uploads", headers={"Upload-Length": str(len(self.content))})).headers["Location"]

    async def _ask(self, client: httpx.AsyncClient, where: str) -> int:
        standing = int((await client.head(where)).headers["Upload-Offset"])
        if standing < self.acknowledged:
            self.lost.append((self.acknowledged, standing))
        return standing

    async def _add(self, client: httpx.AsyncClient, where: str) -> int:
        part = self.content[self.acknowledged : self.acknowledged + PART]
        headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(self.acknowledged)}
        return int((await client.patch(where, headers=headers, content=part)).headers["Upload-Offset"])


async def test_files_go_up_whole_though_the_server_is_killed(
    committed: str, database_url: str, redis_url: str, root: Path, officer: Person, tmp_path: Path
) -> None:
    chance = random.Random(20261123)
    senders = [Sender(chance.randbytes(1_000_000)) for _ in range(4)]
    owners = [await declare(officer, ref(sender.content, media_type="video/mp4")) for sender in senders]
    environment = {
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MEDIA_URL": root.as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }
    headers = officer.headers | {"Tus-Resumable": "1.0.0"}
    async with (
        faults.phoenix("server", environment, tmp_path / "log") as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=20) as client,
    ):
        sending = asyncio.gather(*(sender.send(client) for sender in senders))
        kills = 0
        while not sending.done() and kills < 6:
            await asyncio.sleep(chance.uniform(0.05, 0.25))
            server.kill()
            await server.risen()
            kills += 1
        await sending
    assert kills >= 2
    assert [sender.lost for sender in senders] == [[]] * 4
    async with db.transaction(committed):
        found = await facts.of(owners)
        assert [found[owner][0].state for owner in owners] == ["stored"] * 4
        assert await db.fetchval("select count(*) from outbox") == 4
    for sender in senders:
        kept = storage.where(configuration.chosen().root, committed, hashlib.sha256(sender.content).hexdigest())
        assert storage.digest(kept) == hashlib.sha256(sender.content).hexdigest()
