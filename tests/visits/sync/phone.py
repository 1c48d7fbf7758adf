"""The worker's phone: it pushes and pulls."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import Actor
from tests.visits import stage
from tests.visits.stage import EVENING, Stage
from visits.sync import commands
from visits.sync.feed import Pull, PullAnswer

LATER = EVENING + timedelta(hours=1)


async def pushed(on: Stage, *ops: Any, now: datetime = LATER, **changes_: Any) -> list[dict[str, Any]]:
    """Push as the worker and return the verdicts, decoded."""
    answer = await commands.push(stage.push(on, *ops, **changes_), on.worker.actor, now)
    return [msgspec.json.decode(raw) for raw in answer.verdicts]


async def words(on: Stage, *ops: Any, **changes_: Any) -> list[str]:
    return [verdict["verdict"] for verdict in await pushed(on, *ops, **changes_)]


async def pull(on: Stage, known: PullAnswer | None = None, actor: Actor | None = None, **changes_: Any) -> PullAnswer:
    """Pull as the worker's phone, from where the answer before left it."""
    ask = Pull(device_id=on.device, app_schema=2, limit=1000)
    if known is not None:
        ask = replace(ask, epoch=known.epoch, buckets={name: page.cursor for name, page in known.buckets.items()})
    return await commands.pull(replace(ask, **changes_), actor or on.worker.actor, LATER)


async def count(table: str) -> int:
    return await db.fetchval(f"select count(*) from {table}")
