"""Rules, calendars and difficult items written by two people at the same moment: one version follows another."""

import asyncio
from collections.abc import Coroutine
from datetime import date
from typing import Any

import pytest

from app.kernel.actor import Role
from app.kernel.problem import Problem, StaleVersion
from tasks.cases import calendar_commands, difficult_commands, rules_commands
from tasks.cases.calendar_commands import ChangedCalendar
from tasks.cases.calendars import CalendarDocument, Day, Year
from tasks.cases.difficult import Entry
from tasks.cases.rules import Rule
from tasks.cases.rules_commands import ChangedDraft, NewDraft
from tests.tasks.cases import stage
from tests.tasks.cases.stage import CENTRE_CLERK, NOW

AUTHOR = CENTRE_CLERK
REVIEWER = stage.staff(50, Role.DISTRICT_CENTRE, stage.CENTRE, stage.DISTRICT)
TO_TOWN = Rule(id="to-town", item="H008", lead="town")
TO_POLICE = Rule(id="to-police", item="H008", lead="force:police")


async def at_once(*several: Coroutine[Any, Any, Any]) -> tuple[list[Any], list[Problem]]:
    """Return the answers and the refusals of what is done at the same moment, each on its own connection."""
    answers = await asyncio.gather(*several, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Problem)]
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(refused) + len(done) == len(answers), answers
    return done, refused


async def drafted(*rules: Rule) -> Any:
    return await rules_commands.write_draft(NewDraft(note="试", rules=rules), AUTHOR, NOW)


async def test_of_drafts_published_at_once_one_is_the_next_version_and_the_others_are_behind(real_place: str):
    first = await drafted(TO_TOWN)
    await rules_commands.publish(first.id, 1, REVIEWER, NOW)
    drafts = [await drafted(rule) for rule in (TO_TOWN, TO_POLICE, Rule(id="all", lead="station | town"))]
    done, refused = await at_once(*(rules_commands.publish(each.id, 1, REVIEWER, NOW) for each in drafts))
    assert ([each.version for each in done], len(refused)) == ([2], 2)
    assert all(isinstance(each, StaleVersion) for each in refused)


@pytest.mark.parametrize("first", ["publish", "change"])
async def test_a_draft_changed_while_it_is_published_is_published_as_reviewed_or_not_at_all(
    real_place: str, first: str
):
    draft = await drafted(TO_TOWN)
    publish = rules_commands.publish(draft.id, 1, REVIEWER, NOW)
    changed = ChangedDraft(version=1, note="改", rules=(TO_POLICE,))
    change = rules_commands.change_draft(draft.id, changed, AUTHOR, NOW)
    done, refused = await at_once(*((publish, change) if first == "publish" else (change, publish)))
    assert (len(done), len(refused)) == (1, 1)
    in_force = await rules_commands.version(None, AUTHOR)
    assert in_force.version == 0 or in_force.rules == (TO_TOWN,)


async def test_of_calendars_written_at_once_one_counts_and_years_taken_at_once_are_all_there(real_place: str):
    days = [CalendarDocument(days=(Day(date=date(2026, 12, n), off=True),)) for n in (4, 11)]
    wanted = [ChangedCalendar(version=0, calendar=each) for each in days]
    done, refused = await at_once(*(calendar_commands.write(each, AUTHOR, NOW) for each in wanted))
    assert (len(done), len(refused)) == (1, 1)
    years = [Year(year=n, days=(Day(date=date(n, 1, 1), off=True),)) for n in (2027, 2028, 2029)]
    done, refused = await at_once(*(calendar_commands.take_year(each, AUTHOR, NOW) for each in years))
    assert (sorted(each.version for each in done), refused) == ([2, 3, 4], [])
    assert (await calendar_commands.show(AUTHOR)).calendar.years == (2027, 2028, 2029)


async def test_of_two_changes_of_a_difficult_item_that_saw_the_same_one_counts(real_place: str):
    made = await difficult_commands.create(Entry(title="示例：桥下堆物", lead="town"), AUTHOR, NOW)
    changed = [Entry(title=f"示例：桥下堆物 {n}", lead="town") for n in range(4)]
    done, refused = await at_once(*(difficult_commands.change(made.id, 1, each, AUTHOR, NOW) for each in changed))
    assert (len(done), len(refused)) == (1, 3)
    assert (await difficult_commands.read(made.id, AUTHOR)).version == 2
