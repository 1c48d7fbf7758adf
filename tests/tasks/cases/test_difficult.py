"""The library of difficult items: what ships, how it is found, and how a ruling becomes a precedent."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.demo.difficult import PROVENANCE, TOTAL, generated
from app.kernel import db
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from tasks.cases import commands, difficult, difficult_commands, suggestion_commands
from tasks.cases import orders as o
from tasks.cases.difficult import Entry, Library, Sample
from tasks.cases.model import Case
from tasks.cases.problems import CaseNotFound, DifficultItemNotFound
from tests.tasks.cases import stage, steps
from tests.tasks.cases.stage import CENTRE_CLERK, CITIZEN, MARKET_CLERK, NOW, TOWN_CLERK, TRANSPORT_CLERK

SHIPPED = difficult.shipped()


def entry(**changes: Any) -> Entry:
    plain: dict[str, Any] = {
        "title": "示例：跨镇河段养鹅",
        "description": "两镇都说不归自己",
        "keywords": ("养鹅", "河段"),
        "lead": "town",
        "item": "E0118",
    }
    return Entry(**plain | changes)


async def found(text: str) -> list[str]:
    return [each.entry.entry.title for each in await difficult_commands.search(text, CENTRE_CLERK)]


# ---- what ships


def test_at_least_200_written_entries_ship_all_different_and_labelled_as_samples():
    assert len(SHIPPED) >= 200
    assert len({each.entry.title for each in SHIPPED}) == len({each.code for each in SHIPPED}) == len(SHIPPED)
    assert {each.provenance for each in SHIPPED} == {"sample written for this product; not confirmed by a district"}
    assert len(Counter(each.entry.domain for each in SHIPPED)) >= 10


@pytest.mark.parametrize("sample", SHIPPED, ids=lambda sample: sample.code)
def test_every_entry_names_several_who_can_be_found_and_says_why(sample: Sample):
    one = sample.entry
    assert difficult.faults(one) == []
    assert one.assistants
    assert one.lead not in one.assistants
    assert all((one.description, one.keywords, one.basis, one.domain))
    assert one.item is None or stage.CATALOGUE.at(one.item, NOW) is not None


def test_the_demo_fills_the_library_with_generated_entries_that_say_so():
    made = generated(TOTAL - len(SHIPPED))
    assert len(made) + len(SHIPPED) == TOTAL == 2361
    assert len({each.entry.title for each in made}) == len(made)
    assert {each.provenance for each in made} == {PROVENANCE}
    assert all(difficult.faults(each.entry) == [] for each in made)


# ---- finding


ASKED = (
    ("健身房老板跑路，会员卡里的钱退不了", "健身房闭店卷款涉及数千会员"),
    ("楼下开饭店油烟直排，说没有烟道", "商住楼底商餐饮油烟扰民而楼宇无专用烟道"),
    ("雨水管里流出污水，河道发臭", "雨污混接导致小河发臭"),
    ("物业突然走了，电梯停了没人管", "物业突然撤场小区停摆"),
    ("送外卖摔伤了，平台说不是员工", "外卖骑手工伤认定平台劳动关系"),
    ("放学的时候校门口全是小摊，堵得走不动", "学校门口接送高峰拥堵与摊贩混杂"),
    ("电梯里加装，一楼不同意，天天拦着不让施工", "老旧小区加装电梯低层业主阻挠施工"),
    ("积水", "铁路涵洞积水与限高标志缺失"),
)


@pytest.mark.parametrize(("text", "title"), ASKED)
def test_an_entry_is_found_among_2400_by_the_words_people_use(text: str, title: str):
    library = Library()
    titles = {each.code: each.entry for each in [*SHIPPED, *generated(2400 - len(SHIPPED))]}
    ids = {new_id(): code for code in titles}
    for id_, code in ids.items():
        library.put(id_, 1, titles[code])
    hits = library.search(text, 10)
    assert len(hits) <= 10
    assert title in {next(titles[code].title for id_, code in ids.items() if str(id_) == hit.key) for hit in hits}


async def test_what_is_kept_changed_and_retired_is_found_as_it_is_now(place: str):
    await difficult_commands.load(SHIPPED[:20], NOW)
    made = await difficult_commands.create(entry(), CENTRE_CLERK, NOW)
    assert (await found("河里养鹅谁管"))[0] == made.entry.title
    again = await difficult_commands.change(
        made.id, 1, entry(title="示例：桥头卖瓜", description="", keywords=("卖瓜",)), CENTRE_CLERK, NOW
    )
    assert await found("养鹅") == []
    assert (await found("桥头有人卖瓜"))[0] == again.entry.title
    await difficult_commands.retire(made.id, 2, CENTRE_CLERK, NOW)
    assert again.entry.title not in await found("桥头有人卖瓜")
    assert (await difficult_commands.read(made.id, CENTRE_CLERK)).retired_at == NOW


async def test_what_was_rolled_back_is_not_found(real_place: str):
    async def keep_and_fail() -> None:
        async with db.transaction(real_place):
            await difficult_commands.create(entry(), CENTRE_CLERK, NOW)
            assert await found("养鹅")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await keep_and_fail()
    assert await found("养鹅") == []


async def test_loading_again_adds_only_what_is_missing(place: str):
    assert await difficult_commands.load(SHIPPED[:5], NOW) == 5
    assert await difficult_commands.load(SHIPPED[:7], NOW) == 2
    assert len(await difficult_commands.page(None, 50, None, CENTRE_CLERK)) == 7


async def test_the_list_goes_on_after_its_last_entry_and_keeps_to_a_domain(place: str):
    await difficult_commands.load(SHIPPED, NOW)
    first = await difficult_commands.page("消防安全", 5, None, CENTRE_CLERK)
    rest = await difficult_commands.page("消防安全", 200, first[-1].id, CENTRE_CLERK)
    titles = [each.entry.title for each in [*first, *rest]]
    assert titles == [each.entry.title for each in SHIPPED if each.entry.domain == "消防安全"]


# ---- changing


async def test_a_stale_change_is_refused_and_an_unknown_entry_is_not_there(place: str):
    made = await difficult_commands.create(entry(), CENTRE_CLERK, NOW)
    await difficult_commands.change(made.id, 1, entry(basis="依据"), CENTRE_CLERK, NOW)
    with pytest.raises(StaleVersion):
        await difficult_commands.change(made.id, 1, entry(basis="别的"), CENTRE_CLERK, NOW)
    with pytest.raises(DifficultItemNotFound):
        await difficult_commands.retire(new_id(), 1, CENTRE_CLERK, NOW)


async def test_every_bad_field_of_an_entry_is_named(place: str):
    bad = entry(lead="nobody", assistants=("town", "x"), item="NONE", title="a\x00")
    with pytest.raises(Invalid) as refused:
        await difficult_commands.create(bad, CENTRE_CLERK, NOW)
    assert {each.field for each in refused.value.errors} == {"lead", "assistants[1]", "item", "title"}


async def test_only_the_district_centre_writes_in_the_library(place: str):
    with pytest.raises(NotPermitted):
        await difficult_commands.create(entry(), TOWN_CLERK, NOW)


async def test_following_an_entry_is_counted_once_a_case(place: str):
    made = await difficult_commands.create(entry(), CENTRE_CLERK, NOW)
    one, two = await steps.opened(), await steps.opened()
    for case in (one, one, two):
        followed = await difficult_commands.follow(made.id, case.id, TOWN_CLERK, NOW)
    assert followed.used == 2
    with pytest.raises(CaseNotFound):
        await difficult_commands.follow(made.id, new_id(), TOWN_CLERK, NOW)


# ---- rulings


async def disputed(**changes: Any) -> Case:
    """A case returned by the transport bureau and by the market bureau: now the centre rules."""
    case = await steps.opened(lead=stage.TRANSPORT, **changes)
    await steps.play(case, (TRANSPORT_CLERK, o.Return(reason="不归我们")))
    await commands.give(case.id, o.Assign(to=stage.MARKET), CENTRE_CLERK, NOW + timedelta(minutes=2))
    await commands.give(case.id, o.Return(reason="也不归我们"), MARKET_CLERK, NOW + timedelta(minutes=3))
    return case


RULING = o.Rule(
    to=stage.MARKET,
    assistants=(stage.TOWN_CENTRE, stage.ENFORCEMENT),
    reason="经营行为由市场监管牵头",
    basis="演示清单第 3 条",
    precedent=o.Precedent(title="夜市音响租赁摊扰民", keywords=("音响租赁", "夜市")),
)


async def test_a_ruling_becomes_a_precedent_in_the_same_command_and_is_suggested_the_next_time(place: str):
    case = await disputed()
    assert await found("夜市音响租赁摊太吵") == []
    await commands.give(case.id, RULING, CENTRE_CLERK, NOW + timedelta(minutes=4))

    best = (await difficult_commands.search("又是夜市的音响租赁摊", CENTRE_CLERK))[0].entry
    assert (best.origin, best.case_id, best.entry.item) == ("ruling", case.id, "H008")
    assert best.entry.lead == "department:市场监督管理局"
    assert best.entry.assistants == ("town", "force:enforcement")  # of whatever town the next case is in
    assert (best.entry.basis, best.entry.description) == ("演示清单第 3 条", "经营行为由市场监管牵头")

    assert "H008" not in {each.item for each in await suggestion_commands.suggest("音响租赁摊", CITIZEN, NOW)}
    await suggestion_commands.count_words(place, NOW)
    assert "H008" in {each.item for each in await suggestion_commands.suggest("音响租赁摊", CITIZEN, NOW)}


async def test_a_ruling_says_nothing_to_the_library_unless_its_clerk_wants_it(place: str):
    case = await disputed()
    await commands.give(case.id, replace(RULING, precedent=None), CENTRE_CLERK, NOW + timedelta(minutes=4))
    assert await difficult_commands.page(None, 10, None, CENTRE_CLERK) == []


async def test_a_ruling_that_is_refused_leaves_no_precedent(place: str):
    case = await steps.opened()
    with pytest.raises(Exception, match="state"):
        await commands.give(case.id, RULING, CENTRE_CLERK, NOW)
    assert await difficult_commands.page(None, 10, None, CENTRE_CLERK) == []


async def test_the_same_command_again_keeps_one_precedent(place: str):
    case = await disputed()
    order = replace(RULING, command_id=new_id())
    for _ in range(2):
        await commands.give(case.id, order, CENTRE_CLERK, NOW + timedelta(minutes=4))
    assert len(await difficult_commands.page(None, 10, None, CENTRE_CLERK)) == 1


def test_a_precedent_holds_none_of_the_reporters_words():
    case = stage.case(title="张某家楼下吵")
    kept = difficult.ruled(case, RULING, o.Precedent(title="扰民"), stage.DIRECTORY)
    assert "张某" not in str(kept)
