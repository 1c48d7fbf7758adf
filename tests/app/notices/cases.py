"""Cases opened and moved for tests of notices, and their events brought to the subscriber as the worker does."""

from datetime import datetime, timedelta
from typing import Any

from app.kernel import db, event
from app.kernel.actor import Actor
from app.notices import commands
from app.notices.store import NoticeView
from tasks.cases import commands as cases
from tasks.cases import intake
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tasks.cases.model import Case
from tests.tasks.cases import stage, town

NOW = stage.NOW


async def opened(now: datetime = NOW, **changes: Any) -> Case:
    """A citizen's case, assigned to the town's centre."""
    plain: dict[str, Any] = {
        "source": "citizen",
        "item": "H008",
        "description": "楼下夜里放音乐",
        "reporter": Reporter(id=stage.CITIZEN.id, name="张某", phone="13800001234"),
        "place": town.INSIDE,
        "lead": stage.TOWN_CENTRE,
    }
    async with db.transaction(stage.DISTRICT):
        return await intake.open(Report(**plain | changes), stage.CITIZEN, now)


async def give(case: Case, actor: Actor, order: o.Order, minutes: int = 1) -> None:
    """Give a command some minutes later."""
    await cases.give(case.id, order, actor, NOW + timedelta(minutes=minutes))


async def tell(now: datetime = NOW, times: int = 1) -> None:
    """Bring every waiting event of cases to the subscriber, as often as asked, and take it off the outbox."""
    async with db.transaction(stage.DISTRICT):
        rows = await db.fetch(
            "delete from outbox where type in ('CaseOpened', 'CaseMoved') returning event_id, type, body"
        )
    for row in sorted(rows, key=lambda row: row["event_id"]):
        happened: Any = event.from_body(row["type"], row["body"])
        for _ in range(times):
            async with db.transaction(stage.DISTRICT):
                await commands.on_case(happened, now)


async def notices() -> list[tuple[Any, str, str]]:
    """All notices as (recipient, kind, zh), in the order they were made."""
    async with db.transaction(stage.DISTRICT):
        rows = await db.fetch("select recipient, kind, zh from notice order by id")
    return [(row["recipient"], row["kind"], row["zh"]) for row in rows]


async def deliveries() -> list[dict[str, Any]]:
    """All deliveries."""
    async with db.transaction(stage.DISTRICT):
        return [dict(row) for row in await db.fetch("select * from notice_delivery order by id")]


def only(rows: list[NoticeView]) -> NoticeView:
    """The one row."""
    assert len(rows) == 1
    return rows[0]


async def finish(case: Case) -> None:
    """Sign, work, submit and verify: the reporter is asked for a rating."""
    await give(case, stage.TOWN_CLERK, o.Sign())
    await give(case, stage.TOWN_CLERK, o.Record(work="已到现场"), 2)
    await give(case, stage.TOWN_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),)), 3)
    await give(case, stage.CENTRE_CLERK, o.Verify(passed=True), 4)
