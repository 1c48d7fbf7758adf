"""What tests of commands do over and over: report, open, play steps, read facts."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.kernel import db
from app.kernel.actor import Actor
from tasks.cases import commands, intake
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tasks.cases.model import Case
from tasks.cases.views import CaseView
from tests.tasks.cases import stage, town

NOW = stage.NOW


def report(**changes: Any) -> Report:
    plain: dict[str, Any] = {
        "source": "citizen",
        "item": "H008",
        "description": "楼下夜里放音乐",
        "reporter": Reporter(id=stage.CITIZEN.id, name="张某", phone="13800001234"),
        "place": town.INSIDE,
        "lead": stage.TOWN_CENTRE,
    }
    return Report(**plain | changes)


async def opened(**changes: Any) -> Case:
    return await intake.open(report(**changes), stage.CITIZEN, NOW)


async def play(case: Case | CaseView, *steps: tuple[Actor, o.Order]) -> CaseView:
    """Give commands one after the other, a minute apart."""
    seen: Any = case
    for n, (actor, order) in enumerate(steps, 1):
        seen = await commands.give(case.id, order, actor, NOW + timedelta(minutes=n))
    return seen


async def facts(case: UUID, kind: str) -> list[Any]:
    return await db.fetch(
        "select distinct on (fact_id) * from fact where kind = $1 and attributes->>'case' = $2"
        " order by fact_id, version desc",
        kind,
        str(case),
    )
