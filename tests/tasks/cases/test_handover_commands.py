"""A leaver's open turns have another handler afterwards, suspended ones too, and the trace says who and when."""

from datetime import timedelta
from uuid import UUID

from app.kernel import db
from app.kernel.actor import system
from app.kernel.ids import new_id
from tasks.cases import commands, handover_commands, intake, store, trail
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tasks.cases.model import Leg
from tests.tasks.cases import stage, town

NOW = stage.NOW
LATER = NOW + timedelta(hours=1)
LEAVER, HEIR = new_id(), new_id()


async def signed(handler: UUID | None = LEAVER) -> UUID:
    """A case the town has signed for, with a handler."""
    reporter = Reporter(id=stage.CITIZEN.id)
    report = Report(
        source="citizen", item="H008", description="演示", reporter=reporter, place=town.INSIDE, lead=stage.TOWN_CENTRE
    )
    case = await intake.open(report, stage.CITIZEN, NOW)
    await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)
    if handler is not None:
        await commands.give(case.id, o.SetHandler(person=handler), stage.TOWN_CLERK, NOW)
    return case.id


async def leg(case: UUID) -> Leg:
    return (await store.legs(case))[-1]


async def test_open_turns_of_the_leaver_get_the_other_handler_and_a_step_in_the_trace(place: str):
    mine, others, free = await signed(), await signed(new_id()), await signed(None)
    before = {case: (await leg(case)).handler for case in (others, free)}
    assert await handover_commands.hand_over(place, LEAVER, HEIR, LATER) == 1
    assert (await leg(mine)).handler == HEIR
    assert {case: (await leg(case)).handler for case in (others, free)} == before
    step = (await store.links(mine))[-1]
    assert (step.type, step.at, step.body["person"]) == ("handler_set", LATER, str(HEIR))
    assert step.actor == system(place, "handover").id
    assert (await trail.verify_all(place)).broken is None
    assert await handover_commands.hand_over(place, LEAVER, HEIR, LATER) == 0


async def test_a_suspended_case_is_handed_over_too(place: str):
    case = await signed()
    asked = o.Request(kind="suspension", until=NOW + timedelta(days=3), reason="等待材料")
    await commands.give(case, asked, stage.TOWN_CLERK, NOW)
    assert (await commands.give(case, o.Grant(), stage.CENTRE_CLERK, NOW)).state == "suspended"
    assert await handover_commands.hand_over(place, LEAVER, HEIR, LATER) == 1
    assert (await leg(case)).handler == HEIR


async def test_what_was_handed_up_stays_in_the_name_of_who_did_it(place: str):
    case = await signed()
    await db.execute("update case_leg set state = 'submitted' where case_id = $1", case)
    assert await handover_commands.hand_over(place, LEAVER, HEIR, LATER) == 0
    assert (await leg(case)).handler == LEAVER


async def test_cases_the_leaver_is_in_charge_of_get_another_clerk_unless_they_are_complained_about(place: str):
    mine, against_the_heir = await signed(None), await signed(None)
    for case in (mine, against_the_heir):
        await commands.give(case, o.SetCaseHandler(person=LEAVER), stage.CENTRE_CLERK, NOW)
    heirs = [str(HEIR)]
    await db.execute("update cases set complained_about = $2 where id = $1", against_the_heir, heirs)
    assert await handover_commands.hand_over(place, LEAVER, HEIR, LATER) == 1
    rows = await db.fetch("select id, handler from cases where handler is not null")
    assert {row["id"]: row["handler"] for row in rows} == {mine: HEIR, against_the_heir: LEAVER}
