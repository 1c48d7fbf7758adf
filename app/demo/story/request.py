"""First act: a citizen's request, routed with a reason, delegated, handled with evidence, checked, rated."""

from datetime import datetime
from itertools import pairwise
from typing import Any

from app.demo.story.stage import Cast, Client, Photo, Teller, wait_for

TOWN = "330109001"


def play(cast: Cast, tell: Teller, place: tuple[float, float], now: datetime) -> dict[str, Any]:
    """Play the act at a place (WGS-84) of the first town; return the closed case."""
    tell.act("一、群众诉求 a citizen's request")
    citizen = cast.citizen("wang")
    case = _submit(cast, citizen, tell, place, now)
    centre, town = cast.staff("district"), cast.staff(f"town.{TOWN}")
    _explain(town, case, tell)
    unit = cast.account(f"officer1.{TOWN}")
    _delegate(town, str(unit.organisation), case, tell)
    _handle(cast, case, tell, place, now)
    _confirm(town, case, tell)
    return _close(centre, citizen, case, tell)


def _submit(cast: Cast, citizen: Client, tell: Teller, place: tuple[float, float], now: datetime) -> str:
    tell.step("the citizen photographs a missing drain cover and submits it with the place")
    photo = Photo("jpg__orientation__landscape_6.jpg", now, *place)
    sent = {
        "text": "小区东门外人行道的雨水井盖没了，老人孩子容易踩空（演示诉求）",
        "item": "H292",
        "place": {"lon": place[0], "lat": place[1], "datum": "wgs84", "accuracy_m": 15},
        "address": "示例路1号东门",
        "photos": [photo.declared()],
        "phone": "13800000000",
    }
    request = citizen.post("/v1/citizen/requests", sent, 201)
    tell.see(request["number"].startswith("XS"), f"number {request['number']}, {request['state_text']}")
    citizen.upload(photo)
    stranger = cast.citizen("li")
    stranger.call("GET", f"/v1/citizen/requests/{request['id']}", 404)
    tell.see(True, "another citizen finds nothing under its id")
    return request["id"]


def _explain(town: Client, case: str, tell: Teller) -> None:
    tell.step("the town centre asks why the case came to it")
    routing = town.get(f"/v1/cases/{case}/routing")
    tell.see(routing["reason"], f"“{routing['reason'][0]}”")
    shown = town.get(f"/v1/cases/{case}")
    tell.see(
        shown["state"] == "assigned" and shown["due_at"], f"assigned to {shown['lead_name']}, due {shown['due_at']}"
    )


def _delegate(town: Client, unit: str, case: str, tell: Teller) -> None:
    tell.step("the town signs for it and delegates it to a team")
    town.order(case, "sign")
    after = town.order(case, "delegate", to=unit, note="请今天内处理")
    inner = [leg for leg in after["legs"] if leg["kind"] == "inner"]
    tell.see(inner and inner[0]["organisation"] == unit, f"inner leg at {inner[0]['organisation_name']}")


def _handle(cast: Cast, case: str, tell: Teller, place: tuple[float, float], now: datetime) -> None:
    team = cast.staff(f"officer1.{TOWN}")
    tell.step("the team signs, tries to submit without evidence, then with a photo of the new cover")
    team.order(case, "sign")
    refusal = team.refused(case, "submit", result="已加盖（演示）")
    tell.see(refusal["type"], f"without a photo: {refusal.get('detail') or refusal['title']}")
    photo = Photo("jpg__gps__DSCN0010.jpg", now, *place)
    team.order(case, "submit", result="已补装井盖（演示）", evidence=[photo.declared()])
    team.upload(photo, parts=3)

    def judged() -> dict[str, Any] | None:
        evidence = team.get(f"/v1/cases/{case}")["evidence"]
        return next((each["verdict"] for each in evidence if each["id"] == photo.id), None)

    verdict = wait_for("the verdict on the photo", judged)
    reasons = "；".join(reason["zh"] for reason in verdict["reasons"])
    tell.see(verdict["outcome"] == "contradicted", f"the photo is judged: {reasons}")


def _confirm(town: Client, case: str, tell: Teller) -> None:
    tell.step("the town confirms its team's work and submits the case")
    legs = town.get(f"/v1/cases/{case}")["legs"]
    town.order(case, "confirm", leg=next(leg["id"] for leg in legs if leg["kind"] == "inner"))
    root = next(leg["id"] for leg in legs if leg["kind"] == "root")
    after = town.order(case, "submit", leg=root, result="井盖已补装，周边已排查（演示）")
    tell.see(after["state"] == "handled", f"state {after['state_text']}")


def _close(centre: Client, citizen: Client, case: str, tell: Teller) -> dict[str, Any]:
    tell.step("the district centre checks the result; the citizen is asked and rates it")
    after = centre.order(case, "verify", passed=True, note="现场照片已看")
    tell.see(after["state"] == "calling_back", "the citizen is asked")
    citizen.post(f"/v1/citizen/requests/{case}/rate", {"score": 5, "opinion": "处理很快"})
    closed = centre.get(f"/v1/cases/{case}")
    tell.see(closed["state"] == "closed", f"closed {closed['closed_at']}, rating {closed['rating']}")
    followed = citizen.get(f"/v1/citizen/requests/{case}")
    tell.see(len(followed["steps"]) >= 5, "the citizen reads: " + " → ".join(s["text"] for s in followed["steps"]))
    steps = centre.get(f"/v1/cases/{case}/trace")
    chained = all(later["prev_hash"] == earlier["hash"] for earlier, later in pairwise(steps))
    tell.see(chained, f"{len(steps)} steps on the trace, each holding the hash of the one before")
    return closed
