"""Reply templates: who keeps and uses which, and what a case fills in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.actor import Actor
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from tasks.cases import orders as o
from tasks.cases import replies, reply_commands
from tasks.cases.problems import CaseNotFound, ReplyTemplateNotFound
from tasks.cases.reply_commands import ChangedTemplate, NewTemplate
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play


async def kept(title: str, actor: Actor, **more: Any):
    fields: dict[str, Any] = {"title": title, "body": "您好"} | more
    new = NewTemplate(**fields)
    return await reply_commands.add(new, actor, NOW)


async def titles(actor: Actor, item: str | None = None) -> list[str]:
    return [each.title for each in await reply_commands.templates(item, actor, NOW)]


# ---- filling


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("编号{number}，{due}前办结", []),
        ("{phone}", ["phone"]),
        ("{number.__class__}", ["number.__class__"]),
        ("{number!r}", ["number!r"]),
        ("{}", [""]),
        ("{number", ["{"]),
        ("number}", ["}"]),
        ("{{number}}", []),
    ],
)
def test_a_placeholder_that_does_not_exist_is_named(body: str, wrong: list[str]):
    assert replies.faults(body) == wrong


def test_a_value_the_case_lacks_is_a_dash_and_named_once():
    text, missing = replies.fill("{number}：{due}、{due} {{x}}", {"number": "XS-1", "due": None})
    assert text == f"XS-1：{replies.MISSING}、{replies.MISSING} {{x}}"
    assert missing == ("due",)


@given(st.text(alphabet=st.characters(exclude_characters="{}")), st.text())
def test_text_without_braces_stays_and_values_are_not_read_again(text: str, value: str):
    assert replies.fill(text, {}) == (text, ())
    if value:
        assert replies.fill("{number}", {"number": value}) == (value, ())


# ---- keeping


async def test_a_station_uses_its_own_its_towns_and_the_districts_templates(place: str):
    await kept("区", stage.CENTRE_CLERK)
    await kept("镇", stage.TOWN_CLERK, organisation=stage.TOWN_CENTRE)
    await kept("村", stage.STATION_CLERK, organisation=stage.STATION)
    await kept("他镇", stage.OTHER_TOWN_CLERK, organisation=stage.OTHER_TOWN)
    assert sorted(await titles(stage.STATION_CLERK)) == ["区", "村", "镇"]
    assert sorted(await titles(stage.TOWN_CLERK)) == ["区", "镇"]
    assert sorted(await titles(stage.CENTRE_CLERK)) == ["他镇", "区", "村", "镇"]


async def test_for_an_item_its_own_templates_come_first(place: str):
    await kept("a 通用", stage.CENTRE_CLERK)
    await kept("b 噪声", stage.CENTRE_CLERK, item="H008")
    await kept("c 其他", stage.CENTRE_CLERK, item="H305")
    assert await titles(stage.TOWN_CLERK, "H008") == ["b 噪声", "a 通用"]


async def test_what_is_wrong_with_a_template_is_said(place: str):
    plain: dict[str, Any] = {"title": "x", "actor": stage.TOWN_CLERK, "organisation": stage.TOWN_CENTRE}
    refused: list[tuple[str, dict[str, Any]]] = [
        ("body", {"body": "{phone}"}),
        ("body", {"title": "{x}"}),
        ("item", {"item": "nope"}),
        ("organisation", {"organisation": stage.OTHER_TOWN}),
        ("organisation", {"organisation": None}),
    ]
    for field, more in refused:
        with pytest.raises(Invalid) as caught:
            await kept(**(plain | more))
        assert caught.value.errors[0].field == field
    with pytest.raises(NotPermitted):
        await kept("x", stage.OFFICER, organisation=stage.ENFORCEMENT)


async def test_a_template_is_changed_and_thrown_away_by_its_own_organisation(place: str):
    made = await kept("镇", stage.TOWN_CLERK, organisation=stage.TOWN_CENTRE)
    for actor in (stage.STATION_CLERK, stage.OTHER_TOWN_CLERK):
        with pytest.raises(ReplyTemplateNotFound):
            await reply_commands.change(made.id, ChangedTemplate(title="x", body="y"), actor, NOW)
        with pytest.raises(ReplyTemplateNotFound):
            await reply_commands.remove(made.id, actor, NOW)
    changed = await reply_commands.change(
        made.id, ChangedTemplate(title="新", body="{number}", version=1), stage.TOWN_CLERK, NOW
    )
    assert (changed.title, changed.version) == ("新", 2)
    with pytest.raises(StaleVersion):
        await reply_commands.change(made.id, ChangedTemplate(title="x", body="y", version=1), stage.TOWN_CLERK, NOW)
    assert await reply_commands.template(made.id, stage.STATION_CLERK, NOW) == changed
    await reply_commands.remove(made.id, stage.TOWN_CLERK, NOW)
    with pytest.raises(ReplyTemplateNotFound):
        await reply_commands.template(made.id, stage.TOWN_CLERK, NOW)


# ---- using


async def test_a_case_fills_the_template(place: str):
    made = await kept(
        "关于{item}", stage.CENTRE_CLERK, body="{number} 由{organisation}办理，期限{due}；{state}；结果：{result}"
    )
    case = await opened()
    found = await reply_commands.reply(case.id, made.id, stage.TOWN_CLERK, NOW)
    assert found.title.startswith("关于")
    assert "{" not in found.title
    assert found.text.startswith(f"{case.number} 由甲镇社会治理中心（演示）办理，期限2026年")
    assert found.text.endswith(f"；待签收；结果：{replies.MISSING}")
    assert found.missing == ("result",)
    await play(
        case, (stage.TOWN_CLERK, o.Sign()), (stage.TOWN_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),)))
    )
    assert (await reply_commands.reply(case.id, made.id, stage.TOWN_CLERK, NOW)).text.endswith("结果：已劝离")


async def test_neither_a_foreign_case_nor_a_foreign_template_is_filled(place: str):
    case = await opened()
    made = await kept("镇", stage.TOWN_CLERK, organisation=stage.TOWN_CENTRE)
    with pytest.raises(ReplyTemplateNotFound):
        await reply_commands.reply(case.id, made.id, stage.OTHER_TOWN_CLERK, NOW)
    district = await kept("区", stage.CENTRE_CLERK)
    with pytest.raises(CaseNotFound):
        await reply_commands.reply(case.id, district.id, stage.OTHER_TOWN_CLERK, NOW)
