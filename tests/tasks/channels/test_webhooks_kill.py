"""kill −9 of a worker that is sending: what it had under way is sent by another, nothing else twice, all in order."""

import asyncio
import base64
from collections import defaultdict
from pathlib import Path
from uuid import uuid4

from app.kernel import db
from tasks.channels import webhook_sending
from tests.tasks.channels import receivers as r
from tests.tasks.channels.receivers import NOW, Receiver
from tests.tools import faults, people


async def test_what_a_killed_worker_was_sending_is_sent_again_by_another(
    committed: str, receiver: Receiver, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    environment = {
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
    }
    await r.hook(f"{receiver.url}/slow")
    cases = [uuid4() for _ in range(20)]
    await r.told(*(r.opened(case) for case in cases), *(r.moved(case, 2) for case in cases))
    receiver.hanging.add("/slow")
    log = tmp_path / "worker.log"
    async with faults.phoenix("worker", environment, log) as worker:
        async with asyncio.timeout(30):
            while len(receiver.got) < webhook_sending.AT_ONCE:
                receiver.came.clear()
                await receiver.came.wait()
        worker.kill()
        await worker.risen()
    lost = {got.event["id"] for got in receiver.got}
    assert await r.rows("state") == [("waiting",)] * 40
    receiver.hanging.clear()
    receiver.got.clear()
    under_lease = webhook_sending.AT_ONCE
    # what others hold stays theirs till their lease ends; the clock of the worker is the real one
    async with db.transaction(committed):
        until = await db.fetchval("select max(leased_until) from webhook_delivery")
        await db.execute("update webhook_delivery set next_try_at = $1", NOW)
    free = await r.send(until - webhook_sending.LEASE)
    assert free <= 2 * (20 - under_lease)
    assert not lost & {got.event["id"] for got in receiver.got}
    assert free + await r.send(until) == 40
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for got in receiver.got:
        versions[got.case].append(got.version)
    assert list(versions.values()) == [[1, 2]] * 20  # once each, and in order
    assert lost <= {got.event["id"] for got in receiver.got}
