"""A clerk types what a resident says at the desk or on the phone: for the resident, sealed, from the clerk's centre."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.identity import cipher
from app.kernel import db
from app.kernel.actor import Role
from media import configuration
from tests.tasks.cases import stage, town
from tests.tools import people

CLERKS = {
    "station": (Role.STATION, stage.STATION, stage.VILLAGE),
    "town": (Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN),
    "district": (Role.DISTRICT_CENTRE, stage.CENTRE, stage.DISTRICT),
}
CALL = {
    "item": "H305",
    "description": "来电反映路灯不亮（演示）",
    "caller": {"name": "演示·李四", "phone": "13900000000"},
    "place": {"lon": 120.265, "lat": 30.185, "datum": "wgs84"},
}


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


@pytest.mark.parametrize("who", CLERKS)
async def test_a_clerk_opens_a_case_for_a_resident(district: str, http: httpx.AsyncClient, who: str) -> None:
    await town.build()
    role, organisation, area = CLERKS[who]
    clerk = await people.sign_in(district, role, organisation, area)
    made = await http.post("/v1/cases", json=CALL, headers=clerk.headers)
    assert made.status_code == 201, made.text
    case = await db.fetchrow("select * from cases where id = $1", UUID(made.json()["id"]))
    assert case is not None
    assert (case["source"], case["reporter_kind"], case["reporter"]) == ("desk", "resident", None)
    assert (case["sender"], case["cell"]) == (organisation, stage.CELL)
    contact = await db.fetchrow("select name, phone from case_contact where case_id = $1", case["id"])
    assert contact is not None
    assert [cipher.open_(contact["name"]), cipher.open_(contact["phone"])] == ["演示·李四", "13900000000"]
    assert "13900000000" not in made.text


async def test_a_town_manager_looks_on_and_types_nothing(district: str, http: httpx.AsyncClient) -> None:
    manager = await people.sign_in(district, Role.TOWN_MANAGER, stage.TOWN_CENTRE, stage.TOWN)
    assert (await http.post("/v1/cases", json=CALL, headers=manager.headers)).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "NOPE"}, "item"),
        ({"occurred_at": "2199-01-01T00:00:00Z"}, "occurred_at"),
        ({"description": "长" * 10_001}, "description"),
        ({"description": ""}, "description"),
        ({"place": {"lon": 181, "lat": 30, "datum": "wgs84"}}, "place.lon"),
        ({"caller": {"phone": "1" * 31}}, "caller.phone"),
    ],
)
async def test_bad_input_at_the_desk_names_the_field(
    district: str, http: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    await town.build()
    clerk = await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)
    answer = await http.post("/v1/cases", json=CALL | change, headers=clerk.headers)
    assert answer.status_code == 422, answer.text
    assert field in [each["field"] for each in answer.json()["errors"]]
