"""Platforms push records: signed, each with its own verdict, the good ones kept; the same again has no effect."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from app.identity import cipher
from app.identity import commands as identity
from app.identity.keys import NewKey
from app.kernel import clock, db
from app.kernel.actor import Role
from media import configuration
from tasks.channels import privacy_commands
from tests.tasks.cases import stage, town
from tests.tools import people
from tests.tools.signing import Signed, signed

POLICE = "/v1/push/police-post"


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A made-up record of a police post."""
    plain = {
        "id": f"JW-{number:05d}",
        "subject": f"演示事件 {number}",
        "content": "占道堆放影响通行（演示）",
        "kind": "order",
        "level": "low",
        "found_at": "2026-11-23T09:30:00+08:00",
        "location": {"lon": 120.2651, "lat": 30.1852, "accuracy": 12, "text": "演示路 1 号"},
        "post": {"name": "演示警务站"},
    }
    return plain | changes


async def key(district: str, source: str = "police-post", *scopes: str) -> NewKey:
    return await identity.create_key(district, source, list(scopes or ("push.send",)), clock.now())


async def push(http: httpx.AsyncClient, key: NewKey, body: Any, target: str = POLICE) -> httpx.Response:
    return await http.post(target, json=body, headers={"Accept-Language": "en"}, auth=Signed(key))


async def count(table: str = "cases") -> int:
    return await db.fetchval(f"select count(*) from {table}")


