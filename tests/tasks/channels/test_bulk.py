"""Files of cases: bad rows listed by row and column, the good ones opened once, whatever is killed or repeated."""

import asyncio
import io
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
import xlsxwriter
from msgspec.structs import replace

from app.identity import cipher
from app.kernel import clock, db, event
from app.kernel.actor import Role
from app.kernel.ids import new_id
from media import configuration
from tasks.cases import intake
from tasks.channels import bulk_commands, push_commands, source_store, sources
from tasks.channels.events import ImportQueued
from tests.tasks.cases import stage, town
from tests.tools import people

HEADINGS = ["编号", "事项", "标题", "描述", "地址", "紧急程度", "发生时间", "经度", "纬度", "姓名", "电话"]


@pytest.fixture(autouse=True)
def media(tmp_path: Any) -> None:
    configuration.configure((tmp_path / "media").as_uri(), bytes(32))


def row(number: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "编号": f"PL-{number}",
        "事项": "H305",
        "描述": f"路灯不亮（演示 {number}）",
        "地址": "演示路 1 号",
        "紧急程度": "一般",
        "发生时间": "2026-11-20 08:00",
        "经度": "120.2651",
        "纬度": "30.1852",
        "姓名": "演示·张三",
        "电话": "13900000000",
    }
    return plain | changes


def csv_of(rows: list[dict[str, Any]], headings: list[str] = HEADINGS, mark: str = ",") -> bytes:
    lines = [mark.join(headings), *(mark.join(str(each.get(name, "")) for name in headings) for each in rows)]
    return "\r\n".join(lines).encode("utf-8-sig")


def xlsx_of(rows: list[dict[str, Any]], headings: list[str] = HEADINGS) -> bytes:
    file = io.BytesIO()
    book: Any = xlsxwriter.Workbook(file, {"remove_timezone": True, "default_date_format": "yyyy-mm-dd hh:mm"})
    sheet = book.add_worksheet()
    for column, name in enumerate(headings):
        sheet.write(0, column, name)
        for line, each in enumerate(rows, start=1):
            if each.get(name) is not None:
                sheet.write(line, column, each[name])
    book.close()
    return file.getvalue()


async def clerk(district: str, role: Role = Role.DISTRICT_CENTRE, **more: Any) -> people.Person:
    return await people.sign_in(district, role, more.pop("organisation", stage.CENTRE), more.pop("area", None))


async def bring(http: httpx.AsyncClient, person: people.Person, content: bytes, **fields: str) -> httpx.Response:
    files = {"file": ("演示.csv", content)}
    headers = person.headers | {"Accept-Language": "en"}
    return await http.post("/v1/imports", files=files, data=fields, headers=headers)


async def worked(district: str, import_id: str) -> None:
    while await bulk_commands.work(district, UUID(import_id), clock.now()):
        pass


async def imported(
    http: httpx.AsyncClient, district: str, person: people.Person, content: bytes, **fields: str
) -> dict[str, Any]:
    begun = await bring(http, person, content, **fields)
    assert begun.status_code == 202, begun.text
    await worked(district, begun.json()["id"])
    return (await http.get(f"/v1/imports/{begun.json()['id']}", headers=person.headers)).json()


async def faults(http: httpx.AsyncClient, person: people.Person, import_id: str) -> list[tuple[int, str]]:
    headers = person.headers | {"Accept-Language": "en"}
    told = (await http.get(f"/v1/imports/{import_id}/faults", headers=headers)).json()
    return [(each["row"], each["column"]) for each in told]


BAD = [
    ({"事项": "NOPE"}, "事项"),
    ({"描述": ""}, "描述"),
    ({"紧急程度": "快"}, "紧急程度"),
    ({"发生时间": "昨天"}, "发生时间"),
    ({"发生时间": "2199-01-01 00:00"}, "发生时间"),
    ({"经度": "x"}, "经度"),
    ({"经度": "121.5", "纬度": "31.2"}, "经度"),
    ({"纬度": ""}, "纬度"),
    ({"标题": "长" * 201}, "标题"),
]


