"""Probable duplicates: found by item, words, place and time, shown with a score to whom they are, merged in bulk."""

from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.kernel.actor import Role
from app.kernel.crs import Datum, Place
from app.kernel.ids import new_id
from tasks.cases import duplicates_commands as duplicates
from tasks.cases import intake, likeness, queries, store
from tasks.cases.intake import Reporter
from tasks.cases.likeness import Told
from tasks.cases.model import Case
from tasks.cases.problems import CaseNotFound
from tests.tasks.cases import stage, town
from tests.tasks.cases.steps import NOW, report
from tests.tools import people

CENTRE = stage.CENTRE_CLERK
ITEM = stage.CATALOGUE.version("H008", 1)
METRE = 1 / 111_195
"""Degrees of latitude."""


def told(metres: float = 0, hours: float = 0, item: str = "H008", text: str = "楼下夜里放音乐很吵") -> Told:
    return Told(
        id=new_id(), item=item, title="", description=text, lon=120.265, lat=30.185 + metres * METRE,
        received_at=NOW + timedelta(hours=hours),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (told(), True),
        (told(metres=298), True),
        (told(metres=302), False),
        (told(hours=71.9), True),
        (told(hours=-71.9), True),
        (told(hours=72.1), False),
        (told(text="完全另一件事情"), True),  # the same item
        (told(item="E0504", text="楼下夜里放音乐，很吵"), True),  # similar words
        (told(item="E0504", text="占道经营"), False),
    ],
)
def test_the_same_item_or_similar_words_within_300_m_and_72_h(other: Told, found: bool):
    assert (likeness.likeness(told(), other, ITEM) is not None) is found


def test_the_thresholds_are_those_of_the_item():
    wide = replace(ITEM, duplicate_metres=1000, duplicate_hours=240)
    assert likeness.likeness(told(), told(metres=900, hours=200), wide) is not None
    narrow = replace(ITEM, duplicate_metres=0, duplicate_hours=0)
    assert likeness.likeness(told(), told(metres=1), narrow) is None
    assert likeness.likeness(told(), told(), narrow) is not None


@given(st.floats(0, 300), st.floats(-72, 72), st.sampled_from(["H008", "E0504"]), st.text(max_size=30))
def test_a_score_is_between_0_and_1_and_falls_with_distance_and_time(m: float, h: float, item: str, text: str):
    far = likeness.likeness(told(), told(m, h, item, text), ITEM)
    near = likeness.likeness(told(), told(m / 2, h / 2, item, text), ITEM)
    if far is not None:
        assert near is not None
        assert 0 <= far.score <= near.score <= 1


async def reported(number: int, **changes: object) -> Case:
    citizen = stage.person(number)
    return await intake.open(report(reporter=Reporter(id=citizen.id), **changes), citizen, NOW)


def north(metres: float) -> Place:
    return Place(lon=town.INSIDE.lon, lat=town.INSIDE.lat + metres * METRE, datum=Datum.WGS84)


async def test_duplicates_are_listed_likeliest_first_and_only_open_ones(place: str):
    case = await reported(1)
    far, near = await reported(2, place=north(200)), await reported(3, place=north(20))
    await reported(4, place=north(400))
    await reported(5, item="E0504", description="占道经营")
    alike = await reported(6, item="E0504", place=north(250))
    over = await reported(7)
    await duplicates.merge_all(case.id, [over.id], "同一件事", CENTRE, 0, NOW)
    found = await duplicates.likely(case.id, CENTRE, NOW, 20)
    assert [each.id for each in found] == [near.id, far.id, alike.id]
    assert [each.same_item for each in found] == [True, True, False]
    assert [each.metres for each in found] == pytest.approx([20, 200, 250], abs=1)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len(await duplicates.likely(case.id, CENTRE, NOW, 1)) == 1


async def test_only_what_the_actor_may_see_is_shown(place: str):
    case = await reported(1, lead=stage.TRANSPORT)
    mine, other = await reported(2, lead=stage.TRANSPORT), await reported(3, lead=stage.MARKET)
    assert {each.id for each in await duplicates.likely(case.id, CENTRE, NOW, 20)} == {mine.id, other.id}
    assert [each.id for each in await duplicates.likely(case.id, stage.TRANSPORT_CLERK, NOW, 20)] == [mine.id]
    with pytest.raises(CaseNotFound):
        await duplicates.likely(other.id, stage.TRANSPORT_CLERK, NOW, 20)


async def test_a_case_without_a_place_has_no_duplicates(place: str):
    case = await reported(1, place=None)
    assert await duplicates.likely(case.id, CENTRE, NOW, 20) == []


async def test_many_are_merged_each_by_itself_and_every_reporter_stays_informed(place: str):
    main, *others = [await reported(n) for n in range(1, 7)]
    strange = new_id()
    wanted = [others[0].id, strange, main.id, *(each.id for each in others[1:]), others[0].id]
    verdicts = await duplicates.merge_all(main.id, wanted, "台风后同一处积水", CENTRE, 0, NOW)
    kinds = {each.case: (each.verdict, each.problem and each.problem["type"]) for each in verdicts}
    assert len(verdicts) == 7
    assert kinds.pop(strange) == ("refused", "/problems/case-not-found")
    assert kinds.pop(main.id) == ("refused", "/problems/transition-refused")
    assert set(kinds.values()) == {("merged", None)}
    assert {each.reporter for each in await queries.followers(main.id)} == {stage.person(n).id for n in range(1, 7)}
    assert [link.type for link in await store.links(main.id)].count("took_in") == 5


async def test_whoever_may_not_merge_is_told_so_for_each(place: str):
    main, other = await reported(1), await reported(2)
    answers = [await duplicates.merge_all(main.id, [other.id], "一样", who, 0, NOW)
               for who in (stage.TOWN_CLERK, stage.MARKET_CLERK)]  # fmt: skip
    assert [each[0].problem["type"] for each in answers if each[0].problem] == [
        "/problems/role-not-permitted",
        "/problems/case-not-found",
    ]
    assert (await store.cases([other.id]))[0].state != "merged"


async def test_bulk_merging_over_http_takes_two_hundred_at_most(district: str, http: httpx.AsyncClient):
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE, new_id())
    body = {"into": str(new_id()), "cases": [str(new_id())], "reason": "演示"}
    answer = await http.post("/v1/cases/merge", json=body, headers=clerk.headers)
    assert [each["verdict"] for each in answer.json()] == ["refused"]
    many = body | {"cases": [str(new_id()) for _ in range(201)]}
    assert (await http.post("/v1/cases/merge", json=many, headers=clerk.headers)).status_code == 422
