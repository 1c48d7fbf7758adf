"""Open311 over HTTP: what a stranger reads, what a key sends, and the specification's own refusals."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from app.identity import commands as identity
from app.kernel import clock, db
from tasks.cases import commands as cases
from tasks.cases import orders as o
from tests.tasks.cases import stage, town
from tests.tasks.channels.open311 import (
    BASE,
    LAT,
    LONG,
    PRIVATE,
    WASTE,
    case_of,
    form,
    listed,
    look,
    open_case,
    read,
    send,
)
from tests.tools.databases import as_owner


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


async def test_services_are_what_citizens_may_choose_in_json_and_xml(place: str, http: httpx.AsyncClient) -> None:
    found = (await http.get(f"{BASE}/services.json")).json()
    codes = {each["service_code"] for each in found}
    assert len(codes) >= 100
    assert WASTE in codes
    assert codes.isdisjoint({"SOS", "V001"})
    assert {each["type"] for each in found} == {"realtime"}
    xml = await http.get(f"{BASE}/services.xml")
    assert xml.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert xml.content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(xml.content)
    assert root.tag == "services"
    assert [each.findtext("service_name") for each in root.iter("service")] == [e["service_name"] for e in found]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json; charset=utf-8"),
        ("text/xml", "text/xml; charset=utf-8"),
        ("application/xml", "text/xml; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
    ],
)
async def test_without_a_suffix_the_accept_header_decides(
    place: str, http: httpx.AsyncClient, accept: str, kind: str
) -> None:
    answer = await http.get(f"{BASE}/services", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)


async def test_a_request_is_sent_and_read_by_its_number(http: httpx.AsyncClient, key: str) -> None:
    number = await send(http, key, first_name="王", last_name="演示", email="demo@example.org", phone="13900000000")
    row = await case_of(number)
    assert (row["item"], row["source"], row["lat"], row["lon"]) == (WASTE, "open311", LAT, LONG)
    found = await read(http, number)
    assert found["status"] == "open"
    assert found["service_code"] == WASTE
    assert found["requested_datetime"].endswith("+08:00")
    assert found["agency_responsible"]
    assert found["expected_datetime"]
    token = (await http.get(f"{BASE}/tokens/{row['id']}.json")).json()
    assert token == [{"service_request_id": number, "token": str(row["id"])}]


async def test_words_and_the_exact_place_wait_for_a_clerk(http: httpx.AsyncClient, key: str) -> None:
    number = await send(http, key, address_string="演示路 1 号", media_url="https://example.org/a.jpg")
    before = await read(http, number)
    assert [before[name] for name in ("description", "address", "media_url")] == [None, None, None]
    assert (before["lat"], before["long"]) == (30.185, 120.265)
    await look(number)
    after = await read(http, number)
    assert [after[name] for name in ("description", "address", "media_url")] == [
        "垃圾成堆（演示）", "演示路 1 号", "https://example.org/a.jpg",
    ]  # fmt: skip
    assert (after["lat"], after["long"]) == (LAT, LONG)
    assert after["updated_datetime"] >= before["updated_datetime"]


async def test_contacts_and_words_of_other_channels_are_never_shown(place: str, http: httpx.AsyncClient) -> None:
    case = await open_case()
    await look(case.number)
    found = (await http.get(f"{BASE}/requests/{case.number}.json")).text
    found += (await http.get(f"{BASE}/requests/{case.number}/updates.json")).text
    found += (await http.get(f"{BASE}/requests/{case.number}/comments.json")).text
    for secret in ("张", "138", "演示路", "已核对", str(LAT), str(LONG)):
        assert secret not in found


async def test_what_is_private_internal_or_about_somebody_is_not_there_for_strangers(
    place: str, http: httpx.AsyncClient
) -> None:
    shown = await open_case()
    hidden = [
        await open_case(PRIVATE),
        await open_case("SOS"),
        await open_case("V001", "visit"),
        await open_case(complained_about=(stage.ENFORCEMENT,)),
    ]
    assert await listed(http) == [shown.number]
    for case in hidden:
        for path in (f"requests/{case.number}.json", f"requests/{case.number}/updates.json", f"tokens/{case.id}.json"):
            assert (await http.get(f"{BASE}/{path}")).status_code == 404
        assert (await http.get(f"{BASE}/requests.json", params={"service_request_id": case.number})).status_code == 404


async def test_a_second_tap_is_the_same_request_and_another_key_or_other_words_are_not(
    place: str, http: httpx.AsyncClient, key: str
) -> None:
    other = (await identity.create_key(place, "other-app", ["open311.submit"], clock.now())).key
    first = await send(http, key)
    assert await send(http, key) == first
    assert await send(http, key, description="别的事（演示）") != first
    assert await send(http, other) != first
    await db.execute("update open311_submission set at = at - interval '11 minutes'")
    assert await send(http, key) != first


async def test_a_key_sends_so_much_a_minute(http: httpx.AsyncClient, key: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("tasks.channels.open311_commands.MOST_PER_MINUTE", 2)
    for n in range(2):
        await send(http, key, description=f"演示 {n}")
    answer = await http.post(f"{BASE}/requests.json", data=form(key, description="演示 3"))
    assert (answer.status_code, answer.json()[0]["code"], "retry-after" in answer.headers) == (429, 429, True)


REFUSED: list[tuple[str, str, str, dict[str, str], int, str]] = [
    ("no key", "POST", "requests", {"api_key": ""}, 403, "api_key"),
    ("wrong key", "POST", "requests", {"api_key": "zjwk_x"}, 403, "api_key"),
    ("no service", "POST", "requests", {"service_code": ""}, 400, "service_code"),
    ("unknown service", "POST", "requests", {"service_code": "X"}, 404, "service_code"),
    ("internal service", "POST", "requests", {"service_code": "SOS"}, 404, "service_code"),
    ("no place", "POST", "requests", {"lat": "", "long": ""}, 400, "address_string"),
    ("half a place", "POST", "requests", {"lat": ""}, 400, "lat"),
    ("no number", "POST", "requests", {"lat": "north"}, 400, "lat"),
    ("beyond the pole", "POST", "requests", {"lat": "91"}, 400, "lat"),
    ("long words", "POST", "requests", {"description": "x" * 4001}, 400, "description"),
    ("no address of a picture", "POST", "requests", {"media_url": "javascript:x"}, 400, "media_url"),
    ("another place", "POST", "requests", {"jurisdiction_id": "nowhere"}, 404, "jurisdiction_id"),
    ("another place", "GET", "services", {"jurisdiction_id": "nowhere"}, 404, "jurisdiction_id"),
    ("unknown service", "GET", "services/X", {}, 404, "service_code"),
    ("unknown request", "GET", "requests/XS20200101-000001", {}, 404, "service_request_id"),
    ("unknown request", "GET", "requests", {"service_request_id": "X,Y"}, 404, "service_request_id"),
    ("unknown token", "GET", "tokens/x", {}, 404, "token"),
    ("unknown service", "GET", "requests", {"service_code": "X"}, 404, "service_code"),
    ("no date", "GET", "requests", {"start_date": "yesterday"}, 400, "start_date"),
    ("too long", "GET", "requests", {"start_date": "2026-01-01", "end_date": "2026-05-01"}, 400, "start_date"),
    ("no status", "GET", "requests", {"status": "lost"}, 400, "status"),
    ("no box", "GET", "requests", {"bbox": "1,2,3"}, 400, "bbox"),
    ("box turned round", "GET", "requests", {"bbox": "121,30,120,31"}, 400, "bbox"),
    ("no page", "GET", "requests", {"page": "0"}, 400, "page"),
    ("too large a page", "GET", "requests", {"page_size": "1001"}, 400, "page_size"),
]


@pytest.mark.parametrize(
    ("method", "path", "fields", "status", "named"), [r[1:] for r in REFUSED], ids=[f"{r[0]} {r[2]}" for r in REFUSED]
)
async def test_refusals_are_those_of_the_specification(
    http: httpx.AsyncClient, key: str, method: str, path: str, fields: dict[str, str], status: int, named: str
) -> None:
    sent: dict[str, Any] = {"data": form(key, **fields)} if method == "POST" else {"params": fields}
    answer = await http.request(method, f"{BASE}/{path}.json", headers={"Accept-Language": "en"}, **sent)
    assert answer.status_code == status, answer.text
    [error] = answer.json()
    assert error["code"] == status
    assert named in error["description"]
    xml = await http.request(method, f"{BASE}/{path}.xml", headers={"Accept-Language": "en"}, **sent)
    root = ElementTree.fromstring(xml.content)
    assert (xml.status_code, xml.headers["Content-Type"], root.tag) == (status, "text/xml; charset=utf-8", "errors")
    assert root.findtext("error/code") == str(status)
    assert root.findtext("error/description") == error["description"]


async def test_every_bad_field_is_named(http: httpx.AsyncClient, key: str) -> None:
    bad = form(key, service_code="", lat="x", phone="1" * 99)
    errors = (await http.post(f"{BASE}/requests.json", data=bad)).json()
    assert {each["description"].partition("：")[0] for each in errors} == {"service_code", "lat", "phone"}


async def test_a_key_without_the_scope_sends_nothing(place: str, http: httpx.AsyncClient) -> None:
    key = (await identity.create_key(place, "12315", ["case.create"], clock.now())).key
    assert (await http.post(f"{BASE}/requests.json", data=form(key))).status_code == 403
    assert await listed(http) == []


async def test_boxes_find_a_case_nobody_has_looked_at_where_it_is_shown_only(http: httpx.AsyncClient, key: str) -> None:
    number = await send(http, key, lat="30.30042", long="120.50042")
    assert await listed(http, bbox="120.4999,30.2999,120.5001,30.3001") == [number]
    assert await listed(http, bbox="120.5004,30.3004,120.5005,30.3005") == []


async def test_lists_are_filtered_by_service_status_place_and_time(http: httpx.AsyncClient, key: str) -> None:
    here = await send(http, key)
    there = await send(http, key, lat="30.3", long="120.5", description="远处（演示）")
    other = await send(http, key, service_code="E0101", description="搭建（演示）")
    row = await case_of(there)
    await cases.give(row["id"], o.Withdraw(reason="演示"), stage.CENTRE_CLERK, clock.now())
    assert set(await listed(http)) == {here, there, other}
    assert await listed(http, service_code="E0101") == [other]
    assert set(await listed(http, service_code=f"E0101,{WASTE}")) == {here, there, other}
    assert await listed(http, status="closed") == [there]
    assert set(await listed(http, status="open")) == {here, other}
    assert set(await listed(http, status="open,closed")) == {here, there, other}
    assert await listed(http, bbox="120.4,30.2,120.6,30.4") == [there]
    assert await listed(http, service_request_id=f"{here},{here}", status="closed") == [here]
    now = clock.now()
    assert await listed(http, start_date=(now + timedelta(days=1)).isoformat()) == []
    assert await listed(http, end_date=(now - timedelta(days=1)).isoformat()) == []
    assert await listed(http, updated_before=(now - timedelta(days=1)).isoformat()) == []


async def test_updated_after_lists_what_changed_the_earliest_change_first(http: httpx.AsyncClient, key: str) -> None:
    first, second = await send(http, key), await send(http, key, description="二（演示）")
    await db.execute("update cases set updated_at = updated_at - interval '200 days', received_at = received_at"
                     " - interval '200 days'")  # fmt: skip
    assert await listed(http) == []
    mark = clock.now().isoformat()
    for number in (second, first):
        await look(number)
    assert await listed(http, updated_after=mark) == [second, first]


async def test_pages_follow_one_another_by_link(http: httpx.AsyncClient, key: str) -> None:
    sent = [await send(http, key, description=f"演示 {n}") for n in range(5)]
    found: list[str] = []
    url: str | None = f"{BASE}/requests.json?page_size=2"
    while url is not None:
        answer = await http.get(url)
        found += [each["service_request_id"] for each in answer.json()]
        link = answer.headers.get("Link")
        url = None if link is None else link.partition("<")[2].partition(">")[0]
    assert found == sent[::-1]


async def test_steps_are_public_and_what_goes_on_inside_is_not(http: httpx.AsyncClient, key: str) -> None:
    number = await send(http, key)
    row = await case_of(number)
    leg = await db.fetchrow("select id, organisation from case_leg where case_id = $1", row["id"])
    clerk = stage.TOWN_CLERK if leg["organisation"] == stage.TOWN_CENTRE else stage.OFFICER
    await cases.give(row["id"], o.Sign(leg=leg["id"]), clerk, clock.now())
    answer = await http.get(f"{BASE}/requests/{number}/updates.json", headers={"Accept-Language": "en"})
    steps = answer.json()
    assert [each["description"] for each in steps] == ["request received", "taken up", "given to", "signed for"]
    assert steps[-1]["agency_responsible"]
    assert steps[-1]["status"] == "open"
    xml = ElementTree.fromstring((await http.get(f"{BASE}/requests/{number}/updates.xml")).content)
    assert [each.findtext("update_id") for each in xml] == [each["update_id"] for each in steps]


async def test_the_sender_adds_and_strangers_read_it_after_the_staff(
    place: str, http: httpx.AsyncClient, key: str
) -> None:
    number = await send(http, key)
    url = f"{BASE}/requests/{number}/comments.json"
    other = (await identity.create_key(place, "other-app", ["open311.submit"], clock.now())).key
    assert (await http.post(url, data={"api_key": other, "description": "演示"})).status_code == 404
    assert (await http.post(url, data={"api_key": key, "description": " "})).status_code == 400
    added = await http.post(url, data={"api_key": key, "description": "还在（演示）"})
    assert added.status_code == 201, added.text
    assert (await http.get(url)).json() == []
    await look(number)
    [comment] = (await http.get(url)).json()
    assert (comment["comment_id"], comment["description"]) == (added.json()[0]["comment_id"], "还在（演示）")
    for n in range(2):
        await http.post(url, data={"api_key": key, "description": f"没人看过的话 {n}（演示）"})
    assert len((await http.get(url)).json()) == 1


async def test_the_same_comment_again_is_one_also_at_the_same_moment(
    place: str, http: httpx.AsyncClient, key: str
) -> None:
    number = await send(http, key)
    url = f"{BASE}/requests/{number}/comments.json"
    said = {"api_key": key, "description": "还在漏（演示）"}
    first, again = [(await http.post(url, data=said)).json()[0] for _ in range(2)]
    assert first == again
    other = (await http.post(url, data=said | {"description": "水更大了（演示）"})).json()[0]
    assert other["comment_id"] != first["comment_id"]
    await as_owner(
        "alter table case_event disable trigger user",
        "update case_event set at = at - interval '11 minutes' where type = 'added_to'",
        "alter table case_event enable trigger user",
    )
    later = (await http.post(url, data=said)).json()[0]
    assert later["comment_id"] not in {first["comment_id"], other["comment_id"]}
