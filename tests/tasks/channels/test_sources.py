"""The district centre reads, saves and tries field mappings; every version stays; keys push for their source alone."""

from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.identity.keys import NewKey
from app.kernel import db
from app.kernel.actor import Role
from media import configuration
from tests.tasks.cases import stage, town
from tests.tools import people
from tests.tools.signing import Signed

MAPPING: dict[str, Any] = {
    "item": "G001",
    "fields": {"external_id": {"path": "no"}, "description": {"path": "text"}},
}
DEMO = "/v1/sources/demo"


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


@pytest_asyncio.fixture
async def centre(district: str) -> dict[str, str]:
    await town.build()
    return (await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)).headers | {"Accept-Language": "en"}


async def test_the_five_named_sources_are_there_from_the_start(http: httpx.AsyncClient, centre: dict[str, str]) -> None:
    listed = (await http.get("/v1/sources", headers=centre)).json()
    assert {"minhuwoying", "110", "12315", "police-post", "fire-post"} < {each["code"] for each in listed}
    shown = (await http.get("/v1/sources/110", headers=centre)).json()
    assert (shown["version"], shown["mapping"]["datum"]) == (1, "bd09")


async def test_another_mapping_is_another_version_and_the_old_ones_stay(
    http: httpx.AsyncClient, centre: dict[str, str]
) -> None:
    first = await http.put("/v1/sources/110", json={"name": "110", "mapping": MAPPING, "version": 1}, headers=centre)
    assert first.json()["version"] == 2, first.text
    same = await http.put("/v1/sources/110", json={"name": "110 改名", "mapping": MAPPING}, headers=centre)
    assert same.json()["version"] == 2
    stale = await http.put("/v1/sources/110", json={"name": "110", "mapping": MAPPING, "version": 1}, headers=centre)
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/stale-version")
    shown = (await http.get("/v1/sources/110", headers=centre)).json()
    assert [each["version"] for each in shown["versions"]] == [2, 1]
    assert shown["versions"][1]["mapping"]["datum"] == "bd09"
    assert shown["name"] == "110 改名"


async def test_a_mapping_may_be_a_toml_text(http: httpx.AsyncClient, centre: dict[str, str]) -> None:
    text = 'item = "G001"\n[fields]\nexternal_id = { path = "no" }\ndescription = { path = "text" }\n'
    saved = await http.put(DEMO, json={"name": "演示", "toml": text}, headers=centre)
    assert saved.status_code == 200, saved.text
    assert saved.json()["mapping"] == MAPPING


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mapping": MAPPING | {"fields": MAPPING["fields"] | {"colour": {"path": "c"}}}}, "mapping.fields.colour"),
        ({"mapping": MAPPING | {"item": "NOPE"}}, "mapping.item"),
        ({"mapping": MAPPING | {"colour": 1}}, "mapping.colour"),
        ({"mapping": MAPPING | {"datum": "mars"}}, "mapping.datum"),
        ({"toml": "item ="}, "toml"),
        ({"toml": 'colour = "red"\n[fields]\n'}, "toml"),
        ({"mapping": MAPPING, "toml": "x"}, "toml"),
        ({}, "mapping"),
        ({"mapping": MAPPING, "organisation": "019a0000-0000-7000-8000-000000009999"}, "organisation"),
    ],
)
async def test_a_mapping_that_cannot_be_used_is_refused_and_says_where(
    http: httpx.AsyncClient, centre: dict[str, str], body: dict[str, Any], field: str
) -> None:
    answer = await http.put(DEMO, json={"name": "演示"} | body, headers=centre)
    assert answer.status_code == 422, answer.text
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert await db.fetchval("select count(*) from source") == 0


async def test_our_own_channels_are_no_platforms(http: httpx.AsyncClient, centre: dict[str, str]) -> None:
    answer = await http.put("/v1/sources/citizen", json={"name": "假", "mapping": MAPPING}, headers=centre)
    assert [each["field"] for each in answer.json()["errors"]] == ["code"]


async def test_a_draft_is_tried_before_it_is_saved(http: httpx.AsyncClient, centre: dict[str, str]) -> None:
    records = [{"no": "1", "text": "路灯不亮"}, {"no": "2", "text": ""}]
    tried = await http.post("/v1/sources/110/try", json={"records": records, "mapping": MAPPING}, headers=centre)
    told = tried.json()
    assert (told["dry_run"], [each["verdict"] for each in told["verdicts"]]) == (True, ["stored", "refused"])
    assert told["verdicts"][0]["record"] == {"external_id": "1", "item": "G001", "description": "路灯不亮"}
    assert await db.fetchval("select count(*) from cases") == 0
    absent = await http.post("/v1/sources/nobody/try", json={"records": records}, headers=centre)
    assert (absent.status_code, absent.json()["type"]) == (404, "/problems/mapping-unknown")


async def test_a_new_key_pushes_and_its_case_comes_from_the_platforms_organisation(
    http: httpx.AsyncClient, centre: dict[str, str]
) -> None:
    wish = {"name": "演示", "mapping": MAPPING, "organisation": str(stage.POLICE)}
    assert (await http.put(DEMO, json=wish, headers=centre)).status_code == 200
    made = await http.post(f"{DEMO}/keys", json={}, headers=centre)
    assert made.status_code == 201, made.text
    key = NewKey(**{name: made.json()[name] for name in ("id", "source", "key", "secret")})
    record = {"no": "1", "text": "路灯不亮"}
    assert (await http.post("/v1/push/demo", json=record, auth=Signed(key))).json()["stored"] == 1
    assert await db.fetchval("select sender from cases") == stage.POLICE
    assert await db.fetchval("select count(*) from access_log where action = 'key.make'") == 1
    rehearsing = (await http.post(f"{DEMO}/keys", json={"sandbox": True}, headers=centre)).json()
    trial = NewKey(**{name: rehearsing[name] for name in ("id", "source", "key", "secret")})
    told = (await http.post("/v1/push/demo", json=record | {"no": "2"}, auth=Signed(trial))).json()
    assert (told["dry_run"], told["stored"]) == (True, 1)
    assert await db.fetchval("select count(*) from cases") == 1


async def test_a_town_centre_has_no_say_in_mappings(district: str, http: httpx.AsyncClient) -> None:
    clerk = await people.sign_in(district, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    assert (await http.get("/v1/sources", headers=clerk.headers)).status_code == 403
    saved = await http.put(DEMO, json={"name": "x", "mapping": MAPPING}, headers=clerk.headers)
    assert saved.status_code == 403