@pytest.mark.parametrize("make", [csv_of, xlsx_of], ids=["CSV", "XLSX"])
async def test_good_rows_are_opened_and_bad_ones_listed_by_row_and_column(
    district: str, http: httpx.AsyncClient, make: Any
) -> None:
    await town.build()
    person = await clerk(district)
    rows = [row(1), *(row(n, **change) for n, (change, _) in enumerate(BAD, start=2)), row(50)]
    done = await imported(http, district, person, make(rows))
    assert (done["state"], done["total"], done["done"]) == ("done", 11, 11)
    assert (done["stored"], done["refused"]) == (2, 9)
    assert await faults(http, person, done["id"]) == [(n, column) for n, (_, column) in enumerate(BAD, start=3)]
    case = await db.fetchrow("select * from cases where external_id = 'PL-1'")
    assert case is not None
    assert (case["source"], case["item"], case["cell"]) == ("import", "H305", stage.CELL)
    assert case["occurred_at"].isoformat() == "2026-11-20T00:00:00+00:00"


async def test_the_same_file_again_opens_nothing_more(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    person = await clerk(district)
    without = [replace_id(row(n)) for n in range(3)]
    for content in (csv_of([row(1), row(2)]), csv_of(without)):
        first = await imported(http, district, person, content)
        again = await imported(http, district, person, content)
        assert (first["stored"], again["stored"], again["unchanged"]) == (first["total"], 0, first["total"])
    assert await db.fetchval("select count(*) from cases") == 5


def replace_id(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"编号": ""}


async def test_a_dry_run_lists_the_bad_rows_and_opens_nothing(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    person = await clerk(district)
    done = await imported(http, district, person, csv_of([row(1), row(2, 事项="NOPE")]), dry_run="true")
    assert (done["dry_run"], done["stored"], done["refused"]) == (True, 1, 1)
    assert await faults(http, person, done["id"]) == [(3, "事项")]
    for table in ("cases", "push_record", "case_import_row"):
        assert await db.fetchval(f"select count(*) from {table}") == 0, table


class _Killed(Exception):
    pass


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(committed: str, http: httpx.AsyncClient) -> None:
    await town.commit(committed)
    person = await clerk(committed)
    begun = (await bring(http, person, csv_of([row(n) for n in range(250)]))).json()
    import_id = begun["id"]
    assert await bulk_commands.work(committed, UUID(import_id), clock.now())
    with pytest.raises(_Killed):
        async with db.transaction(committed):  # as of a process that dies before its commit
            await bulk_commands.work(committed, UUID(import_id), clock.now())
            raise _Killed
    assert (await http.get(f"/v1/imports/{import_id}", headers=person.headers)).json()["done"] == 100
    await asyncio.gather(*(worked(committed, import_id) for _ in range(3)))
    done = (await http.get(f"/v1/imports/{import_id}", headers=person.headers)).json()
    assert (done["state"], done["stored"], done["done"]) == ("done", 250, 250)
    async with db.transaction(committed):
        assert await db.fetchval("select count(*) from cases") == 250
        assert await db.fetchval("select count(*) from case_import_row") == 0


async def test_the_event_goes_on_where_one_delivery_ends(
    district: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.build()
    monkeypatch.setattr(bulk_commands, "CHUNKS", 1)
    begun = (await bring(http, await clerk(district), csv_of([row(n) for n in range(120)]))).json()
    body = "select body from outbox where type = 'ImportQueued' order by event_id desc limit 1"
    seen = 0
    while await db.fetchval("select state from case_import") != "done":
        happened = await db.fetchval(body)
        assert str(happened["case_import"]) == begun["id"]
        await bulk_commands.on_queued(cast(ImportQueued, event.from_body("ImportQueued", happened)), clock.now())
        seen += 1
    assert seen == 3


async def test_a_town_imports_into_its_own_area_alone(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    own = await clerk(district, Role.TOWN_CENTRE, organisation=stage.TOWN_CENTRE, area=stage.TOWN)
    other = await clerk(district, Role.TOWN_CENTRE, organisation=stage.OTHER_TOWN, area="330109004")
    done = await imported(http, district, own, csv_of([row(1)]))
    assert done["stored"] == 1
    foreign = await imported(http, district, other, csv_of([row(2)]))
    assert (foreign["stored"], await faults(http, other, foreign["id"])) == (0, [(2, "经度")])
    assert (await http.get(f"/v1/imports/{done['id']}", headers=other.headers)).status_code == 404
    assert (await http.get(f"/v1/imports/{done['id']}/faults", headers=other.headers)).status_code == 404
    listed = (await http.get("/v1/imports", headers=other.headers)).json()
    assert [each["id"] for each in listed] == [foreign["id"]]
    station = await clerk(district, Role.STATION, organisation=stage.STATION, area=stage.VILLAGE)
    assert (await bring(http, station, csv_of([row(1)]))).status_code == 403


async def test_a_town_names_no_place_but_in_its_area_and_no_source_but_its_own(
    district: str, http: httpx.AsyncClient
) -> None:
    await town.build()
    own = await clerk(district, Role.TOWN_CENTRE, organisation=stage.TOWN_CENTRE, area=stage.TOWN)
    nowhere = await imported(http, district, own, csv_of([row(1, 经度="", 纬度=""), row(2)]))
    assert (nowhere["stored"], await faults(http, own, nowhere["id"])) == (1, [(2, "经度")])
    refused = await bring(http, own, csv_of([row(3)]), source="110")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "source")


async def test_what_a_platforms_file_opened_its_later_push_amends(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    platform = sources.shipped()["import"]
    async with db.transaction(district):
        await source_store.save(new_id(), replace(platform, code="paper", changed_by=stage.CENTRE_CLERK.id))
    done = await imported(http, district, await clerk(district), csv_of([row(1)]), source="paper")
    assert done["stored"] == 1
    taking = push_commands.of_source(replace(platform, code="paper"), district, clock.now(), 0, dry_run=False)
    answer = await push_commands.take_body(row(1, 描述="路灯不亮，已有人摔倒"), taking)
    assert [each.verdict for each in answer.verdicts] == ["updated"], answer


async def test_names_and_phones_wait_sealed(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    await bring(http, await clerk(district), csv_of([row(1)]))
    sealed = await db.fetchval("select sealed from case_import_row")
    assert "13900000000" not in sealed
    assert "13900000000" in cipher.open_(sealed)


async def test_columns_may_be_named_otherwise(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    headings = ["单号", "类别", "内容"]
    content = csv_of([{"单号": "A/1", "类别": "H305", "内容": "路灯不亮"}], headings, ";")
    named = '{"external_id": "单号", "item": "类别", "description": "内容"}'
    done = await imported(http, district, await clerk(district), content, columns=named)
    assert done["stored"] == 1
    assert await db.fetchval("select external_id from cases") == "A/1"


FILES: list[tuple[bytes, dict[str, str], str]] = [
    (b"", {}, "file"),
    (b"\xff\xfe\x00", {}, "file"),
    (b"PK\x03\x04broken", {}, "file"),
    (csv_of([]), {}, "file"),
    (csv_of([row(1)], [*HEADINGS, "颜色"]), {}, "颜色"),
    (csv_of([row(1)], [*HEADINGS, "标题"]), {}, "标题"),
    (csv_of([row(1)], ["编号", "事项"]), {}, "描述"),
    (csv_of([row(1)]), {"columns": "{"}, "columns"),
    (csv_of([row(1)]), {"columns": '{"colour": "编号"}'}, "columns.colour"),
    (csv_of([row(1)]), {"dry_run": "perhaps"}, "dry_run"),
]


@pytest.mark.parametrize(("content", "fields", "field"), FILES)
async def test_a_file_that_cannot_be_read_is_refused_whole(
    district: str, http: httpx.AsyncClient, content: bytes, fields: dict[str, str], field: str
) -> None:
    answer = await bring(http, await clerk(district), content, **fields)
    assert answer.status_code == 422, answer.text
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert await db.fetchval("select count(*) from case_import") == 0


async def test_a_sheet_keeps_times_and_numbers(district: str, http: httpx.AsyncClient) -> None:
    await town.build()
    one = row(
        1,
        编号=12345678901,
        发生时间=datetime.fromisoformat("2026-11-20T08:00"),
        经度=120.2651,
        纬度=30.1852,
        电话=13900000000,
    )
    done = await imported(http, district, await clerk(district), xlsx_of([one]))
    assert done["stored"] == 1
    case = await db.fetchrow("select external_id, occurred_at, lon from cases")
    assert case is not None
    assert (case["external_id"], case["lon"]) == ("12345678901", 120.2651)
    assert case["occurred_at"].isoformat() == "2026-11-20T00:00:00+00:00"


async def test_the_door_opens_only_what_it_would_open_otherwise(district: str, http: httpx.AsyncClient) -> None:
    """An import is no way around the door: the case is the one `intake.open` answers for the same key."""
    await town.build()
    await imported(http, district, await clerk(district), csv_of([row(1)]))
    report = intake.Report(source="import", item="H305", external_id="PL-1", description="别的")
    same = await intake.open(report, replace(stage.CENTRE_CLERK), clock.now())
    assert await db.fetchval("select id from cases") == same.id
