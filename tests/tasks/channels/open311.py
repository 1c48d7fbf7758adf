"""What the tests of Open311 share: a form as a client sends it, and what is read back."""

from typing import Any

import httpx

from app.kernel import clock, db
from app.kernel.crs import Datum, Place
from tasks.cases import commands as cases
from tasks.cases import intake
from tasks.cases import orders as o
from tasks.cases.model import Case
from tasks.cases.report import Report, Reporter
from tests.tasks.cases import stage

BASE = "/open311/v2"
WASTE = "E0102"  # 暴露垃圾
PRIVATE = "H201"  # 家庭暴力: its reporters are hidden from those who handle it
LAT, LONG = 30.18512, 120.26534


def form(key: str, **fields: str) -> dict[str, str]:
    plain = {
        "api_key": key,
        "service_code": WASTE,
        "description": "垃圾成堆（演示）",
        "lat": str(LAT),
        "long": str(LONG),
    }
    return {name: value for name, value in (plain | fields).items() if value}


async def send(http: httpx.AsyncClient, key: str, **fields: str) -> str:
    answer = await http.post(f"{BASE}/requests.json", data=form(key, **fields))
    assert answer.status_code == 201, answer.text
    [receipt] = answer.json()
    return receipt["service_request_id"]


async def read(http: httpx.AsyncClient, number: str) -> dict[str, Any]:
    answer = await http.get(f"{BASE}/requests/{number}.json")
    assert answer.status_code == 200, answer.text
    [found] = answer.json()
    return found


async def listed(http: httpx.AsyncClient, **parameters: str) -> list[str]:
    answer = await http.get(f"{BASE}/requests.json", params=parameters)
    assert answer.status_code == 200, answer.text
    return [each["service_request_id"] for each in answer.json()]


async def case_of(number: str) -> Any:
    return await db.fetchrow("select * from cases where number = $1", number)


async def look(number: str) -> None:
    """A clerk of the centre gives the case a command."""
    row = await case_of(number)
    await cases.give(row["id"], o.Add(text="已核对（演示）"), stage.CENTRE_CLERK, clock.now())


async def open_case(item: str = WASTE, source: str = "citizen", **fields: Any) -> Case:
    place = Place(lon=LONG, lat=LAT, datum=Datum.WGS84)
    told = {"description": "张某某的话（演示）", "address": "演示路 1 号", "place": place} | fields
    reporter = Reporter(kind="resident", name="张演示", phone="13800000000")
    return await intake.open(Report(source=source, item=item, reporter=reporter, **told), stage.SYSTEM, clock.now())
