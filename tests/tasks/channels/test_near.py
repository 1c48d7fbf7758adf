"""What a citizen sees of others' cases and joins, what they report for somebody else, and how often they may ask."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.server import limits
from app.server.limits import Limit
from tasks.cases import commands as cases
from tasks.cases import orders as o
from tasks.cases import queries
from tasks.cases.model import Severity
from tests.tasks.cases import stage, town
from tests.tools import people
from tests.tools.people import Person

HERE = {"lon": 120.26541, "lat": 30.18463, "datum": "wgs84"}
HANDLED = (
    (stage.STATION_CLERK, o.Sign()),
    (stage.STATION_CLERK, o.Submit(result="已劝离", evidence=(stage.photo(),))),
    (stage.CENTRE_CLERK, o.Verify(passed=True)),
)
NEAR = "/v1/citizen/near?lon=120.2654&lat=30.1846"


async def reported(http: httpx.AsyncClient, who: Person, **changes: object) -> str:
    sent = {"text": "窗下摆摊堵门", "item": "E0504", "place": HERE} | changes
    answer = await http.post("/v1/citizen/requests", json=sent, headers=who.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def looked_at(district: str, case: str, *orders: o.Order) -> None:
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
    for order in orders or (o.Amend(severity=Severity.URGENT),):
        await cases.give(UUID(case), order, clerk.actor, clock.now())


async def ids(http: httpx.AsyncClient, who: Person, url: str = NEAR) -> list[str]:
    return [each["id"] for each in (await http.get(url, headers=who.headers)).json()]


async def test_near_ones_are_item_and_rounded_place_once_a_clerk_has_looked(district: str, http: httpx.AsyncClient):
    await town.build()
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    case = await reported(http, wang)
    assert await ids(http, li) == []
    await looked_at(district, case)
    assert (await http.get(NEAR, headers=li.headers)).json() == [
        {"id": case, "item": "E0504", "item_name": stage.CATALOGUE.version("E0504", 1).name,
         "lon": 120.265, "lat": 30.185, "datum": "wgs84"}
    ]  # fmt: skip
    assert await ids(http, wang) == []
    assert await ids(http, li, "/v1/citizen/near?lon=120.28&lat=30.1846") == []
    gcj = "/v1/citizen/near?lon=120.2654&lat=30.1846&datum=gcj02&metres=100"
    assert await ids(http, li, gcj) == []  # some 500 m away in truth


async def test_the_circle_is_around_the_rounded_place(district: str, http: httpx.AsyncClient):
    await town.build()
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    first = await reported(http, wang)
    other = await reported(http, wang, place={"lon": 120.26459, "lat": 30.18537, "datum": "wgs84"})
    for case in (first, other):
        await looked_at(district, case)
    for metres in range(100, 200, 10):
        for lon in (120.2640, 120.2645, 120.2655, 120.2660):
            seen = await ids(http, li, f"/v1/citizen/near?lon={lon}&lat=30.1855&metres={metres}")
            assert len(seen) != 1, "a circle would tell two cases of one rounded place apart"


async def test_hidden_ended_and_complaining_cases_are_near_to_nobody(district: str, http: httpx.AsyncClient):
    await town.build()
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    catalogue = (await http.get("/v1/items", headers=wang.headers)).json()
    hidden = next(each["code"] for each in catalogue if each["privacy"] == "desk")
    secret, over, about = [
        await reported(http, wang, item=code, text=f"窗下摆摊堵门 {n}")
        for n, code in enumerate((hidden, "E0504", "E0504"))
    ]
    await looked_at(district, secret)
    await looked_at(district, over, o.Withdraw())
    await looked_at(district, about)
    await db.execute("update cases set complained_about = $2 where id = $1", UUID(about), [str(stage.MARKET)])
    assert await ids(http, li) == []
    for case in (secret, over, about, await reported(http, wang), str(new_id())):
        answer = await http.post(f"/v1/citizen/requests/{case}/join", json={}, headers=li.headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/case-not-found")


async def test_who_joins_is_informed_and_tapping_twice_is_joining_once(district: str, http: httpx.AsyncClient):
    await town.build()
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    case = await reported(http, wang)
    await looked_at(district, case)
    path = f"/v1/citizen/requests/{case}"
    answers = [await http.post(f"{path}/join", json={}, headers=li.headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert set(answers[0].json()) == {"id", "item", "item_name", "lon", "lat", "datum"}
    told = [each.reporter for each in await queries.followers(UUID(case))]
    assert sorted(told) == sorted([wang.actor.id, li.actor.id])
    assert await ids(http, li) == []
    assert (await http.get(path, headers=li.headers)).status_code == 404  # still nothing of the other's words
    assert (await http.post(f"{path}/join", json={}, headers=wang.headers)).status_code == 404  # one's own


async def test_who_joined_follows_it_in_plain_words_without_any_of_its_reporter(district: str, http: httpx.AsyncClient):
    await town.build()
    wang, li, zhao = [await people.sign_in_citizen(district) for _ in range(3)]
    first, other = await reported(http, wang, item="H008"), await reported(http, zhao, item="H008")
    for case in (first, other):
        await looked_at(district, case)
    await http.post(f"/v1/citizen/requests/{other}/join", json={}, headers=li.headers)
    path = f"/v1/citizen/joined/{other}"
    [row] = (await http.get("/v1/citizen/joined", headers=li.headers)).json()
    assert set(row) == {"id", "number", "item_name", "joined_at", "lon", "lat", "state", "state_text", "expected_by"}
    assert (row["id"], row["lon"], row["lat"]) == (other, round(row["lon"], 3), round(row["lat"], 3))
    now = clock.now()
    words = o.Add(text="赵某的电话13800009999")
    await cases.give(UUID(other), words, zhao.actor, now + timedelta(minutes=1))
    await cases.give(UUID(other), o.Merge(into=UUID(first)), stage.CENTRE_CLERK, now + timedelta(minutes=2))
    for n, (actor, order) in enumerate(HANDLED):
        await cases.give(UUID(first), order, actor, now + timedelta(minutes=3 + n))
    seen = (await http.get(path, headers=li.headers)).json()
    [row] = (await http.get("/v1/citizen/joined", headers=li.headers)).json()
    assert row["state"] == "calling_back"
    assert seen["state_text"] == "已办理，请您评价"
    assert [each["text"] for each in seen["steps"]][-2:] == ["办理完成", "核查"]
    assert "已劝离" in str(seen)
    assert not [said for said in ("13800009999", "赵某", "窗下") if said in str(seen)]
    for who in (wang, zhao):  # of one's own, and of what one did not join, nothing is here
        assert (await http.get(path, headers=who.headers)).status_code == 404
        assert (await http.get("/v1/citizen/joined", headers=who.headers)).json() == []
    exported = (await http.get("/v1/citizen/export", headers=li.headers)).json()
    assert [each["id"] for each in exported["joined"]] == [other]
    await http.post("/v1/citizen/erase", headers=li.headers)
    assert not await db.fetch("select from case_reporter where reporter = $1", li.actor.id)


async def test_a_request_for_somebody_else_keeps_their_contact_sealed_and_once(district: str, http: httpx.AsyncClient):
    await town.build()
    wang = await people.sign_in_citizen(district)
    for_mother = {"id": str(new_id()), "phone": "13900000001", "on_behalf_of": {"name": "王母", "phone": "13900000002"}}
    case, again = [await reported(http, wang, **for_mother) for _ in range(2)]
    assert case == again
    rows = await db.fetch("select kind, name, phone from case_reporter where case_id = $1", UUID(case))
    assert [row["kind"] for row in rows] == ["resident"]
    assert "王母" not in str(rows)
    assert "13900000002" not in str(rows)
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
    seen = await queries.contact(UUID(case), "电话回访", clerk.actor, clock.now())
    assert [(each.name, each.phone) for each in seen.others] == [("王母", "13900000002")]
    wrong = {"text": "路灯不亮", "on_behalf_of": {"name": "", "phone": "1"}}
    assert (await http.post("/v1/citizen/requests", json=wrong, headers=wang.headers)).status_code == 422
    await http.post("/v1/citizen/erase", headers=wang.headers)
    assert not await db.fetch("select from case_reporter where case_id = $1", UUID(case))


async def test_a_citizen_and_an_address_ask_only_so_often(
    district: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    for kind in ("citizen", "stranger"):
        monkeypatch.setitem(limits.LIMITS, kind, Limit(0.01, 2, 1))
    wang, li = await people.sign_in_citizen(district), await people.sign_in_citizen(district)
    codes = [(await http.get("/v1/citizen/requests", headers=wang.headers)).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert (await http.get("/v1/citizen/requests", headers=li.headers)).status_code == 200
    address = {"X-Real-IP": f"demo-{new_id()}"}
    signing_in = [
        (await http.post("/v1/citizen/login", json={"code": "x"}, headers=address)).status_code for _ in range(3)
    ]
    assert signing_in[2] == 429
