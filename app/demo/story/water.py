"""Third act: a water level past its threshold is a case of the transport bureau within seconds."""

import time
from datetime import datetime, timedelta
from typing import Any

from app.demo.story.stage import Cast, Client, Photo, StoryFailed, Teller, wait_for

SENSOR = "WL-001"
DEPARTMENT = "dept.transport"
WITHIN_SECONDS = 10.0


def play(cast: Cast, tell: Teller, now: datetime) -> dict[str, Any]:
    """Play the act; return the closed case."""
    tell.act("三、水位预警 a water level")
    device, sensor = cast.device(SENSOR)
    centre = cast.staff("district")
    _settle(sensor, device, now)
    case = _rise(sensor, centre, device, tell, now)
    return _clear(cast, sensor, device, case, tell, now)


def _send(sensor: Client, device: str, at: datetime, value: float) -> str:
    reading = {"device": device, "channel": "level", "at": at.isoformat(), "value": value}
    return sensor.post("/v1/readings", {"readings": [reading]})["verdicts"][0]["verdict"]


def _settle(sensor: Client, device: str, now: datetime) -> None:
    """Lower the water first, in case an earlier play left it high."""
    _send(sensor, device, now - timedelta(seconds=2), 2.0)


def _episode(centre: Client, device: str, since: datetime) -> dict[str, Any] | None:
    for episode in centre.get("/v1/sensing/episodes", device=device):
        if episode.get("case_id") and datetime.fromisoformat(episode["fired_at"]) >= since:
            return episode
    return None


def _rise(sensor: Client, centre: Client, device: str, tell: Teller, now: datetime) -> str:
    tell.step("the sensor in the underpass reports 15.2 cm")
    began = time.monotonic()
    tell.see(_send(sensor, device, now, 15.2) == "stored", "the reading is stored before it is answered")
    tell.see(_send(sensor, device, now, 15.2) == "duplicate", "sent again it changes nothing")
    episode = wait_for("a case of the water level", lambda: _episode(centre, device, now), WITHIN_SECONDS)
    case = centre.get(f"/v1/cases/{episode['case_id']}")
    tell.see(case["state"] == "assigned", f"{time.monotonic() - began:.1f} s later: case {case['number']}")
    tell.see(case["lead_name"] == "交通运输局", f"with {case['lead_name']}, due {case['due_at']}")
    return case["id"]


def _clear(cast: Cast, sensor: Client, device: str, case: str, tell: Teller, now: datetime) -> dict[str, Any]:
    department, centre = cast.staff(DEPARTMENT), cast.staff("district")
    tell.step("the bureau signs and closes the underpass; the water falls; the bureau reports it done")
    department.order(case, "sign")
    department.order(case, "record", work="已封闭通道并开泵排水（演示）")
    for seconds, value in ((1, 6.0), (2, 3.0)):
        _send(sensor, device, now + timedelta(seconds=seconds), value)
    shown = department.get(f"/v1/cases/{case}")
    photo = Photo("jpg__orientation__landscape_6.jpg", now, shown["lon"], shown["lat"])
    department.order(case, "submit", result="积水已排除，通道恢复通行（演示）", evidence=[photo.declared()])
    department.upload(photo)
    after = centre.get(f"/v1/cases/{case}")
    if "verify" in {each["command"] for each in after["allowed"]}:
        after = centre.order(case, "verify", passed=True, note="水位已回落")
    if after["state"] != "closed":
        raise StoryFailed(f"the water's case is {after['state']}, signal {after['signal']}, not closed")
    tell.see(True, f"closed {after['closed_at']}, signal {after['signal']}")
    return after
