"""Strangers read everything there is to read, with the ids in hand, and never meet a word that is not for them."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from msgspec import Struct

from app.identity import commands as identity
from app.kernel import clock, db, event
from app.kernel.actor import Role
from app.kernel.ids import new_id
from app.notices import commands as notices
from app.server import limits
from app.server.limits import Limit
from tasks.cases import commands as cases
from tasks.cases import orders as o
from tasks.cases.model import Severity
from tasks.channels import stream_commands
from tests.tasks.cases import stage, town
from tests.tools import people
from tests.tools.operations import NAMES, Operation, all_operations
from tests.tools.signing import Signed

NAME, PHONE, WORDS, ADDRESS = "甄秘密", "13999990001", "窗下摆摊秘语堵门", "秘密路九弄"
OTHER_NAME, OTHER_PHONE = "贾秘密", "13999990002"
ADDED, NOTE, WORKER = "补充的秘话", "内部秘注", "工作人员秘名"
OF_CITIZEN = (NAME, PHONE, WORDS, ADDRESS, OTHER_NAME, OTHER_PHONE, ADDED)
INTERNAL = (NOTE, WORKER)
SECRETS = OF_CITIZEN + INTERNAL
SENT: dict[str, Any] = {
    "text": WORDS, "item": "E0504", "name": NAME, "phone": PHONE, "address": ADDRESS,
    "place": {"lon": town.INSIDE.lon, "lat": town.INSIDE.lat, "datum": "wgs84"},
    "on_behalf_of": {"name": OTHER_NAME, "phone": OTHER_PHONE},
}  # fmt: skip


class Planted(Struct, frozen=True):
    """A case full of secrets, with its citizen and the clerk who looked at it."""

    id: str
    number: str
    photo: str
    citizen: people.Person
    clerk: people.Person


@pytest_asyncio.fixture
async def planted(district: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Planted]:
    monkeypatch.setitem(limits.LIMITS, "citizen", Limit(1000, 10_000, 100))
    await town.build()
    citizen = await people.sign_in_citizen(district)
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
    await db.execute("update account set name = $2 where id = $1", clerk.actor.id, WORKER)
    photo: dict[str, Any] = {"id": str(new_id()), "sha256": "a" * 64, "size": 10, "media_type": "image/jpeg"}
    made = await http.post("/v1/citizen/requests", json=SENT | {"photos": [photo]}, headers=citizen.headers)
    assert made.status_code == 201, made.text
    case = made.json()
    added = await http.post(f"/v1/citizen/requests/{case['id']}/add", json={"text": ADDED}, headers=citizen.headers)
    assert added.status_code == 200, added.text
    await cases.give(UUID(case["id"]), o.Amend(severity=Severity.URGENT, note=NOTE), clerk.actor, clock.now())
    await tell()
    yield Planted(case["id"], case["number"], photo["id"], citizen, clerk)


async def tell() -> None:
    """Bring what happened to notices and to the stream, as the worker does."""
    rows = await db.fetch("select event_id, type, body from outbox where type in ('CaseOpened', 'CaseMoved')")
    for row in sorted(rows, key=lambda row: row["event_id"]):
        happened: Any = event.from_body(row["type"], row["body"])
        await notices.on_case(happened, clock.now())
        await stream_commands.on_case(happened, clock.now())


def address(operation: Operation, planted: Planted) -> str:
    """The address of an operation about the planted case."""
    of_name = {"evidence_id": planted.photo, "service_request_id": planted.number, "token_id": planted.id}

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return of_name.get(name) or NAMES.get(name) or (planted.id if name.endswith("_id") else "x")

    return re.sub(r"{(\w+)}", value, operation.path)


def questions(planted: Planted) -> list[str]:
    """What a curious reader asks besides."""
    near = f"lon={town.INSIDE.lon}&lat={town.INSIDE.lat}&metres=2000"
    texts = [f"/v1/cases?text={each}" for each in SECRETS]
    return [
        *texts,
        f"/v1/cases?text={planted.number}",
        "/v1/cases?box=119,29,122,31&limit=200",
        "/v1/cases?sort=newest&limit=200",
        f"/v1/cases/export?format=csv&text={WORDS}",
        "/v1/cases/export?format=xlsx",
        f"/v1/citizen/near?{near}",
        f"/v1/difficult-items/search?q={WORDS}",
        "/open311/v2/requests.json?start_date=2020-01-01T00:00:00Z&extensions=true",
        f"/open311/v2/requests.json?service_request_id={planted.number}&extensions=true",
        "/open311/v2/requests.xml",
        *(f"/v1/cases/{planted.id}/evidence/{planted.photo}?variant={each}" for each in ("original", "320")),
    ]


async def strangers(district: str) -> dict[str, tuple[dict[str, str], httpx.Auth]]:
    """Everybody to whom the planted case is nothing."""
    key = await identity.create_key(district, "nothing", [], clock.now())
    staff = {
        "another town's clerk": await people.sign_in(district, Role.TOWN_CENTRE, stage.OTHER_TOWN, "330109004"),
        "unrelated department": await people.sign_in(district, Role.DEPARTMENT, stage.MARKET),
        "auditor": await people.sign_in(district, Role.AUDITOR),
        "administrator": await people.sign_in(district, Role.ADMINISTRATOR),
        "another citizen": await people.sign_in_citizen(district),
    }
    return {name: (person.headers, httpx.Auth()) for name, person in staff.items()} | {
        "machine without a scope": ({"X-Api-Key": key.key}, Signed(key)),
        "nobody": ({}, httpx.Auth()),
    }


def met(answer: httpx.Response, secrets: tuple[str, ...], asked: str) -> list[str]:
    """The secrets an answer holds; what was asked for is no secret of the answer."""
    return [secret for secret in secrets if secret in answer.text and secret not in asked]


async def read_all(
    app: Litestar, http: httpx.AsyncClient, planted: Planted, headers: dict[str, str], auth: httpx.Auth
) -> list[tuple[str, httpx.Response]]:
    document = (await http.get("/openapi.json")).json()
    gets = [each for each in all_operations(app, document) if each.method == "GET"]
    assert len(gets) > 80
    found: list[tuple[str, httpx.Response]] = []
    for each in gets:
        url = address(each, planted)
        found.append((url, await http.get(url, params=each.query, headers=headers, auth=auth)))
    asked = [(url, await http.get(url, headers=headers, auth=auth)) for url in questions(planted)]
    return found + asked


async def test_no_stranger_ever_meets_a_word_that_is_not_for_them(
    district: str, app: Litestar, http: httpx.AsyncClient, planted: Planted
) -> None:
    wrong: list[str] = []
    for name, (headers, auth) in (await strangers(district)).items():
        for url, answer in await read_all(app, http, planted, headers, auth):
            # whoever manages accounts reads their names there
            hidden = OF_CITIZEN if (name, url) == ("administrator", "/v1/accounts") else SECRETS
            wrong += [f"{name} reads {secret} at {url}" for secret in met(answer, hidden, url)]
            if f"/cases/{planted.id}" in url and answer.status_code < 400:
                wrong.append(f"{name} reads {url}: {answer.text[:80]}")
    assert not wrong, "\n".join(wrong)


async def test_its_citizen_reads_their_own_words_and_nothing_internal(
    app: Litestar, http: httpx.AsyncClient, planted: Planted
) -> None:
    answers = await read_all(app, http, planted, planted.citizen.headers, httpx.Auth())
    assert [(url, found) for url, answer in answers if (found := met(answer, INTERNAL, url))] == []
    seen = {secret for url, answer in answers for secret in met(answer, SECRETS, url)}
    assert {WORDS, ADDED, ADDRESS} <= seen
    export = (await http.get("/v1/citizen/export", headers=planted.citizen.headers)).text
    assert {NAME, PHONE} <= set(met(httpx.Response(200, text=export), SECRETS, ""))


async def test_the_desk_reads_words_and_notes_and_the_contact_only_for_a_reason(
    app: Litestar, http: httpx.AsyncClient, planted: Planted
) -> None:
    answers = await read_all(app, http, planted, planted.clerk.headers, httpx.Auth())
    seen = {secret for url, answer in answers for secret in met(answer, SECRETS, url)}
    assert {WORDS, ADDED, NOTE} <= seen
    assert seen.isdisjoint({NAME, PHONE, OTHER_NAME, OTHER_PHONE})
    happened = next(answer.text for url, answer in answers if url == "/v1/events")
    assert planted.id in happened  # so the stream had something to show to strangers
    path = f"/v1/cases/{planted.id}/contact"
    contact = await http.post(path, json={"reason": "电话回访"}, headers=planted.clerk.headers)
    assert contact.json() == {
        "name": NAME, "phone": PHONE, "others": [{"name": OTHER_NAME, "phone": OTHER_PHONE}]
    }  # fmt: skip


async def test_a_stranger_may_write_nothing_and_learns_nothing_by_trying(
    district: str, app: Litestar, http: httpx.AsyncClient, planted: Planted
) -> None:
    document = (await http.get("/openapi.json")).json()
    posts = [each for each in all_operations(app, document) if each.method == "POST"]
    about = [each for each in posts if each.path.startswith(("/v1/cases/{case_id}", "/v1/citizen/requests/{"))]
    assert len(about) > 40
    wrong: list[str] = []
    for name, (headers, auth) in (await strangers(district)).items():
        for each in about:
            if each.path.endswith("/join"):
                continue  # what is near is there to be joined
            url = address(each, planted)
            answer = await http.post(url, json=each.body, headers=headers | {"If-Match": '"1"'}, auth=auth)
            wrong += [f"{name} reads {secret} at {url}" for secret in met(answer, SECRETS, url)]
            if answer.status_code not in (401, 403, 404, 422, 428):
                wrong.append(f"{name} at {url}: {answer.status_code} {answer.text[:100]}")
    assert not wrong, "\n".join(wrong)
