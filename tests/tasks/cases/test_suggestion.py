"""Which item a text is about: measured on sentences people write, and on aliases the model has not seen."""

import csv
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from app.kernel import db
from tasks.cases import (
    catalogue_commands,
    catalogue_files,
    queries,
    routing,
    rules_commands,
    suggestion,
    suggestion_commands,
)
from tasks.cases.listing import Filter
from tasks.cases.rules import Rule
from tasks.cases.rules_commands import NewDraft
from tasks.cases.suggestion import Example, Model
from tasks.channels import commands as channels
from tasks.channels.citizen import Request
from tests.tasks.cases import stage, steps, town
from tests.tasks.cases.stage import CENTRE_CLERK, CITIZEN, NOW, TOWN_CLERK

ITEMS = catalogue_files.shipped()
MODEL = Model(ITEMS, {})
TABLE = Path(__file__).parent / "tables" / "suggestion.csv"
SENTENCES = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
"""What people write, with the items that would all be right."""


def test_of_sentences_people_write_nine_in_ten_find_their_item_among_five_and_eight_in_ten_at_once():
    found = [
        ([each.item for each in MODEL.suggest(row["text"], citizen=True)], row["item"].split()) for row in SENTENCES
    ]
    assert len(found) >= 50
    assert sum(bool({*items} & {*right}) for items, right in found) / len(found) >= 0.9
    assert sum(bool({*items[:1]} & {*right}) for items, right in found) / len(found) >= 0.8


def test_an_alias_the_model_has_not_seen_is_found_by_its_words_every_second_time():
    asked = [(item, alias) for item in ITEMS if item.citizen for alias in item.aliases][::4]
    hits = 0
    for item, alias in asked:
        rest = tuple(each for each in item.aliases if each != alias)
        model = Model([replace(each, aliases=rest) if each is item else each for each in ITEMS], {})
        hits += item.code in [each.item for each in model.suggest(alias, citizen=True)]
    assert len(asked) > 80
    assert hits / len(asked) >= 0.45


def test_a_text_without_telling_words_is_left_to_the_desk():
    for text in ("你好", "今天天气真不错", "我想问一下", "asdf qwer", "，。！", "1234567", "谢谢你们"):
        assert MODEL.suggest(text) == []


def test_at_most_five_come_best_first_with_scores_between_0_and_1_and_the_words_that_speak_for_them():
    found = MODEL.suggest("路灯坏了，路上积水，垃圾没人清，井盖也没了，噪音很大，违停")
    assert len(found) == 5
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert all(0 < each.score < 1 and each.words for each in found)
    assert any("路灯" in word for each in found if each.item == "H305" for word in each.words)


def test_a_citizen_is_not_led_to_what_only_staff_choose():
    assert MODEL.suggest("紧急求救有人落水")[0].item == "SOS"
    assert "SOS" not in {each.item for each in MODEL.suggest("紧急求救有人落水", citizen=True)}


def test_where_the_words_leave_no_doubt_they_are_right_and_there_is_doubt_often_enough():
    chosen = [(suggestion.sure(MODEL.suggest(row["text"], citizen=True)), row["item"].split()) for row in SENTENCES]
    certain = [(item, right) for item, right in chosen if item is not None]
    assert len(chosen) / 3 < len(certain) < len(chosen)
    assert [item for item, right in certain if item not in right] == []
    assert suggestion.sure([]) is None


def test_closed_cases_teach_words_the_catalogue_does_not_have():
    text = "铁皮石斛大棚被冰雹砸烂"
    assert MODEL.suggest(text) == []
    learned = suggestion.learn([Example("D05", "铁皮石斛大棚受损要求赔偿")] * suggestion.SEEN)
    assert Model(ITEMS, learned).suggest(text)[0].item == "D05"


def test_a_word_of_a_single_case_is_not_kept_it_could_say_who_wrote_it():
    assert suggestion.learn([Example("D05", "张三丰家的大棚")]) == {}
    assert suggestion.learn([Example("D05", "大棚受损", precedent=True)])["D05"]


