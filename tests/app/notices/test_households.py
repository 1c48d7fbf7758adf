"""Word of a visit goes to the household's phone, as long as it may be called, and to nobody else."""

import json
from datetime import timedelta

import pytest

from app.kernel import db, event
from app.kernel.ids import new_id
from app.notices import commands, configuration, delivering
from app.notices.wording import Channel
from tests.app.notices.conftest import Receiver
from tests.app.notices.test_delivering import outlets
from tests.visits import stage
from tests.visits.stage import DISTRICT, EVENING, LATER, MORNING, Stage
from visits import commands as visits
from visits import rule_commands, visit_commands
from visits.events import VisitRecorded
from visits.households import Consent, HouseholdChange, Rules
from visits.rule_commands import ChangedRules
from visits.visit import Outcome, VisitReport, moment


@pytest.fixture
async def on(committed: str, receiver: Receiver) -> Stage:
    """A household that was visited, and the event heard twice."""
    configuration.configure(outlets(receiver.url))
    played = await stage.build()
    rules = ChangedRules(version=0, rules=Rules(tell=True))
    await rule_commands.write(rules, played.centre.actor, MORNING)
    report = VisitReport(household=played.homes[0], outcome=Outcome.MET, started_at=EVENING)
    when = moment(EVENING, timedelta(), EVENING)
    await visit_commands.record_visit(new_id(), report, when, played.worker.actor, EVENING)
    async with db.transaction(DISTRICT):
        row = await db.fetchrow("select type, body from outbox where type = 'VisitRecorded'")
        assert row is not None
        happened = event.from_body(row["type"], row["body"])
        assert isinstance(happened, VisitRecorded)
        for _ in range(2):
            await commands.on_visit(happened, LATER)
    return played


async def test_a_household_gets_one_text_message_that_says_how_to_comment(on: Stage, receiver: Receiver) -> None:
    assert [await delivering.deliver_due(DISTRICT, Channel.SMS, LATER) for _ in range(2)] == [1, 0]
    [(path, _, body)] = receiver.got
    said = json.loads(body)
    assert (path, said["to"]) == ("/messages", "13800000000")
    assert said["text"].startswith("网格工作人员于11月23日到您家走访，走访编号")
    assert "小程序" in said["text"]
    async with db.transaction(DISTRICT):
        assert await db.fetchval("select count(*) from notice_address") == 0, "no copy of the number is kept"
        assert await db.fetchval("select count(*) from notice_delivery where channel <> 'sms'") == 0


async def test_a_household_that_says_no_before_it_is_sent_gets_nothing(on: Stage, receiver: Receiver) -> None:
    known = await visits.get_household(on.homes[0], on.leader.actor)
    no = HouseholdChange(version=known.version, consent=Consent.REFUSED)
    await visits.change_household(on.homes[0], no, on.leader.actor, LATER)
    assert await delivering.deliver_due(DISTRICT, Channel.SMS, LATER) == 0
    assert receiver.got == []
    async with db.transaction(DISTRICT):
        assert await db.fetchval("select state from notice_delivery") == "given_up"
