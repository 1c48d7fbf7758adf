"""The thin path over HTTP: opened, routed, signed, delegated, submitted, confirmed, verified, rated, closed."""

from typing import Any

import httpx

from app.kernel import clock, db
from app.kernel.actor import Role
from tasks.cases import commands, intake, store, trace
from tasks.cases.orders import Rate
from tests.tasks.cases import stage, town
from tests.tools import people


async def post(http: httpx.AsyncClient, who: people.Person, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = await http.post(f"/v1{path}", json=body, headers=who.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_citizens_request_travels_to_its_end(http: httpx.AsyncClient, place: str):
    citizen = await people.sign_in_citizen(place)
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    officer = await people.sign_in(place, Role.OFFICER, stage.ENFORCEMENT, stage.TOWN)
    centre = await people.sign_in(place, Role.DISTRICT_CENTRE, stage.CENTRE)
    report = intake.Report(
        source="citizen",
        item="H008",
        description="楼下夜里放音乐",
        reporter=intake.Reporter(id=citizen.actor.id, phone="13800001234"),
        place=town.INSIDE,
        lead=stage.TOWN_CENTRE,
    )
    case = await intake.open(report, citizen.actor, clock.now())
    path = f"/cases/{case.id}"
    assert case.state == "assigned"

    seen = await post(http, clerk, f"{path}/sign", {"version": case.version})
    assert seen["state"] == "handling"
    seen = await post(http, clerk, f"{path}/delegate", {"version": seen["version"], "to": str(stage.ENFORCEMENT)})
    inner = next(leg["id"] for leg in seen["legs"] if leg["kind"] == "inner")
    seen = await post(http, officer, f"{path}/sign", {"version": seen["version"]})
    seen = await post(http, officer, f"{path}/arrive", {"version": seen["version"]})
    photo = {"id": "019a0000-0000-7000-8000-00000000f001", "sha256": "a" * 64, "size": 1000, "media_type": "image/jpeg"}
    done = {"version": seen["version"], "result": "已劝离", "evidence": [photo]}
    seen = await post(http, officer, f"{path}/submit", done)
    seen = await post(http, clerk, f"{path}/confirm", {"version": seen["version"], "leg": inner})
    second = photo | {"id": "019a0000-0000-7000-8000-00000000f002"}
    done = {"version": seen["version"], "result": "已办结", "evidence": [second]}
    seen = await post(http, clerk, f"{path}/submit", done)
    assert seen["state"] == "handled"
    seen = await post(http, centre, f"{path}/verify", {"version": seen["version"], "passed": True})
    assert seen["state"] == "calling_back"
    await post(http, citizen, f"{path}/rate", {"version": seen["version"], "score": 5}, status=403)
    rated = await commands.give(case.id, Rate(score=5, opinion="谢谢"), citizen.actor, clock.now())
    assert (rated.state, rated.rating) == ("closed", 5)

    answer = await http.get(f"/v1{path}/trace", headers=centre.headers)
    steps = answer.json()
    assert [step["type"] for step in steps] == [
        "received", "accepted", "assigned", "signed", "delegated", "signed", "arrived", "submitted", "confirmed",
        "submitted", "verified", "rated",
    ]  # fmt: skip
    assert "13800001234" not in answer.text
    links = await store.links(case.id)
    assert trace.verify(case.id, links, (await store.heads(None, 1))[0][1]) is None

    sql = "select kind, force, done_at is not null as done from fact where attributes->>'case' = $1"
    facts = await db.fetch(sql, str(case.id))
    kinds = {row["kind"] for row in facts}
    assert {"case", "signing", "arrival", "verification", "survey"} <= kinds
    assert ("case", "enforcement", True) in {(row["kind"], row["force"], row["done"]) for row in facts}
    told = {row[0] for row in await db.fetch("select type from outbox")}
    assert {"CaseOpened", "CaseMoved", "CaseClosed"} <= told
