"""An export: what the list shows and nothing more, whole, safe to open, noted, and with flat memory."""

import asyncio
import csv
import io
import string
import tracemalloc
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.problem import Invalid, NotPermitted
from tasks.cases import export, export_commands, export_sheet, intake
from tasks.cases import orders as o
from tasks.cases.export_commands import AT_ONCE, Export, Format
from tasks.cases.listing import Filter
from tasks.cases.problems import ExportsBusy
from tasks.cases.reading_api import Download
from tests.tasks.cases import stage
from tests.tasks.cases.steps import NOW, opened, play, report
from tests.tools import people

ZH = 0


async def read(made: Export) -> bytes:
    return b"".join([chunk async for chunk in made.chunks])


async def rows_of(actor: Actor, kind: Format = "csv", **asked: Any) -> list[dict[str, str]]:
    content = await read(await export_commands.begin(Filter(**asked), kind, ZH, actor, NOW))
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    first, *rest = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    return [dict(zip(map(str, first), map(str, each), strict=True)) for each in rest]


# ---- cells


@pytest.mark.parametrize("text", ["=1+1", "+86", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str):
    line = export.csv_lines([[text, -1.5, None]]).decode()
    assert next(csv.reader(io.StringIO(line, newline=""))) == [f"'{text}", "-1.5", ""]


@given(st.lists(st.text(alphabet=string.printable + "，。、“”"), min_size=1))
def test_any_text_is_read_back_as_it_was(texts: list[str]):
    line = export.csv_lines([texts]).decode()
    found = next(csv.reader(io.StringIO(line, newline="")))
    assert [each.removeprefix("'") for each in found] == [each.removeprefix("'") for each in texts]
    assert not any(each.startswith(export.FORMULA) for each in found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("联系13800001234王某", "联系138****1234王某"),
        ("138 0000 1234", "138****1234"),
        ("身份证33010919900101123X", "身份证330****123X"),
        ("演示路 12 号 101 室", "演示路 12 号 101 室"),
        ("2026-11-23停水", "2026-11-23停水"),
        ("a\x00b\x1b", "ab"),
    ],
)
def test_numbers_of_phones_and_identity_cards_are_masked(text: str, shown: str):
    assert export.masked(text) == shown


# ---- what is in it


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_file_holds_what_the_list_shows(place: str, kind: Format):
    case = await opened(title="=HYPERLINK(13800001234)", description="绝密的描述")
    await play(case, (stage.TOWN_CLERK, o.Sign()))
    other = await intake.open(report(title="第二件"), stage.CITIZEN, NOW + timedelta(minutes=1))
    found = await rows_of(stage.TOWN_CLERK, kind)
    assert [row["事件编号"] for row in found] == [other.number, case.number]  # newest first
    row = found[1]
    assert row["标题"] == "'=HYPERLINK(138****1234)"
    assert (row["状态"], row["镇街"], row["主办单位"]) == ("处置中", "甲镇（演示）", "甲镇社会治理中心（演示）")
    assert row["接收时间"].startswith("2026-11-23 10:00:00")  # on the district's clock
    assert float(row["经度（WGS-84）"]) == pytest.approx(120.265)
    text = str(found)
    for secret in ("绝密", "张某", "13800001234", str(stage.CITIZEN.id)):
        assert secret not in text


async def test_a_csv_opens_in_excel_with_titles_in_the_readers_language(place: str):
    content = await read(await export_commands.begin(Filter(), "csv", 1, stage.TOWN_CLERK, NOW))
    assert content.startswith(b"\xef\xbb\xbfNumber,State,")
    assert content.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("actor", "many"), [(stage.TOWN_CLERK, 1), (stage.CENTRE_CLERK, 1), (stage.STATION_CLERK, 1), (stage.MANAGER, 1),
                        (stage.OTHER_TOWN_CLERK, 0), (stage.TRANSPORT_CLERK, 0), (stage.MARKET_CLERK, 0)]
)  # fmt: skip
async def test_a_file_holds_only_what_its_reader_sees(place: str, actor: Actor, many: int):
    await opened()
    for kind in ("csv", "xlsx"):
        assert len(await rows_of(actor, kind)) == many


