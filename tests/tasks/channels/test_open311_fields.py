"""Open311 over HTTP: attributes of services, files, jurisdictions, and odd values of every field."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from msgspec.structs import replace
from redis.asyncio import Redis

from app.identity import commands as identity
from app.kernel import clock
from app.kernel.ids import new_id
from media import configuration
from media import facts as media_facts
from tasks.cases import published, store
from tests.media import photos
from tests.tasks.cases import town
from tests.tasks.channels.open311 import (
    BASE,
    WASTE,
    case_of,
    form,
    listed,
    read,
    send,
)


@pytest.fixture(autouse=True)
def rested(redis: Redis) -> None:
    """Strangers who have not asked for a while."""


@pytest_asyncio.fixture
async def place(district: str, tmp_path: Any) -> AsyncIterator[str]:
    """The made-up town, rolled back afterwards."""
    await town.build()
    yield district


@pytest_asyncio.fixture
async def key(place: str) -> str:
    """A key that may send requests."""
    return (await identity.create_key(place, "city-app", ["open311.submit"], clock.now())).key


SCHEMA = {
    "type": "object",
    "properties": {
        "depth_cm": {"type": "integer", "minimum": 1, "title": "深度"},
        "kind": {"enum": ["pool", "stream"]},
        "blocked": {"type": "boolean"},
        "sides": {"type": "array", "items": {"enum": ["left", "right"]}},
    },
    "required": ["depth_cm"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture
async def flood(place: str) -> str:
    """An item with attributes, in the district's own catalogue."""
    shipped = next(item for item in await published.items(clock.now()) if item.code == WASTE)
    own = replace(shipped, code="X900", attribute_schema=SCHEMA)
    await store.add_items([own], new_id(), clock.now(), [new_id()])
    return own.code


async def test_a_service_says_which_attributes_it_asks_for(http: httpx.AsyncClient, flood: str) -> None:
    found = (await http.get(f"{BASE}/services/{flood}.json")).json()
    assert found["service_code"] == flood
    said = {each["code"]: (each["datatype"], each["required"], len(each["values"])) for each in found["attributes"]}
    assert said == {
        "depth_cm": ("number", True, 0),
        "kind": ("singlevaluelist", False, 2),
        "blocked": ("singlevaluelist", False, 2),
        "sides": ("multivaluelist", False, 2),
    }
    assert [each["order"] for each in found["attributes"]] == [1, 2, 3, 4]
    [service] = [each for each in (await http.get(f"{BASE}/services.json")).json() if each["service_code"] == flood]
    assert service["metadata"] is True
    root = ElementTree.fromstring((await http.get(f"{BASE}/services/{flood}.xml")).content)
    assert (root.tag, root.findtext("service_code")) == ("service_definition", flood)
    told = {each.findtext("code"): each for each in root.findall("attributes/attribute")}
    assert list(told) == list(said)
    assert [each.findtext("key") for each in told["kind"].findall("values/value")] == ["pool", "stream"]


async def test_attributes_are_kept_as_what_they_are(http: httpx.AsyncClient, key: str, flood: str) -> None:
    asked = {"attribute[depth_cm]": "40", "attribute[kind]": "pool", "attribute[blocked]": "true"}
    many = {"attribute[sides][]": ["left", "right"]}
    answer = await http.post(f"{BASE}/requests.json", data=form(key, service_code=flood, **asked) | many)
    assert answer.status_code == 201, answer.text
    row = await case_of(answer.json()[0]["service_request_id"])
    assert row["attributes"] == {"depth_cm": 40, "kind": "pool", "blocked": True, "sides": ["left", "right"]}


async def test_every_bad_attribute_is_named(http: httpx.AsyncClient, key: str, flood: str) -> None:
    bad = {"attribute[kind]": "sea", "attribute[colour]": "blue"}
    answer = await http.post(f"{BASE}/requests.json", data=form(key, service_code=flood, **bad))
    assert answer.status_code == 400
    named = {each["description"].partition("：")[0] for each in answer.json()}
    assert named == {"attribute[depth_cm]", "attribute[kind]", "attribute[colour]"}


