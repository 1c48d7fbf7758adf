"""What carries a version is read and changed on condition of it: cases, households, rounds, by the real routes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from msgspec import Struct

from app.kernel import clock
from app.kernel.actor import Role
from media import configuration
from tasks.cases import intake
from tests.tasks.cases import stage as cases_stage
from tests.tasks.cases import town
from tests.tools import people
from tests.tools.operations import all_operations
from tests.tools.people import Person
from tests.visits import stage
from visits import round_commands


class Thing(Struct, frozen=True):
    """Something with a version: where it is read, how it is changed by whom, and which version it has."""

    path: str
    method: str
    command: str
    body: dict[str, Any]
    who: Person
    version: int

    def headers(self, **more: str) -> dict[str, str]:
        return self.who.headers | {name.replace("_", "-"): value for name, value in more.items()}


async def a_case(district: str) -> Thing:
    await town.build()
    clerk = await people.sign_in(district, Role.TOWN_CENTRE, cases_stage.TOWN_CENTRE, cases_stage.TOWN)
    report = intake.Report(
        source="citizen",
        item="H008",
        description="楼下夜里放音乐",
        reporter=intake.Reporter(phone="13800001234"),
        place=town.INSIDE,
        lead=cases_stage.TOWN_CENTRE,
    )
    case = await intake.open(report, clerk.actor, clock.now())
    return Thing(f"/v1/cases/{case.id}", "POST", f"/v1/cases/{case.id}/sign", {}, clerk, case.version)


async def a_household(district: str) -> Thing:
    on = await stage.build()
    path = f"/v1/households/{on.homes[0]}"
    return Thing(path, "PATCH", path, {"residents": 7}, on.leader, 1)


async def a_round(district: str) -> Thing:
    on = await stage.build()
    today = clock.now().date()
    new = stage.new_round(on, starts_on=today, ends_on=today + timedelta(days=4))
    made = await round_commands.plan_round(new, on.leader.actor, clock.now())
    path = f"/v1/rounds/{made.id}"
    return Thing(path, "POST", f"{path}/assign", {}, on.leader, made.version)


KINDS = {"case": a_case, "household": a_household, "round": a_round}


@pytest_asyncio.fixture
async def thing(request: pytest.FixtureRequest, district: str, tmp_path: Path) -> Thing:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))
    return await KINDS[request.param](district)


everything = pytest.mark.parametrize("thing", list(KINDS), indirect=True)
strict = pytest.mark.parametrize("thing", ["case", "household"], indirect=True)


async def read(http: httpx.AsyncClient, thing: Thing, **headers: str) -> httpx.Response:
    return await http.get(thing.path, headers=thing.headers(**headers))


async def change(http: httpx.AsyncClient, thing: Thing, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await http.request(
        thing.method, thing.command, json=thing.body | body, headers=thing.headers(Accept_Language="en", **headers)
    )


def refused(answer: httpx.Response) -> tuple[int, str, int | None]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/"), answer.json().get("version")


@everything
async def test_an_answer_names_its_version_and_is_not_sent_twice(http: httpx.AsyncClient, thing: Thing) -> None:
    first = await read(http, thing)
    tag = first.headers["etag"]
    assert tag.startswith(f'"{thing.version}-')
    assert first.json()["version"] == thing.version
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await read(http, thing, If_None_Match=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for unknown in (f'"{thing.version}"', '"other"', f'"{thing.version}-0000000000000000"'):
        assert (await read(http, thing, If_None_Match=unknown)).content == first.content


@everything
async def test_after_a_change_the_answer_is_another(http: httpx.AsyncClient, thing: Thing) -> None:
    tag = (await read(http, thing)).headers["etag"]
    changed = await change(http, thing, {}, If_Match=tag)
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"].startswith(f'"{thing.version + 1}-')
    again = await read(http, thing, If_None_Match=tag)
    assert (again.status_code, again.json()["version"]) == (200, thing.version + 1)


@everything
async def test_if_match_stands_in_place_of_the_version(http: httpx.AsyncClient, thing: Thing) -> None:
    stale = await change(http, thing, {}, If_Match=f'"{thing.version + 5}"')
    assert refused(stale) == (412, "precondition-failed", thing.version)
    assert (await change(http, thing, {}, If_Match=f'"{thing.version}"')).status_code == 200
    stale = await change(http, thing, {}, If_Match=f'"{thing.version}"')
    assert refused(stale) == (412, "precondition-failed", thing.version + 1)


@everything
async def test_a_version_in_the_body_is_as_good_and_refused_as_before(http: httpx.AsyncClient, thing: Thing) -> None:
    assert refused(await change(http, thing, {"version": thing.version + 5})) == (409, "stale-version", thing.version)
    assert (await change(http, thing, {"version": thing.version}, If_Match=f'"{thing.version}"')).status_code == 200


@everything
@pytest.mark.parametrize("tag", ["7", 'W/"7"', '"7", "8"', '"abc"', '""'])
async def test_what_is_no_version_is_said(http: httpx.AsyncClient, thing: Thing, tag: str) -> None:
    answer = await change(http, thing, {}, If_Match=tag)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["If-Match"])


@everything
async def test_two_versions_that_differ_are_no_version(http: httpx.AsyncClient, thing: Thing) -> None:
    answer = await change(http, thing, {"version": thing.version + 1}, If_Match=f'"{thing.version}"')
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["version"])


@strict
@pytest.mark.parametrize("headers", [{}, {"If_Match": "*"}])
async def test_a_change_without_any_version_is_refused(
    http: httpx.AsyncClient, thing: Thing, headers: dict[str, str]
) -> None:
    assert refused(await change(http, thing, {}, **headers)) == (428, "version-required", None)
    assert (await read(http, thing)).json()["version"] == thing.version


@pytest.mark.parametrize("thing", ["round"], indirect=True)
async def test_where_no_version_is_required_none_is_asked_for(http: httpx.AsyncClient, thing: Thing) -> None:
    assert (await change(http, thing, {})).status_code == 200


@pytest.mark.parametrize("thing", ["household"], indirect=True)
async def test_a_body_that_is_none_is_said_as_ever(http: httpx.AsyncClient, thing: Thing) -> None:
    for content, status in ((b"{broken", 400), (b"[]", 422), (b"", 422)):
        headers = thing.headers(If_Match='"1"', Content_Type="application/json")
        answer = await http.patch(thing.command, content=content, headers=headers)
        assert answer.status_code in (status, 400), answer.text


@pytest.mark.parametrize("thing", ["case"], indirect=True)
async def test_a_retry_with_the_same_key_gets_the_same_answer(http: httpx.AsyncClient, thing: Thing) -> None:
    answers = [await change(http, thing, {}, If_Match=f'"{thing.version}"', Idempotency_Key="once") for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert answers[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("thing", ["case"], indirect=True)
async def test_nobody_learns_a_version_they_may_not_see(http: httpx.AsyncClient, thing: Thing, district: str) -> None:
    stranger = await people.sign_in(district, Role.TOWN_CENTRE, cases_stage.OTHER_TOWN, "330109004")
    answer = await http.post(thing.command, json={}, headers=stranger.headers | {"If-Match": '"99"'})
    assert answer.status_code == 404
    assert "version" not in answer.json()


async def test_every_versioned_operation_says_so_in_the_documentation(app: Litestar, http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    versioned = [each for each in all_operations(app, document) if each.opt.get("versioned")]
    assert len(versioned) > 20
    for operation in versioned:
        described = document["paths"][operation.path][operation.method.lower()]
        header = "If-None-Match" if operation.method == "GET" else "If-Match"
        assert header in [each["name"] for each in described["parameters"]], str(operation)
        assert "ETag" in described["responses"]["200"]["headers"]
        assert ("304" if operation.method == "GET" else "412") in described["responses"]
