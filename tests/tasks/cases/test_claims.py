"""A claim warns colleagues, stops nobody, ends by itself, and of two clerks at once one has it."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from msgspec.structs import replace

from app.kernel import clock, db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from tasks.cases import claim_commands, commands, intake, queries
from tasks.cases import orders as o
from tasks.cases.claim_commands import ClaimOrder
from tasks.cases.listing import Filter
from tasks.cases.problems import CaseClaimed, CaseNotFound, RoleNotPermitted
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, report
from tests.tools import people

COLLEAGUE = replace(stage.TOWN_CLERK, id=stage.staff(50, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN).id)


async def test_a_claim_is_shown_to_staff_in_detail_and_list_until_it_ends(place: str):
    case = await opened()
    made = await claim_commands.claim(case.id, ClaimOrder(minutes=10), stage.TOWN_CLERK, NOW)
    assert (made.person, made.mine, made.until) == (stage.TOWN_CLERK.id, True, NOW + timedelta(minutes=10))
    shown = (await queries.case(case.id, COLLEAGUE, NOW)).claimed_by
    assert shown == replace(made, mine=False)
    assert [row.claimed_by for row in await queries.cases(Filter(), COLLEAGUE, NOW, 10)] == [shown]
    assert (await queries.case(case.id, stage.CITIZEN, NOW)).claimed_by is None
    ended = NOW + timedelta(minutes=10)
    assert (await queries.case(case.id, COLLEAGUE, ended)).claimed_by is None
    assert [row.claimed_by for row in await queries.cases(Filter(), COLLEAGUE, ended, 10)] == [None]


async def test_a_colleagues_claim_holds_until_it_ends_or_is_taken_over_or_released(place: str):
    case = await opened()
    await claim_commands.claim(case.id, ClaimOrder(minutes=10), stage.TOWN_CLERK, NOW)
    with pytest.raises(CaseClaimed) as caught:
        await claim_commands.claim(case.id, ClaimOrder(), COLLEAGUE, NOW + timedelta(minutes=9))
    assert caught.value.facts["claimed_by"] == str(stage.TOWN_CLERK.id)
    again = await claim_commands.claim(case.id, ClaimOrder(minutes=10), stage.TOWN_CLERK, NOW + timedelta(minutes=5))
    assert again.until == NOW + timedelta(minutes=15)
    taken = await claim_commands.claim(case.id, ClaimOrder(take_over=True), COLLEAGUE, NOW + timedelta(minutes=6))
    assert taken.person == COLLEAGUE.id
    await claim_commands.release(case.id, stage.TOWN_CLERK, NOW)  # not theirs any more: nothing happens
    with pytest.raises(CaseClaimed):
        await claim_commands.claim(case.id, ClaimOrder(), stage.TOWN_CLERK, NOW + timedelta(minutes=7))
    await claim_commands.release(case.id, COLLEAGUE, NOW)
    assert (await claim_commands.claim(case.id, ClaimOrder(), stage.TOWN_CLERK, NOW)).mine
    late = NOW + timedelta(minutes=15)
    assert (await claim_commands.claim(case.id, ClaimOrder(), COLLEAGUE, late)).person == COLLEAGUE.id


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [(stage.MANAGER, None), (stage.STATION_CLERK, RoleNotPermitted), (stage.OTHER_TOWN_CLERK, CaseNotFound)],
)
async def test_only_staff_who_may_act_on_the_case_claim_it(place: str, actor: Actor, refusal: type[Exception] | None):
    case = await opened()
    with pytest.raises(refusal or Exception, match=None if refusal else "Not permitted"):
        await claim_commands.claim(case.id, ClaimOrder(), actor, NOW)


async def test_a_claim_stops_no_command_but_is_told_to_whoever_gives_one(place: str):
    case = await opened()
    await claim_commands.claim(case.id, ClaimOrder(), COLLEAGUE, NOW)
    assert (await commands.give(case.id, o.Sign(), stage.TOWN_CLERK, NOW)).state == "handling"
    told = await claim_commands.warning(case.id, stage.TOWN_CLERK, NOW)
    assert told["Claimed-By"].startswith(str(COLLEAGUE.id))
    assert await claim_commands.warning(case.id, COLLEAGUE, NOW) == {}
    assert await claim_commands.warning(case.id, stage.TOWN_CLERK, NOW + timedelta(hours=3)) == {}


async def test_ended_claims_are_deleted(place: str):
    first, second = await opened(), await opened()
    await claim_commands.claim(first.id, ClaimOrder(minutes=5), stage.TOWN_CLERK, NOW)
    await claim_commands.claim(second.id, ClaimOrder(minutes=50), stage.TOWN_CLERK, NOW)
    await claim_commands.tidy(place, NOW + timedelta(minutes=5))
    assert [row["case_id"] for row in await db.fetch("select case_id from case_claim")] == [second.id]


async def test_of_two_clerks_at_once_one_has_the_case(real_place: str):
    for _ in range(5):
        async with db.transaction(real_place):
            case = await opened()
        answers = await asyncio.gather(
            claim_commands.claim(case.id, ClaimOrder(), stage.TOWN_CLERK, NOW),
            claim_commands.claim(case.id, ClaimOrder(), COLLEAGUE, NOW),
            return_exceptions=True,
        )
        assert sorted(isinstance(each, CaseClaimed) for each in answers) == [False, True]


async def test_over_http_the_answer_to_a_command_names_the_colleague(place: str, http: httpx.AsyncClient):
    case = await intake.open(report(), stage.CITIZEN, clock.now())
    mine, other = [await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN) for _ in range(2)]
    url = f"/v1/cases/{case.id}"
    claimed = await http.post(f"{url}/claim", json={"minutes": 30}, headers=other.headers)
    assert claimed.status_code == 200, claimed.text
    refused = await http.post(f"{url}/claim", json={}, headers=mine.headers)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/case-claimed")
    body = {"version": case.version, "command_id": str(new_id())}
    signed = await http.post(f"{url}/sign", json=body, headers=mine.headers)
    assert signed.status_code == 200, signed.text
    assert signed.headers["Claimed-By"].startswith(str(other.actor.id))
    assert signed.headers["ETag"]
    assert (await http.delete(f"{url}/claim", headers=other.headers)).status_code == 204
    seen = (await http.get(url, headers=mine.headers)).json()
    assert seen["claimed_by"] is None
