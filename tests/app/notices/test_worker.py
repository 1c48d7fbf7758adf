"""The whole way in a worker process of its own: event, notice, signed message, open page."""

import asyncio
import base64
import json
from pathlib import Path

from app.kernel import clock
from app.kernel.actor import Role
from app.notices import commands
from tests.app.notices.cases import opened
from tests.app.notices.conftest import Receiver
from tests.tasks.cases import stage
from tests.tools import faults, people


async def test_a_worker_turns_a_case_into_one_notice_and_one_message(
    real_place: str, receiver: Receiver, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    environment = {
        "ZJW_HOME": str(tmp_path / "home"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MEDIA_URL": (tmp_path / "media").as_uri(),
        "ZJW_JWT_KEY": base64.b64encode(people.SIGNING_KEY).decode(),
        "ZJW_CIPHER_KEYS": "test:" + base64.b64encode(people.CIPHER_KEY).decode(),
        "ZJW_WEBHOOK_URL": f"{receiver.url}/hook",
        "ZJW_WEBHOOK_SECRET": "hook secret",
        "ZJW_QUIET_HOURS": "00:00-00:00",
    }
    clerk = await people.sign_in(real_place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    async with faults.phoenix("worker", environment, tmp_path / "worker.log"), asyncio.timeout(30):
        case = await opened(clock.now())
        while not receiver.got:
            await asyncio.sleep(0.05)
    assert [json.loads(body)["number"] for _, _, body in receiver.got] == [case.number]
    assert [each.number for each in await commands.inbox(clerk.actor, True, None, 10)] == [case.number]
