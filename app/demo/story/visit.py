"""Second act: a night round; a visit written offline and pushed later, twice; its demand is returned and ruled on."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.demo.story.stage import Cast, Client, Photo, StoryFailed, Teller
from app.kernel.clock import SHANGHAI
from app.kernel.ids import new_id

TOWN = "330109001"
SCHEMA = 2
RETURNS = 3
"""At most so many returns are tried before the case must be disputed."""


def play(cast: Cast, tell: Teller, now: datetime) -> dict[str, Any]:
    """Play the act; return the closed case of the demand."""
    tell.act("二、夜访 a night visit")
    phone = UUID(str(new_id()))
    worker = cast.staff(f"grid1.{TOWN}", phone)
    assignment = _plan(cast, tell, now)
    _pull(worker, phone, assignment, tell)
    demand = _push(worker, phone, assignment, tell, now)
    _cover(cast, assignment["round_id"], tell)
    _dispute(cast, demand, tell)
    return _finish(cast, demand, tell)


def _plan(cast: Cast, tell: Teller, now: datetime) -> dict[str, Any]:
    leader, person = cast.staff(f"leader.{TOWN}"), str(cast.account(f"grid1.{TOWN}").id)
    tell.step("the squad leader plans a night round and has the households divided among the members")
    today = now.astimezone(SHANGHAI).date()
    # An evening after its end can no longer be planned: the round runs into tomorrow.
    made = leader.post(
        "/v1/rounds",
        {
            "name": "演示夜访",
            "kind": "night",
            "starts_on": str(today),
            "ends_on": str(today + timedelta(days=2)),
            "target": {"area": TOWN},
            "squads": [str(cast.account(f"leader.{TOWN}").organisation)],
            "questionnaire": "household-visit",
            "questionnaire_version": 1,
            "quota": 10,
        },
        201,
    )
    preview = leader.post(f"/v1/rounds/{made['id']}/preview", {})
    shares = sorted(preview["per_member"].values())
    tell.see(
        shares and shares[0] > 0, f"preview: {preview['households']} households, {shares[0]}–{shares[-1]} a member"
    )
    leader.post(f"/v1/rounds/{made['id']}/assign", {})
    mine = leader.get(f"/v1/rounds/{made['id']}/assignments", person=person)
    tell.see(mine, f"{len(mine)} households in walking order for one member")
    return mine[0]


def _pull(worker: Client, phone: UUID, assignment: dict[str, Any], tell: Teller) -> None:
    tell.step("the grid worker's phone pulls before going out")
    buckets: dict[str, int] = {}
    epoch: str | None = None
    seen: dict[str, Any] = {}
    text = ""
    while True:
        asked = {"device_id": str(phone), "app_schema": SCHEMA, "epoch": epoch, "buckets": buckets, "limit": 500}
        answer = worker.post("/v1/sync/pull", asked)
        epoch = answer["epoch"]
        for name, page in answer["buckets"].items():
            buckets[name] = page["cursor"]
            text += msgspec.json.encode(page).decode()
            seen |= {op["entity"]: op for op in page["ops"]}
        if not any(page["has_more"] for page in answer["buckets"].values()):
            break
    tell.see(assignment["id"] in seen, f"{len(seen)} rows in {len(buckets)} buckets, the assignment among them")
    tell.see("contact" not in text and "phone" not in text, "no contact of a resident travels to the phone")


def _push(worker: Client, phone: UUID, assignment: dict[str, Any], tell: Teller, now: datetime) -> str:
    home = worker.get(f"/v1/households/{assignment['household_id']}")
    evening = datetime.combine(now.astimezone(SHANGHAI).date() - timedelta(days=1), time(19, 30), SHANGHAI)
    photos = [
        Photo("jpg__orientation__portrait_8.jpg", evening, home["lon"], home["lat"]),
        Photo("jpg__Samsung_GT-I9000_(Galaxy_S).jpg", evening, home["lon"], home["lat"]),
    ]
    demand = str(new_id())
    op = {
        "op_id": str(new_id()),
        "type": "visit.record",
        "entity_id": str(new_id()),
        "captured_at": (evening + timedelta(minutes=20)).isoformat(),
        "body": {
            "household": home["id"],
            "assignment": assignment["id"],
            "outcome": "met",
            "started_at": evening.isoformat(),
            "ended_at": (evening + timedelta(minutes=15)).isoformat(),
            "place": {"lon": home["lon"], "lat": home["lat"], "datum": "wgs84", "accuracy_m": 12},
            "questionnaire": "household-visit",
            "questionnaire_version": 1,
            "answers": {"needs_help": True, "fire_safety": False},
            "demands": [
                {
                    "id": demand,
                    "item": "E0110",
                    "text": "楼前道路破损，老人推轮椅不便（演示诉求）",
                    "evidence": [photo.id for photo in photos],
                }
            ],
            "evidence": [photo.declared() for photo in photos],
        },
    }
    tell.step("yesterday at 19:30, without a network, the worker wrote a visit; now the phone pushes it, twice")
    body = {"device_id": str(phone), "app_schema": SCHEMA, "sent_at": now.isoformat(), "ops": [op]}
    answers = [worker.post("/v1/sync/push", body)["verdicts"][0] for _ in range(2)]
    tell.see(
        answers[0]["verdict"] == "applied", f"verdict {answers[0]['verdict']}, half {answers[0]['result']['half']}"
    )
    tell.see(answers[0] == answers[1], "the repeat has the same verdict and no second effect")
    tell.see(answers[0]["result"]["cases"] == [demand], "the demand is a case, made in the same transaction")
    for photo in photos:
        worker.upload(photo)
    tell.see(True, "two real photos uploaded by tus, in two parts each")
    return demand


def _cover(cast: Cast, round_: str, tell: Teller) -> None:
    leader = cast.staff(f"leader.{TOWN}")
    tell.step("the squad leader looks at the coverage and ends the round")
    rows = leader.get(f"/v1/rounds/{round_}/coverage", level="town")
    tell.see(rows, f"coverage by town: {rows[0]}")
    closed = leader.post(f"/v1/rounds/{round_}/close", {})
    tell.see(closed, "the round is closed; what was not visited is free for another")


def _dispute(cast: Cast, case: str, tell: Teller) -> None:
    centre = cast.staff("district")
    tell.step("whoever gets the case returns it as not theirs, until the district centre must rule")
    for _ in range(RETURNS):
        shown = centre.get(f"/v1/cases/{case}")
        if shown["state"] == "disputed":
            break
        if shown["state"] == "accepted":
            centre.order(case, "assign", to=str(cast.account(f"town.{TOWN}").organisation), note="请核实")
            shown = centre.get(f"/v1/cases/{case}")
        cast.member(shown["lead"]).order(case, "return", reason="不属于本单位职责（演示）")
        tell.see(True, f"returned by {shown['lead_name']}")
    shown = centre.get(f"/v1/cases/{case}")
    tell.see(shown["state"] == "disputed", f"{shown['returns']} returns: {shown['state_text']}")
    department = str(cast.account("dept.urban-management").organisation)
    ruled = centre.order(
        case, "rule", to=department, reason="按职责分工由该局主办（演示裁定）", basis="权责清单（演示）"
    )
    tell.see(ruled["state"] == "assigned" and ruled["lead"] == department, f"ruled: {ruled['lead_name']} leads")
    refused = cast.staff("dept.urban-management")
    tell.see(refused.refused(case, "return", reason="不是我们的"), "what was ruled cannot be returned again")


def _finish(cast: Cast, case: str, tell: Teller) -> dict[str, Any]:
    department, centre = cast.staff("dept.urban-management"), cast.staff("district")
    tell.step("the department signs, mends the road, submits with a photo; the centre checks it")
    department.order(case, "sign")
    shown = department.get(f"/v1/cases/{case}")
    photo = Photo(
        "jpg__orientation__landscape_6.jpg", datetime.fromisoformat(shown["received_at"]), shown["lon"], shown["lat"]
    )
    department.order(case, "submit", result="破损路面已修补（演示）", evidence=[photo.declared()])
    department.upload(photo)
    after = centre.order(case, "verify", passed=True, note="已核查")
    if after["state"] == "calling_back":
        after = centre.order(case, "rate", score=4, opinion="居民电话答复满意（演示）")
    if after["state"] != "closed":
        raise StoryFailed(f"the demand's case is {after['state']}, not closed")
    tell.see(True, f"closed {after['closed_at']}")
    return after
