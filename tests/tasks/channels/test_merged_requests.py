"""Five citizens report one thing: the four whose requests are merged follow the fifth's in public words."""

from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from app.kernel import db
from app.notices.wording import Kind
from media import configuration
from tasks.cases import commands as cases
from tasks.cases import intake, queries
from tasks.cases import orders as o
from tasks.cases.intake import Reporter
from tasks.cases.model import Case
from tasks.channels import commands
from tests.app.notices import cases as notices
from tests.tasks.cases import stage, town
from tests.tasks.cases.steps import report

NOW = stage.NOW


@pytest_asyncio.fixture
async def real_place(committed: str, tmp_path: Path) -> str:
    """The made-up town, committed, with a media folder."""
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    await town.commit(committed)
    return committed


async def reported(number: int) -> Case:
    citizen = stage.person(number)
    told = report(reporter=Reporter(id=citizen.id), description=f"第{number}个人说")
    async with db.transaction(stage.DISTRICT):
        return await intake.open(told, citizen, NOW)


async def five() -> list[Case]:
    """Five requests, the last four merged into the first, which is then handled."""
    found = [await reported(n) for n in range(1, 6)]
    for case in found[1:]:
        await notices.give(case, stage.CENTRE_CLERK, o.Merge(into=found[0].id, note="内部：同一家店"))
    await notices.give(found[0], stage.person(1), o.Add(text="第一个人的电话13800001234"), 2)
    await notices.finish(found[0])
    return found


async def test_five_merged_reports_keep_five_citizens_informed_under_their_own_number(real_place: str):
    found = await five()
    await notices.tell(times=2)
    async with db.transaction(real_place):
        rows = await db.fetch("select recipient, kind, about, number from notice where kind = any($1::text[])",
                              [Kind.MERGED, Kind.HANDLED, Kind.CALLING_BACK])  # fmt: skip
    told = sorted((row["recipient"], row["kind"], row["about"], row["number"]) for row in rows)
    merged = [(stage.person(n).id, "merged", found[n - 1].id, found[n - 1].number) for n in range(2, 6)]
    handled = [(stage.person(n).id, "handled", found[n - 1].id, found[n - 1].number) for n in range(2, 6)]
    asked = [(stage.person(1).id, "calling_back", found[0].id, found[0].number)]
    assert told == sorted(merged + handled + asked)


async def test_a_merged_request_shows_how_the_other_goes_on_but_no_word_of_its_citizen(real_place: str):
    found = await five()
    seen = await commands.follow(found[1].id, stage.person(2), 0, NOW + timedelta(hours=1))
    assert seen.state_text == "已与相同诉求合并办理：已办理，请您评价"
    assert [step.text for step in seen.steps][-2:] == ["办理完成", "核查"]
    assert seen.steps[-2].words == "已劝离"
    assert seen.organisation == "甲镇社会治理中心（演示）"
    assert "13800001234" not in str(seen)
    assert "第1个人说" not in str(seen)
    assert "内部" not in str(seen)
    assert seen.number == found[1].number


async def test_taken_apart_it_is_a_request_of_its_own_again(real_place: str):
    one, other = await reported(1), await reported(2)
    await notices.give(other, stage.CENTRE_CLERK, o.Merge(into=one.id))
    await cases.give(other.id, o.Unmerge(reason="内部：另一家店"), stage.CENTRE_CLERK, NOW + timedelta(minutes=9))
    seen = await commands.follow(other.id, stage.person(2), 0, NOW + timedelta(hours=1))
    assert (seen.state, seen.steps[-1].text, seen.steps[-1].words) == ("accepted", "单独办理", "")
    async with db.transaction(real_place):
        assert [each.case for each in await queries.followers(one.id)] == [one.id]