async def test_the_discovery_names_every_extension(place: str, http: httpx.AsyncClient) -> None:
    found = (await http.get(f"{BASE}/discovery.json")).json()
    [endpoint] = found["endpoints"]
    assert endpoint["url"] == "http://test/open311/v2"
    assert endpoint["formats"] == ["text/xml", "application/json"]
    assert {"bounding box", "updates", "comments", "changes", "paging"} <= {e["name"] for e in endpoint["extensions"]}
    root = ElementTree.fromstring((await http.get(f"{BASE}/discovery.xml")).content)
    assert root.tag == "discovery"
    assert [each.text for each in root.iter("format")] == endpoint["formats"]


async def test_a_picture_is_kept_as_evidence_also_when_it_is_sent_again(
    http: httpx.AsyncClient, key: str, tmp_path: Path
) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    picture = photos.jpeg()
    numbers = set()
    for _ in range(2):
        answer = await http.post(f"{BASE}/requests.json", data=form(key), files={"media": picture})
        assert answer.status_code == 201, answer.text
        numbers.add(answer.json()[0]["service_request_id"])
    [number] = numbers
    [evidence] = (await media_facts.of([(await case_of(number))["id"]])).popitem()[1]
    assert (evidence.state, evidence.size, evidence.media_type) == ("stored", len(picture), "image/jpeg")
    assert (await read(http, number))["media_url"] is None


async def test_other_files_are_refused_and_a_form_in_parts_is_taken(http: httpx.AsyncClient, key: str) -> None:
    parts = {name: (None, value) for name, value in form(key).items()}
    assert (await http.post(f"{BASE}/requests.json", files=parts)).status_code == 201
    answer = await http.post(f"{BASE}/requests.json", data=form(key), files={"media": b"x"})
    assert (answer.status_code, "media" in answer.json()[0]["description"]) == (400, True)
    answer = await http.post(f"{BASE}/requests.json", data=form(key), files={"movie": b"x"})
    assert (answer.status_code, "movie" in answer.json()[0]["description"]) == (400, True)
    answer = await http.post(f"{BASE}/requests.json", json=form(key))
    assert answer.status_code == 400


async def test_a_jurisdiction_is_a_district_with_requests_and_keys_of_its_own(
    committed: str, http: httpx.AsyncClient
) -> None:
    await town.commit(committed)
    made = await identity.create_key(committed, "city-app", ["open311.submit"], clock.now())
    await send(http, made.key)
    assert len(await listed(http, jurisdiction_id="330109")) == 1
    assert await listed(http, jurisdiction_id="330110") == []
    answer = await http.post(f"{BASE}/requests.json", data=form(made.key, jurisdiction_id="330110"))
    assert answer.status_code == 403


ODD = (
    "",
    " ",
    "-1",
    "1e400",
    "NaN",
    "9" * 40,
    "a\x00b",
    "\ufffe",
    "😀",
    "x" * 5000,
    "%",
    "[]",
    "attribute[",
    "0001-01-01",
)
FIELDS = (
    "service_code", "lat", "long", "address_string", "address_id", "description", "email", "phone", "first_name",
    "last_name", "device_id", "account_id", "media_url", "jurisdiction_id", "attribute[depth_cm]", "attribute[a.b]",
)  # fmt: skip


async def test_no_odd_field_makes_the_server_fail(http: httpx.AsyncClient, key: str, flood: str) -> None:
    for n, field in enumerate(FIELDS):
        address = {"X-Real-IP": f"10.0.0.{n}"}  # one stranger may not ask that often
        for value in ODD:
            sent = {**form(key, service_code=flood), "attribute[depth_cm]": "7", field: value}
            for kind in ("json", "xml"):
                answer = await http.post(f"{BASE}/requests.{kind}", data=sent, headers=address)
                assert answer.status_code < 500, f"{field}={value[:20]!r}: {answer.text}"
                if kind == "xml":
                    ElementTree.fromstring(answer.content)


async def test_what_is_too_long_is_refused_by_its_name(http: httpx.AsyncClient, key: str) -> None:
    answer = await http.get(f"{BASE}/requests.json", params={"bbox": "9" * 40_001})
    assert (answer.status_code, "bbox" in answer.text) == (400, True)
    number = await send(http, key)
    comment = {"api_key": key, "description": "长" * 4_001}
    answer = await http.post(f"{BASE}/requests/{number}/comments.json", data=comment)
    assert (answer.status_code, "4000" in answer.text) == (400, True)
