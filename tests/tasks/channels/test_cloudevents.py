"""CloudEvents 1.0 over HTTP: all three modes, every bad attribute named, each event once."""

import base64
import json
from typing import Any

import httpx
import pytest

from app.identity import commands as identity
from app.identity.keys import NewKey
from app.kernel import clock, db
from media import configuration
from tasks.channels import cloudevents
from tests.tasks.cases import town
from tests.tools.signing import signed

TARGET = "/v1/events"
RECORD = {
    "id": "JW-1",
    "subject": "演示事件",
    "content": "占道堆放（演示）",
    "location": {"lon": 120.2651, "lat": 30.1852, "text": "演示路 1 号"},
}
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/posts/1",
    "type": "cn.police.post.reported",
    "time": "2026-11-23T09:30:00+08:00",
    "datacontenttype": "application/json",
    "data": RECORD,
}


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


async def key(district: str, source: str = "police-post") -> NewKey:
    return await identity.create_key(district, source, ["push.send"], clock.now())


async def send(
    http: httpx.AsyncClient, key: NewKey, body: Any, kind: str = cloudevents.STRUCTURED, **attributes: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {f"ce-{name}": value for name, value in attributes.items()}
    lines = "".join(f"{name}:{value}\n" for name, value in sorted(named.items())).encode()
    headers = signed(key, "POST", TARGET, lines + content) | named
    return await http.post(TARGET, content=content, headers={"Content-Type": kind, "Accept-Language": "en"} | headers)


def errors(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["field"]: each["message"] for each in answer.json()["errors"]}


async def cases() -> int:
    return await db.fetchval("select count(*) from cases")


async def test_a_structured_event_becomes_a_case_once(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    machine = await key(district)
    first = await send(http, machine, EVENT, cloudevents.STRUCTURED + "; charset=utf-8")
    again = await send(http, machine, EVENT)
    assert (first.status_code, first.json()["stored"]) == (200, 1), first.text
    assert again.json() == first.json()
    assert await cases() == 1


async def test_an_older_event_delivered_late_does_not_undo_a_newer_one(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    machine = await key(district)
    newer = EVENT | {"id": "e-2", "data": RECORD | {"content": "已清理（演示）"}}
    told = [(await send(http, machine, each)).json()["verdicts"][0]["verdict"] for each in (EVENT, newer, EVENT)]
    assert told == ["stored", "updated", "stored"]
    assert await db.fetchval("select count(*) from case_text where field = 'text'") == 1


async def test_the_same_source_and_id_with_other_content_is_refused(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    machine = await key(district)
    await send(http, machine, EVENT)
    other = await send(http, machine, EVENT | {"data": RECORD | {"content": "别的"}})
    assert (other.status_code, other.json()["type"]) == (409, "/problems/event-id-reused")
    elsewhere = await send(http, machine, EVENT | {"source": "/posts/2", "data": RECORD | {"id": "JW-2"}})
    assert elsewhere.json()["stored"] == 1


async def test_a_batch_has_a_verdict_for_each_event(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    batch = [EVENT, EVENT | {"id": ""}, EVENT | {"id": "e-3", "data": RECORD | {"id": "JW-3", "content": ""}}, 7]
    answer = (await send(http, await key(district), batch, cloudevents.BATCH)).json()
    assert [each["verdict"] for each in answer["verdicts"]] == ["stored", "refused", "refused", "refused"]
    named = [[error["field"] for error in each["problem"]["errors"]] for each in answer["verdicts"][1:]]
    assert named == [["id"], ["data.description"], ["body"]]
    empty = await send(http, await key(district), [], cloudevents.BATCH)
    assert (empty.status_code, empty.json()["verdicts"]) == (200, [])


async def test_an_event_in_headers_has_percent_encoded_attributes(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    answer = await send(
        http,
        await key(district),
        RECORD,
        "application/json; charset=utf-8",
        specversion="1.0",
        id="e-%E8%90%A7",
        source="/posts/1",
        type="cn.police.post.reported",
    )
    assert answer.json()["stored"] == 1, answer.text
    assert await db.fetchval("select event_id from push_event") == "e-萧"


async def test_attributes_in_headers_are_signed(district: str, http: httpx.AsyncClient) -> None:
    machine = await key(district)
    content = json.dumps(RECORD).encode()
    headers = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/posts/1", "ce-type": "t"}
    unsigned = await http.post(
        TARGET,
        content=content,
        headers={"Content-Type": "application/json"} | signed(machine, "POST", TARGET, content) | headers,
    )
    assert (unsigned.status_code, unsigned.json()["reason"]) == (401, "wrong")


async def test_data_may_come_in_base64(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    coded = {name: value for name, value in EVENT.items() if name != "data"}
    coded["data_base64"] = base64.b64encode(json.dumps(RECORD).encode()).decode()
    assert (await send(http, await key(district), coded)).json()["stored"] == 1


ATTRIBUTES = [
    ({"specversion": "0.3"}, "specversion", "is 1.0"),
    ({"id": None}, "id", "missing"),
    ({"id": " "}, "id", "not empty"),
    ({"id": 7}, "id", "text"),
    ({"id": "x" * 201}, "id", "200"),
    ({"source": "not a uri"}, "source", "URI reference"),
    ({"type": ""}, "type", "not empty"),
    ({"time": "2026-11-23 09:30"}, "time", "RFC 3339"),
    ({"time": "2026-13-23T09:30:00Z"}, "time", "RFC 3339"),
    ({"dataschema": "relative"}, "dataschema", "absolute URI"),
    ({"datacontenttype": "application/xml"}, "datacontenttype", "JSON"),
    ({"subject": ""}, "subject", "not empty"),
    ({"Wrong_Name": "x"}, "Wrong_Name", "lower-case"),
    ({"extension": {"a": 1}}, "extension", "extension"),
    ({"extension": 2**31}, "extension", "extension"),
    ({"data": None}, "data", "JSON object"),
    ({"data": "text"}, "data", "JSON object"),
    ({"data_base64": "eyJ9"}, "data_base64", "beside data"),
    ({"data": None, "data_base64": "%"}, "data_base64", "Base64"),
    ({"data": RECORD | {"content": ""}}, "data.description", "empty"),
]


@pytest.mark.parametrize(("change", "field", "why"), ATTRIBUTES, ids=[f"{f}: {w}" for _, f, w in ATTRIBUTES])
async def test_a_bad_attribute_is_named(
    district: str, http: httpx.AsyncClient, change: dict[str, Any], field: str, why: str
) -> None:
    await town.build()
    assert why in errors(await send(http, await key(district), EVENT | change))[field]
    assert await cases() == 0


async def test_the_types_a_mapping_names_are_the_ones_taken(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    order = {"outid": "HZ1", "description": "路灯不亮（演示）", "reporting_time": "2026-11-20 08:00:00"}
    machine = await key(district, "minhuwoying")
    wrong = await send(http, machine, EVENT | {"data": order})
    assert "cn.minhuwoying.order.created" in errors(wrong)["type"]
    right = await send(http, machine, EVENT | {"type": "cn.minhuwoying.order.created", "data": order})
    assert right.json()["stored"] == 1, right.text


@pytest.mark.parametrize("kind", ["application/json", "application/cloudevents+avro", "text/plain"])
async def test_what_is_no_cloudevent_is_another_medium(district: str, http: httpx.AsyncClient, kind: str) -> None:
    answer = await send(http, await key(district), EVENT, kind)
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


async def test_a_body_that_is_no_json_cannot_be_read(district: str, http: httpx.AsyncClient) -> None:
    answer = await send(http, await key(district), b"{broken")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/unreadable")