@pytest.mark.parametrize("actor", [stage.CITIZEN, stage.OFFICER, stage.STRANGER])
async def test_who_exports_nothing_is_told_so(place: str, actor: Actor):
    with pytest.raises(NotPermitted):
        await export_commands.begin(Filter(), "csv", ZH, actor, NOW)


@pytest.mark.parametrize(
    ("asked", "many"),
    [({"state": ("handling",)}, 1), ({"text": "音乐"}, 3), ({"item": "H305"}, 0), ({"overdue": True}, 0),
     ({"since": NOW + timedelta(minutes=1)}, 2), ({"organisation": stage.TOWN_CENTRE}, 3)],
)  # fmt: skip
async def test_a_file_is_cut_by_the_filters_of_the_list(place: str, asked: dict[str, Any], many: int):
    cases = [await intake.open(report(), stage.CITIZEN, NOW + timedelta(minutes=n)) for n in range(3)]
    await play(cases[0], (stage.TOWN_CLERK, o.Sign()))
    assert len(await rows_of(stage.TOWN_CLERK, **asked)) == many


async def test_an_export_is_noted_without_the_words_searched_for_before_anything_is_read(place: str):
    await export_commands.begin(Filter(item="H008", text="王小某"), "xlsx", ZH, stage.TOWN_CLERK, NOW)
    row = await db.fetchrow("select actor, action, object, reason from access_log")
    assert row is not None
    assert tuple(row) == (stage.TOWN_CLERK.id, "case.export", "cases:xlsx", "item=H008, text")


async def test_a_filter_that_cannot_be_asked_is_refused_before_the_first_byte(place: str):
    for asked in (Filter(state=("gone",)), Filter(text="的")):
        with pytest.raises(Invalid):
            await export_commands.begin(asked, "csv", ZH, stage.TOWN_CLERK, NOW)
    assert await db.fetchval("select count(*) from access_log") == 0


# ---- many rows


async def many_cases(count: int) -> None:
    """Copies of one case, by the database."""
    case = await opened()
    names = [
        row[0]
        for row in await db.fetch(
            "select attname::text from pg_attribute where attrelid = 'cases'::regclass and attnum > 0"
            " and not attisdropped and attname not in ('id', 'number')"
        )
    ]
    listed = ", ".join(names)
    await db.execute(
        f"insert into cases (id, number, {listed}) select gen_random_uuid(), 'N' || n, {listed}"
        " from cases, generate_series(1, $2) n where id = $1",
        case.id,
        count - 1,
    )


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_large_file_needs_no_more_memory_than_a_small_one(place: str, kind: Format):
    await many_cases(4_000)
    peaks: list[int] = []
    for asked in (Filter(text="N3999"), Filter()):
        made = await export_commands.begin(asked, kind, ZH, stage.CENTRE_CLERK, NOW)
        size = 0
        tracemalloc.start()
        async for chunk in made.chunks:
            size += len(chunk)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert size > (800_000 if kind == "csv" else 100_000)
    assert peaks[1] < peaks[0] + 5_000_000  # two batches; all rows together are four times as much


async def test_the_loop_goes_on_while_a_sheet_is_written(place: str):
    await many_cases(1_500)
    made = await export_commands.begin(Filter(), "xlsx", ZH, stage.CENTRE_CLERK, NOW)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    content = await read(made)
    counting.cancel()
    assert turns > 20
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    assert len(sheet.to_python()) == 1_501


@pytest.mark.parametrize(("name", "limit"), [("LAST_ROW", 2), ("MOST_BYTES", 500)])
def test_a_full_sheet_is_followed_by_another(monkeypatch: pytest.MonkeyPatch, name: str, limit: int):
    monkeypatch.setattr(export_sheet, name, limit)
    sheet = export_sheet.Sheet(["a"])
    content = sheet.write([["1"], ["2"], ["3"]]) + sheet.close()
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert [book.get_sheet_by_index(n).to_python() for n in (0, 1)] == [[["a"], ["1"], ["2"]], [["a"], ["3"]]]


