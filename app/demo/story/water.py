"""Third act: a water level past its threshold is a case of the transport bureau within seconds."""

import time
from datetime import datetime, timedelta
from typing import Any

from app.demo.story.stage import Cast, Client, Photo, StoryFailed, Teller, wait_for
from app.kernel.ids import new_id

DEPARTMENT = "dept.transport"
WITHIN_SECONDS = 10.0
AGO = timedelta(minutes=6)
"""The water rises in the story this long before now, so that it can have fallen for the rule's five minutes."""
FALLS, FELL = timedelta(seconds=30), timedelta(seconds=345)


def play(cast: Cast, tell: Teller, place: tuple[float, float], now: datetime) -> dict[str, Any]:
    """Play the act with a new sensor at a place (WGS-84); return the closed case."""
    tell.act("三、水位预警 a water level")
    centre = cast.staff("district")
    device, sensor = _register(cast, tell, place)
    case = _rise(sensor, centre, device, tell, now - AGO)
    return _clear(cast, sensor, device, case, tell, now - AGO)


def _register(cast: Cast, tell: Teller, place: tuple[float, float]) -> tuple[str, Client]:
    tell.step("the district centre registers the transport bureau's sensor in an underpass")
    account, centre = cast.account(DEPARTMENT), cast.staff("district")
    made = centre.post(
        "/v1/sensing/devices",
        {
            "code": f"story-{new_id().hex}",
            "name": "下穿通道水位（演示故事）",
            "kind": "water_level",
            "owner": str(account.organisation),
            "channels": [{"name": "level", "unit": "cm", "low": 0, "high": 300}],
            "lon": place[0],
            "lat": place[1],
            "address": "示例下穿通道",
        },
        201,
    )
    tell.see(made["key"], "its key is shown this once")
    return made["device"]["id"], Client("sensor", cast.demo.base_url, {"X-Device-Key": made["key"]})


def _send(sensor: Client, device: str, at: datetime, value: float) -> str:
    reading = {"device": device, "channel": "level", "at": at.isoformat(), "value": value}
    return sensor.post("/v1/readings", {"readings": [reading]})["verdicts"][0]["verdict"]


def _episode(centre: Client, device: str) -> dict[str, Any] | None:
    episodes = centre.get("/v1/sensing/episodes", device=device)
    return next((episode for episode in episodes if episode["case"]), None)


def _rise(sensor: Client, centre: Client, device: str, tell: Teller, at: datetime) -> str:
    tell.step("the sensor reports 15.2 cm")
    began = time.monotonic()
    tell.see(_send(sensor, device, at, 15.2) == "stored", "the reading is stored before it is answered")
    tell.see(_send(sensor, device, at, 15.2) == "duplicate", "sent again it changes nothing")
    episode = wait_for("a case of the water level", lambda: _episode(centre, device), WITHIN_SECONDS)
    case = centre.get(f"/v1/cases/{episode['case']}")
    tell.see(case["state"] == "assigned", f"{time.monotonic() - began:.1f} s later: case {case['number']}")
    tell.see(case["lead_name"] == "交通运输局", f"with {case['lead_name']}, due {case['due_at']}")
    return case["id"]


def _clear(cast: Cast, sensor: Client, device: str, case: str, tell: Teller, at: datetime) -> dict[str, Any]:
    department, centre = cast.staff(DEPARTMENT), cast.staff("district")
    tell.step("the bureau signs and closes the underpass; the water falls; the bureau reports it done")
    department.order(case, "sign")
    department.order(case, "record", work="已封闭通道并开泵排水（演示）")
    for after, value in ((FALLS, 6.0), (FELL, 3.0)):
        _send(sensor, device, at + after, value)
    _assist(cast, department, case, tell, at)
    shown = department.get(f"/v1/cases/{case}")
    photo = Photo("jpg__orientation__landscape_6.jpg", at + FELL, shown["lon"], shown["lat"])
    department.order(case, "submit", result="积水已排除，通道恢复通行（演示）", evidence=[photo.declared()])
    department.upload(photo)
    after = centre.get(f"/v1/cases/{case}")
    if "verify" in {each["command"] for each in after["allowed"]}:
        after = centre.order(case, "verify", passed=True, note="水位已回落")
    if after["state"] != "closed":
        raise StoryFailed(f"the water's case is {after['state']}, signal {after['signal']}, not closed")
    tell.see(True, f"closed {after['closed_at']}, signal {after['signal']}")
    return after


def _assist(cast: Cast, department: Client, case: str, tell: Teller, at: datetime) -> None:
    """The town of the place assists: it comes, reports, and the bureau confirms it."""
    leg = next(leg for leg in department.get(f"/v1/cases/{case}")["legs"] if leg["kind"] == "assist")
    town = cast.member(leg["organisation"])
    shown = town.get(f"/v1/cases/{case}")
    photo = Photo("jpg__orientation__portrait_8.jpg", at, shown["lon"], shown["lat"])
    town.order(case, "sign", leg=leg["id"])
    town.order(case, "attend", leg=leg["id"])
    town.order(case, "submit", leg=leg["id"], result="已到场疏导交通（演示）", evidence=[photo.declared()])
    town.upload(photo)
    department.order(case, "confirm", leg=leg["id"])
    tell.see(True, f"{leg['organisation_name']} came and assisted")