async def test_the_words_of_closed_cases_are_counted_by_the_schedule_and_used_afterwards(place: str):
    text = "铁皮石斛大棚被冰雹砸烂"
    for _ in range(suggestion.SEEN):
        case = await steps.opened(item="D05", description="铁皮石斛大棚受损要求赔偿")
        await db.execute("update cases set state = 'closed' where id = $1", case.id)
    assert await suggestion_commands.suggest(text, CITIZEN, NOW) == []
    assert await suggestion_commands.count_words(place, NOW) == suggestion.SEEN
    assert (await suggestion_commands.suggest(text, CITIZEN, NOW))[0].item == "D05"
    kept = await db.fetchrow("select cases, words from suggestion_statistics")
    assert kept is not None
    assert kept["cases"] == suggestion.SEEN
    assert "石斛" in kept["words"]["D05"]


async def test_a_new_item_is_suggested_at_once_and_a_retired_one_no_more(place: str):
    new = replace(ITEMS[0], code="X001", name="冰雹砸大棚", aliases=("石斛大棚",))
    await catalogue_commands.change(new, CENTRE_CLERK, NOW)
    assert (await suggestion_commands.suggest("石斛大棚坏了", CITIZEN, NOW))[0].item == "X001"
    await catalogue_commands.retire("X001", CENTRE_CLERK, NOW, NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    assert "X001" not in {each.item for each in await suggestion_commands.suggest("石斛大棚坏了", CITIZEN, later)}


async def test_a_planned_item_is_suggested_from_its_time_on_and_a_changed_one_by_its_new_words(place: str):
    later = NOW + timedelta(days=3)
    new = replace(ITEMS[0], code="X001", name="冰雹砸大棚", aliases=("石斛大棚",))
    await catalogue_commands.change(new, CENTRE_CLERK, NOW, later)
    assert await suggestion_commands.suggest("石斛大棚坏了", CITIZEN, NOW) == []
    assert (await suggestion_commands.suggest("石斛大棚坏了", CITIZEN, later))[0].item == "X001"


async def test_a_citizens_request_without_an_item_gets_the_one_its_words_leave_no_doubt_about(place: str):
    lamp = await channels.submit(Request(text="门口路灯坏了三天了，晚上路太黑", place=town.INSIDE), CITIZEN, 0, NOW)
    odd = await channels.submit(Request(text="有件事想说一说", place=town.INSIDE), CITIZEN, 0, NOW)
    items = {row["id"]: row["item"] for row in await db.fetch("select id, item from cases")}
    assert (items[lamp.id], items[odd.id]) == ("H305", "G001")


async def test_under_the_threshold_a_request_waits_at_the_desk_for_a_clerk_and_the_reason_says_so(place: str):
    odd = await channels.submit(Request(text="有件事想说一说", place=town.INSIDE), CITIZEN, 0, NOW)
    assert odd.state == "received"  # not handed on as if the citizen had chosen 其他诉求
    assert [case.id for case in await queries.cases(Filter(state=("received",)), TOWN_CLERK, NOW, 10)] == [odd.id]
    said = await queries.routing(odd.id, CENTRE_CLERK, NOW)
    assert (said.lead, said.reason) == (None, routing.UNSORTED)
    chosen = await channels.submit(Request(text="别的事情", item="G001", place=town.INSIDE), CITIZEN, 0, NOW)
    assert chosen.state == "assigned"


async def test_a_rule_that_holds_whatever_the_item_decides_on_unsorted_words_too(place: str):
    fight = await channels.submit(Request(text="有人持刀，打起来了", place=town.INSIDE), CITIZEN, 0, NOW)
    said = await queries.routing(fight.id, CENTRE_CLERK, NOW)
    assert (fight.state, said.rule, said.lead) == ("assigned", "fight", stage.POLICE)


async def test_the_back_test_leaves_unsorted_words_to_the_desk_as_intake_did(place: str):
    await channels.submit(Request(text="有件事想说一说", place=town.INSIDE), CITIZEN, 0, NOW)
    new = NewDraft(note="试", rules=(Rule(id="idle", item="E0101", lead="town"),))
    draft = await rules_commands.write_draft(new, CENTRE_CLERK, NOW)
    found = await rules_commands.back_test(draft.id, 10, CENTRE_CLERK, NOW)
    assert (found.cases, found.same, found.moved) == (1, 1, 0)


def test_the_town_of_the_tests_has_the_shipped_catalogue():
    assert stage.CATALOGUE.at("H305", NOW) is not None