async def test_a_record_becomes_a_case_by_its_mapping(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    answer = await push(http, await key(district), record(1, kind="ebike", level="middle"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["stored"], told["refused"], told["dry_run"]) == (1, 0, False)
    case = await db.fetchrow("select * from cases where id = $1", told["verdicts"][0]["case"])
    assert case is not None
    assert (case["source"], case["external_id"], case["item"]) == ("police-post", "JW-00001", "H369")
    assert (case["severity"], case["cell"], case["reporter_kind"]) == ("urgent", stage.CELL, "organisation")
    assert case["address"] == "演示警务站 演示路 1 号"
    assert case["occurred_at"].isoformat() == "2026-11-23T01:30:00+00:00"


async def test_of_a_thousand_records_the_37_bad_are_explained_and_the_same_again_is_nothing_new(
    district: str, http: httpx.AsyncClient
) -> None:
    await town.build()
    faults: list[dict[str, Any]] = [
        {"kind": "order", "location": {"lon": 121.5, "lat": 31.2}},  # outside the district
        {"found_at": "2199-01-01T00:00:00+08:00"},
        {"content": "长" * 10_001},
        {"content": ""},
        {"level": None, "colour": "red"},  # a field the mapping does not know
        {"found_at": "yesterday"},
        {"location": {"lon": 120.26}},
    ]
    fields = ["place", "occurred_at", "description", "description", "colour", "occurred_at", "lat"]
    bad = {27 * n: n % len(faults) for n in range(37)}
    records = [record(n, **(faults[bad[n]] if n in bad else {})) for n in range(1000)]
    machine = await key(district)
    answer = (await push(http, machine, {"records": records})).json()
    assert (answer["stored"], answer["refused"]) == (963, 37)
    assert await count() == 963
    assert [each["index"] for each in answer["verdicts"]] == list(range(1000))
    for index, kind in bad.items():
        verdict = answer["verdicts"][index]
        assert verdict["verdict"] == "refused"
        assert fields[kind] in [error["field"] for error in verdict["problem"]["errors"]]
    again = (await push(http, machine, {"records": records})).json()
    assert (again["stored"], again["updated"], again["unchanged"], again["refused"]) == (0, 0, 963, 37)
    first = {each["external_id"]: each.get("case") for each in answer["verdicts"]}
    assert {each["external_id"]: each.get("case") for each in again["verdicts"]} == first
    assert await count() == 963


BAD = [
    ({"kind": "order", "location": {"lon": 121.5, "lat": 31.2}}, "place", "outside"),
    ({"location": {"lon": 200, "lat": 30.1}}, "lon", "between"),
    ({"location": {"lon": "x", "lat": 30.1}}, "lon", "number"),
    ({"found_at": "2199-01-01T00:00:00+08:00"}, "occurred_at", "future"),
    ({"found_at": "0001-01-01T00:00:00+14:00"}, "occurred_at", "time"),
    ({"content": "长" * 10_001}, "description", "10000"),
    ({"content": ["a"]}, "description", "text"),
    ({"subject": "长" * 201}, "title", "200"),
    ({"id": "x" * 201}, "external_id", "200"),
    ({"id": ""}, "external_id", "empty"),
    ({"unheard_of": 1}, "unheard_of", "mapping"),
    ({"location": {"lon": 120.2651, "lat": 30.1852, "floor": {"level": 3}}}, "location.floor.level", "mapping"),
]


@pytest.mark.parametrize(("change", "field", "why"), BAD, ids=[f"{field}: {why}" for _, field, why in BAD])
async def test_bad_input_is_a_problem_that_names_the_field(
    district: str, http: httpx.AsyncClient, change: dict[str, Any], field: str, why: str
) -> None:
    await town.build()
    machine = await key(district)
    single = await push(http, machine, record(1, **change))
    assert (single.status_code, single.json()["type"]) == (422, "/problems/invalid")
    assert {each["field"]: each["message"] for each in single.json()["errors"]}[field].find(why) >= 0
    many = (await push(http, machine, {"records": [record(1, **change), record(2)]})).json()
    assert [each["verdict"] for each in many["verdicts"]] == ["refused", "stored"]
    assert field in [each["field"] for each in many["verdicts"][0]["problem"]["errors"]]


async def test_every_fault_of_a_record_is_named_at_once(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    bad = record(1, subject="长" * 201, found_at="2199-01-01T00:00:00Z", location={"lon": 121.5, "lat": 31.2})
    answer = await push(http, await key(district), bad)
    assert {each["field"] for each in answer.json()["errors"]} == {"title", "occurred_at", "place"}


async def test_an_item_the_catalogue_does_not_have_is_named(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    mapping = {"fields": {"external_id": {"path": "id"}, "description": {"path": "text"}, "item": {"path": "kind"}}}
    centre = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
    made = await http.put("/v1/sources/demo", json={"name": "演示", "mapping": mapping}, headers=centre.headers)
    assert made.status_code == 200, made.text
    told = {"id": "1", "text": "路灯不亮", "kind": "NOPE"}
    answer = await push(http, await key(district, "demo"), told, "/v1/push/demo")
    assert [each["field"] for each in answer.json()["errors"]] == ["item"]
    assert "from kind" in answer.json()["errors"][0]["message"]


async def test_changed_content_of_the_same_id_is_added_to_the_case(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    machine = await key(district)
    first = (await push(http, machine, record(1))).json()["verdicts"][0]
    changed = await push(http, machine, record(1, content="已堵住整条人行道（演示）"))
    verdict = changed.json()["verdicts"][0]
    assert (verdict["verdict"], verdict["case"]) == ("updated", first["case"])
    texts = [row["text"] for row in await db.fetch("select text from case_text where field = 'text'")]
    assert len(texts) == 1
    assert "已堵住整条人行道" in texts[0]
    assert (await push(http, machine, record(1, content="已堵住整条人行道（演示）"))).json()["unchanged"] == 1
    assert await count() == 1


async def test_another_key_of_the_same_source_updates_too(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    await push(http, await key(district), record(1))
    again = await push(http, await key(district), record(1, subject="另一个标题"))
    assert again.json()["updated"] == 1


async def test_what_cannot_be_updated_any_more_says_why_and_which_case(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    machine = await key(district)
    case = (await push(http, machine, record(1))).json()["verdicts"][0]["case"]
    await db.execute("update cases set state = 'archived' where id = $1", case)
    answer = (await push(http, machine, {"records": [record(1, subject="另一个"), record(2)]})).json()
    refused, stored = answer["verdicts"]
    assert (refused["verdict"], refused["case"]) == ("refused", case)
    assert refused["problem"]["type"] == "/problems/transition-refused"
    assert stored["verdict"] == "stored"


async def test_an_id_twice_in_one_push_is_one_case(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    sent = [record(1), record(1), record(1, subject="另一个")]
    answer = (await push(http, await key(district), {"records": sent})).json()
    assert [each["verdict"] for each in answer["verdicts"]] == ["stored", "unchanged", "updated"]
    assert await count() == 1


async def test_the_same_push_twice_at_once_has_one_effect(committed: str, http: httpx.AsyncClient) -> None:
    await town.commit(committed)
    machine = await key(committed)
    body = {"records": [record(n) for n in range(230)]}
    backwards = {"records": body["records"][::-1]}
    answers = await asyncio.gather(*(push(http, machine, each) for each in (body, backwards, body)))
    told = [answer.json() for answer in answers]
    assert [each["refused"] for each in told] == [0, 0, 0]
    assert sum(each["stored"] for each in told) == 230
    async with db.transaction(committed):
        assert await count() == 230
    cases = [{each["external_id"]: each["case"] for each in answer["verdicts"]} for answer in told]
    assert cases[0] == cases[1] == cases[2]


@pytest.mark.parametrize("way", ["dry_run=true", "sandbox key", "sandbox source"])
async def test_a_dry_run_says_what_would_happen_and_stores_nothing(
    district: str, http: httpx.AsyncClient, way: str
) -> None:
    await town.build()
    target = POLICE + ("?dry_run=true" if way == "dry_run=true" else "")
    if way == "sandbox source":
        centre = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
        saved = {"name": "警务站", "sandbox": True}
        assert (await http.put("/v1/sources/police-post", json=saved, headers=centre.headers)).status_code == 200
    machine = await key(district, "police-post", "push.sandbox" if way == "sandbox key" else "push.send")
    sent = {"records": [record(1), record(2, found_at="2199-01-01T00:00:00Z")]}
    answer = (await push(http, machine, sent, target)).json()
    assert answer["dry_run"] is True
    stored, refused = answer["verdicts"]
    assert (stored["verdict"], refused["verdict"]) == ("stored", "refused")
    assert (stored["record"]["item"], stored["record"]["lon"]) == ("H180", 120.2651)
    assert "case" not in stored
    for table in ("cases", "push_record", "outbox", "case_event", "fact", "change"):
        assert await count(table) == 0, table


async def test_a_key_pushes_for_its_own_source_alone(district: str, http: httpx.AsyncClient) -> None:
    foreign = await push(http, await key(district, "fire-post"), record(1))
    absent = await push(http, await key(district, "nobody"), record(1), "/v1/push/nobody")
    for answer in (foreign, absent):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/mapping-unknown")
    without = await push(http, await key(district, "police-post", "case.create"), record(1))
    assert (without.status_code, without.json()["type"]) == (403, "/problems/not-permitted")


REFUSED = {
    "missing": lambda headers: {name: value for name, value in headers.items() if name != "X-Signature"},
    "wrong": lambda headers: headers | {"X-Signature": "0" * 64},
    "window": None,
    "nonce": None,
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_each_way_a_signature_fails_has_its_reason(district: str, http: httpx.AsyncClient, reason: str) -> None:
    await town.build()
    machine = await key(district)
    body = msgspec.json.encode(record(1))
    headers = signed(machine, "POST", POLICE, body, late=301 if reason == "window" else 0, nonce="once-only-0001")
    sent = {"Content-Type": "application/json"}
    if reason == "nonce":
        assert (await http.post(POLICE, content=body, headers=sent | headers)).status_code == 200
    change = REFUSED[reason]
    answer = await http.post(POLICE, content=body, headers=sent | (change(headers) if change else headers))
    assert (answer.status_code, answer.json()["reason"]) == (401, reason)
    assert await count() == (1 if reason == "nonce" else 0)


@pytest.mark.parametrize("body", [{"records": []}, {"records": [{}] * 5001}])
async def test_a_push_holds_one_to_five_thousand_records(district: str, http: httpx.AsyncClient, body: Any) -> None:
    answer = await push(http, await key(district), body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "records")


async def test_a_record_that_is_no_object_is_told(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    answer = (await push(http, await key(district), {"records": [1, None, record(3)]})).json()
    assert [each["verdict"] for each in answer["verdicts"]] == ["refused", "refused", "stored"]


async def test_contacts_are_sealed(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    sent = {
        "outid": "HZ1", "description": "诉求：路灯不亮", "reporting_time": "2026-11-20 08:00:00",
        "contact_name": "演示·张三", "contact_phone": "13900000000",
    }  # fmt: skip
    answer = await push(http, await key(district, "minhuwoying"), sent, "/v1/push/minhuwoying")
    assert answer.json()["stored"] == 1, answer.text
    for table in ("cases", "case_contact", "push_record", "case_event", "outbox"):
        rows = await db.fetch(f"select to_jsonb(t)::text as row from {table} t")
        assert not any("13900000000" in row["row"] for row in rows), table
    assert "13900000000" not in json.dumps(answer.json())


async def test_digests_of_what_came_are_sealed_and_bare_ones_of_earlier_versions_still_compared(
    district: str, http: httpx.AsyncClient
) -> None:
    """A phone number has so few values that its bare digest gives it away."""
    await town.build()
    machine = await key(district)
    await push(http, machine, record(1))
    row = await db.fetchrow("select digests, sealed from push_record")
    assert row is not None
    assert row["digests"] == {}
    bare = json.loads(cipher.open_(row["sealed"]))
    assert {"title", "text"} & set(bare)
    assert not [digest for digest in bare.values() if digest in row["sealed"]]
    await db.execute("update push_record set digests = $1, sealed = null", bare)
    assert await privacy_commands.stale(district) == 1
    assert (await push(http, machine, record(1))).json()["unchanged"] == 1
    assert await privacy_commands.seal_old_digests(district, 10) == 1
    assert (await privacy_commands.stale(district), await privacy_commands.seal_old_digests(district, 10)) == (0, 0)
    assert (await push(http, machine, record(1))).json()["unchanged"] == 1