def test_a_sheet_gives_back_what_was_put_into_it():
    rows: list[list[Any]] = [
        ['<b> & "c"', -1.5, None, datetime.fromisoformat("2026-11-24T09:30:15")],
        [" 两端有空格 ", 42, "_x0041_", datetime.fromisoformat("2026-02-28")],
        ["a\x00b\x1fc\ufffed", 0, "=1+1", None],
    ]
    sheet = export_sheet.Sheet(["文字", "数", "其他", "时间"])
    content = sheet.write(rows) + sheet.close()
    with ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        for name in file.namelist():
            ElementTree.fromstring(file.read(name))
        assert b"_x005F_x0041_" in file.read("xl/worksheets/sheet1.xml")  # as Excel wants it
    found = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert found[0] == ["文字", "数", "其他", "时间"]
    assert [found[1][0], found[1][1], found[1][3]] == ['<b> & "c"', -1.5, rows[0][3]]
    assert [found[2][0], found[2][1]] == [" 两端有空格 ", 42]
    assert found[3] == ["abcd", 0, "'=1+1", ""]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_bytes_leave_before_the_first_row_is_read_and_long_before_the_last(place: str, kind: Format):
    await many_cases(2_000)
    made = await export_commands.begin(Filter(), kind, ZH, stage.CENTRE_CLERK, NOW)
    assert await anext(made.chunks)
    await db.execute("delete from cases where number = 'N7'")  # not in the file: nothing was read yet
    rest = [chunk async for chunk in made.chunks]
    assert len(rest) > 3
    if kind == "csv":
        assert b"".join(rest).count(b"\r\n") == 1_999


async def test_an_export_given_up_gives_back_its_place_and_its_transaction(place: str):
    await many_cases(1_200)
    begun = [await export_commands.begin(Filter(), "csv", ZH, stage.CENTRE_CLERK, NOW) for _ in range(AT_ONCE)]
    chunks: list[Any] = [each.chunks for each in begun]
    for each in chunks:
        await anext(each)
        await anext(each)
    with pytest.raises(ExportsBusy):
        await export_commands.begin(Filter(), "csv", ZH, stage.CENTRE_CLERK, NOW)
    for each in reversed(chunks):
        await each.aclose()
    assert len(await rows_of(stage.CENTRE_CLERK)) == 1_200


# ---- over HTTP


async def test_a_reader_who_is_gone_ends_the_export(place: str):
    await many_cases(1_200)
    made = await export_commands.begin(Filter(), "csv", ZH, stage.CENTRE_CLERK, NOW)
    answer = Download(iterator=made.chunks, media_type=made.media_type)
    sent: list[Any] = []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        gone.set()
        await asyncio.sleep(0)

    await answer.send_body(send, receive)
    assert 1 <= len(sent) < 4
    assert sent[-1]["more_body"]
    assert len(await rows_of(stage.CENTRE_CLERK)) == 1_200  # the transaction is free again


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_over_http_a_file_comes_with_its_name_and_kind(place: str, http: httpx.AsyncClient, kind: Format):
    await opened()
    clerk = await people.sign_in(place, Role.TOWN_CENTRE, stage.TOWN_CENTRE, stage.TOWN)
    answer = await http.get("/v1/cases/export", params={"format": kind}, headers=clerk.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].removesuffix("; charset=utf-8") == export_commands.MEDIA_TYPES[kind]
    assert answer.headers["content-disposition"].endswith(f'.{kind}"')
    assert answer.content.startswith(b"\xef\xbb\xbf" if kind == "csv" else b"PK")
    other = await people.sign_in(place, Role.TOWN_CENTRE, stage.OTHER_TOWN, "330109004")
    empty = await http.get("/v1/cases/export", headers=other.headers)
    assert empty.text.count("\r\n") == 1
    wrong = await http.get("/v1/cases/export", params={"box": "1,2,3"}, headers=clerk.headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "box")
