"""Scores over HTTP: within reach, opened to their lines and facts, and whatever else is asked of them refused."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar, Router
from litestar.di import Provide

from app.kernel.actor import Actor, Role
from app.server import errors
from scoring.teams import api, commands
from tests.scoring.teams.making import (
    CENTRE,
    COLLEAGUE,
    EXAMPLE,
    NOVEMBER,
    example_facts,
    published,
    staff,
    store_facts,
)

TEAM = UUID(int=42)
"""The organisation that stands for team-02 of the example here: a leader sees the own team by its id."""

MANAGER = staff(Role.TOWN_MANAGER, "330109003", number=11)
CLERK = staff(Role.TOWN_CENTRE, "330109003", number=12)
LEADER = staff(Role.SQUAD_LEADER, "330109002", TEAM, number=13)
Client = Callable[[Actor], httpx.AsyncClient]


@pytest.fixture
async def client(district: str) -> AsyncIterator[Client]:
    await published()
    named = {"team-02": str(TEAM)}
    await store_facts([msgspec.structs.replace(f, team=named.get(f.team or "", f.team)) for f in example_facts()])
    await commands.recompute("2026-10", None, CENTRE, NOVEMBER)
    opened: list[httpx.AsyncClient] = []

    def open_as(who: Actor) -> httpx.AsyncClient:
        app = Litestar(
            [Router("/v1", route_handlers=api.routes)],
            dependencies={
                "actor": Provide(lambda: who, sync_to_thread=False),
                "now": Provide(lambda: NOVEMBER, sync_to_thread=False),
            },
            exception_handlers=errors.handlers,
        )
        opened.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1"))
        return opened[-1]

    yield open_as
    for each in opened:
        await each.aclose()


async def scores(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/scoring/periods/2026-10/scores{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def score_of(client: Client, subject: str) -> str:
    return next(s["id"] for s in await scores(client(CENTRE)) if s["subject"] == subject)


async def test_the_centre_sees_all_the_best_first(client: Client):
    found = await scores(client(CENTRE))
    assert [(s["rank"], s["total"], s["peers"]) for s in found] == [
        (1, "89.4444", 4),
        (2, "67.3333", 4),
        (3, "53.8214", 4),
        (4, "44.2682", 4),
    ]


@pytest.mark.parametrize(
    ("who", "seen"),
    [(MANAGER, ["team-03"]), (CLERK, ["team-03"]), (LEADER, [str(TEAM)])],
    ids=["town manager", "town centre", "squad leader"],
)
async def test_a_town_sees_its_teams_and_a_leader_the_own_team(client: Client, who: Actor, seen: list[str]):
    assert [s["subject"] for s in await scores(client(who))] == seen


@pytest.mark.parametrize("role", [Role.GRID_WORKER, Role.OFFICER, Role.STATION, Role.AUDITOR, Role.ADMINISTRATOR])
async def test_others_are_refused(client: Client, role: Role):
    assert (await client(staff(role)).get("/scoring/periods/2026-10/scores")).status_code == 403


async def test_another_towns_score_looks_as_if_it_were_not_there(client: Client):
    foreign = await client(MANAGER).get(f"/scoring/scores/{await score_of(client, 'team-01')}")
    absent = await client(MANAGER).get(f"/scoring/scores/{UUID(int=5)}")
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json()["type"] == absent.json()["type"]
    assert foreign.json().keys() == absent.json().keys()


async def test_pages_follow_each_other_by_link(client: Client):
    centre = client(CENTRE)
    answer = await centre.get("/scoring/periods/2026-10/scores?limit=3&force=grid")
    first = [s["rank"] for s in answer.json()]
    following = answer.links["next"]["url"].removeprefix("/v1")
    last = await centre.get(following)
    assert (first, [s["rank"] for s in last.json()]) == ([1, 2, 3], [4])
    assert "next" not in last.links


async def test_scores_are_filtered_by_force_and_level(client: Client):
    assert await scores(client(CENTRE), "?force=police") == []
    assert await scores(client(CENTRE), "?level=town") == []
    assert len(await scores(client(CENTRE), "?level=team&force=grid")) == 4


async def test_a_score_opens_to_every_line(client: Client):
    detail = (await client(MANAGER).get(f"/scoring/scores/{await score_of(client, 'team-03')}")).json()
    rework = next(line for line in detail["lines"] if line["code"] == "REWORK")
    shown = ("numerator", "denominator", "value", "floor", "target", "direction", "weight", "points", "baseline")
    assert [rework[key] for key in shown] == [
        1,
        18,
        "0.0556",
        "0.2000",
        "0.0200",
        "down",
        "30.0000",
        "24.0741",
        "0.0000",
    ]
    assert rework["low"] < rework["value"] < rework["high"]
    satisfied = next(line for line in detail["lines"] if line["code"] == "SATISFIED")
    assert satisfied["beside"]["measure"] == "survey.answered"
    assert satisfied["beside"]["numerator"] == satisfied["denominator"] == 13
    assert detail["run"]["output_digest"]


async def test_a_line_opens_to_its_facts_with_the_points_of_each(client: Client):
    path = f"/scoring/scores/{await score_of(client, 'team-03')}/lines/CLOSE_ONTIME/facts"
    facts = (await client(MANAGER).get(path)).json()
    counted = [f for f in facts if f["counted"]]
    assert (len(counted), len(facts)) == (15, 19)
    assert sum(round(float(f["points"]) * 10000) for f in facts) == 127820
    assert all(float(f["points"]) == 0 for f in facts if not f["counted"])
    assert not any("person" in f for f in facts)
    assert [f["fact_id"] for f in facts] == sorted(f["fact_id"] for f in facts)
    late = (await client(MANAGER).get(f"{path}?counted=false")).json()
    assert all(f["done_at"] is None or f["done_at"] > f["due_at"] for f in late)
    page = await client(MANAGER).get(f"{path}?limit=10")
    rest = (await client(MANAGER).get(page.links["next"]["url"].removeprefix("/v1"))).json()
    assert page.json() + rest == facts


async def test_a_line_the_score_does_not_have_is_not_found(client: Client):
    path = f"/scoring/scores/{await score_of(client, 'team-03')}/lines/NOTHING/facts"
    assert (await client(CENTRE).get(path)).status_code == 404


async def test_a_scheme_is_refused_with_every_bad_field(client: Client):
    bad = EXAMPLE.replace('"grid"', '"fire"').replace('"0.98"', '"high"')
    answer = await client(CENTRE).post("/scoring/schemes", json={"document": bad})
    assert answer.status_code == 422
    assert {"scheme.force", "indicator[0].target"} <= {e["field"] for e in answer.json()["errors"]}


async def test_a_scheme_goes_through_two_hands_over_http(client: Client):
    document = EXAMPLE.replace("2026-01-01", "2027-01-01")
    draft = (await client(CENTRE).post("/scoring/schemes", json={"document": document})).json()
    path = f"/scoring/schemes/{draft['id']}"
    assert (await client(CENTRE).post(f"{path}/review")).status_code == 409
    assert (await client(COLLEAGUE).post(f"{path}/review")).status_code == 200
    assert (await client(COLLEAGUE).post(f"{path}/publish")).json()["state"] == "published"
    listed = (await client(LEADER).get("/scoring/schemes")).json()
    assert [(s["version"], s["state"], s["until"]) for s in listed] == [
        (2, "published", None),
        (1, "published", "2027-01-01"),
    ]


async def test_an_appeal_goes_from_the_town_to_the_centre(client: Client):
    score = await score_of(client, "team-03")
    appeal = await client(CLERK).post(
        "/scoring/appeals", json={"score": score, "line": "CLOSE_ONTIME", "reason": "演示：另有证据"}
    )
    assert appeal.status_code == 201
    decision = f"/scoring/appeals/{appeal.json()['id']}/decision"
    assert (await client(CLERK).post(decision, json={"upheld": True, "reason": "x", "points": "1"})).status_code == 403
    for points in ("0", "1.00005", "101", "1e999999999", "1e-999999999", "NaN", None):
        refused = await client(CENTRE).post(decision, json={"upheld": True, "reason": "核实属实", "points": points})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "points")
    upheld = await client(CENTRE).post(decision, json={"upheld": True, "reason": "核实属实", "points": "1.5"})
    assert upheld.json()["state"] == "upheld"
    assert [a["points"] for a in (await client(MANAGER).get("/scoring/periods/2026-10/appeals")).json()] == ["1.5000"]
    assert (await client(LEADER).get("/scoring/periods/2026-10/appeals")).json() == []
    await client(CENTRE).post("/scoring/periods/2026-10/recompute")
    detail = (await client(MANAGER).get(f"/scoring/scores/{score}")).json()
    assert detail["score"]["total"] == "45.7682"
    assert detail["lines"][-1]["kind"] == "adjustment"
    assert detail["appeals"][0]["decided_by"] != detail["appeals"][0]["raised_by"]


async def test_an_appeal_against_another_towns_score_is_not_found(client: Client):
    score = await score_of(client, "team-01")
    answer = await client(CLERK).post("/scoring/appeals", json={"score": score, "line": "REWORK", "reason": "演示"})
    assert answer.status_code == 404


async def test_the_life_of_a_period_over_http(client: Client):
    centre = client(CENTRE)
    period = "/scoring/periods/2026-10"
    until = (NOVEMBER + timedelta(days=1)).isoformat()
    assert (await centre.post(f"{period}/lock")).json()["possible"] == ["freeze"]
    assert (await centre.post(f"{period}/freeze")).json()["state"] == "frozen"
    for bad in ("2026-12-01T00:00:00", "9999-12-31T23:59:59-12:00", NOVEMBER.isoformat()):
        refused = await centre.post(f"{period}/invite", json={"until": bad})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")
    assert (await centre.post(f"{period}/invite", json={"until": until})).json()["state"] == "appeal"
    assert (await centre.post(f"{period}/lock")).status_code == 409
    assert (await centre.post(f"{period}/reopen", json={"reason": "x", "until": until})).status_code == 409
    assert [p["state"] for p in (await client(MANAGER).get("/scoring/periods")).json()] == ["appeal"]
    run = (await scores(centre))[0]["run"]
    assert (await centre.post(f"/scoring/runs/{run}/verify")).json()["sound"] is True
    assert (await centre.get(f"/scoring/runs/{run}")).json()["kind"] == "live"


async def test_every_measure_is_listed_with_meaning_and_source(client: Client):
    listed = (await client(LEADER).get("/scoring/measures")).json()
    assert len(listed) >= 15
    assert all(m["meaning"][0] and m["source"] for m in listed)


@pytest.mark.parametrize("period", ["2026-13", "october", "%00"])
async def test_what_is_not_a_period_is_said_so(client: Client, period: str):
    assert (await client(CENTRE).get(f"/scoring/periods/{period}/scores")).status_code == 422
    assert (await client(CENTRE).post(f"/scoring/periods/{period}/recompute")).status_code == 422


async def test_a_period_nobody_computed_has_no_scores(client: Client):
    assert (await client(CENTRE).get("/scoring/periods/2026-09/scores")).json() == []
    assert (await client(CENTRE).post("/scoring/periods/2026-09/freeze")).status_code == 404
