"""Catalogue, suggestions and difficult items over HTTP and on the command line."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from app.cli import main
from app.kernel.actor import Role
from app.kernel.ids import new_id
from tasks.cases import catalogue_files
from tasks.cases.export_commands import CSV, XLSX
from tests.tasks.cases import stage
from tests.tools import people

SHIPPED = catalogue_files.shipped()
KINDS = {"csv": f"{CSV}; charset=utf-8", "xlsx": XLSX}
BY_CODE = {item.code: item for item in SHIPPED}


async def centre(district: str) -> dict[str, str]:
    return (await people.sign_in(district, Role.DISTRICT_CENTRE, stage.CENTRE)).headers


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_a_file_is_got_changed_tried_and_imported(place: str, http: httpx.AsyncClient, form: str):
    headers = await centre(place)
    got = await http.get(f"/v1/items/export?form={form}", headers=headers)
    assert got.status_code == 200
    assert f"items.{form}" in got.headers["content-disposition"]
    assert got.headers["content-type"] == KINDS[form]
    sheet = catalogue_files.read(got.content)
    assert len(sheet.drafts) == 132
    drafts = [replace(each, closing="新的条件") if each.code == "E0102" else each for each in sheet.drafts]
    body = catalogue_files.write_xlsx(drafts) if form == "xlsx" else catalogue_files.write_csv(drafts).encode()

    tried = (await http.post("/v1/items/import?dry_run=true", content=body, headers=headers)).json()
    assert (tried["dry_run"], [each["code"] for each in tried["changed"]]) == (True, ["E0102"])
    assert (await http.get("/v1/items/E0102", headers=headers)).json()["closing"] != "新的条件"

    done = await http.post("/v1/items/import", content=body, headers=headers)
    assert done.status_code == 200
    assert (await http.get("/v1/items/E0102", headers=headers)).json()["closing"] == "新的条件"
    versions = (await http.get("/v1/items/E0102/versions", headers=headers)).json()
    assert [each["item"]["version"] for each in versions] == [1, 2]


async def test_a_bad_file_is_refused_with_every_row_column_and_reason(place: str, http: httpx.AsyncClient):
    bad = [replace(BY_CODE["E0102"], lead="nobody"), replace(BY_CODE["E0103"], name="")]
    body = catalogue_files.write_csv(bad).encode()
    refused = await http.post("/v1/items/import", content=body, headers=await centre(place))
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/file-refused")
    assert [(row["row"], row["column"]) for row in refused.json()["rows"]] == [(2, "lead"), (3, "name")]
    assert all(row["why"] for row in refused.json()["rows"])


async def test_an_item_is_changed_and_retired_over_http(place: str, http: httpx.AsyncClient):
    headers = await centre(place)
    said = {field: getattr(BY_CODE["E0102"], field) for field in catalogue_files.Draft.__struct_fields__}
    item = json.loads(msgspec.json.encode(said | {"name": "改了名", "code": "X1"}))
    made = await http.post("/v1/items", json={"item": item}, headers=headers)
    assert (made.status_code, made.json()["version"]) == (201, 1)
    bad = await http.post("/v1/items", json={"item": item | {"lead": "nobody"}}, headers=headers)
    assert [each["field"] for each in bad.json()["errors"]] == ["lead"]
    assert (await http.post("/v1/items/X1/retire", json={}, headers=headers)).status_code == 200
    assert (await http.get("/v1/items/X1", headers=headers)).status_code == 404


async def test_a_citizen_gets_suggestions_and_may_not_read_the_library(place: str, http: httpx.AsyncClient):
    citizen = (await people.sign_in_citizen(place)).headers
    found = await http.post("/v1/items/suggest", json={"text": "家门口的路灯坏了三天了"}, headers=citizen)
    assert found.json()[0]["item"] == "H305"
    assert (await http.post("/v1/items/suggest", json={"text": "你好"}, headers=citizen)).json() == []
    assert (await http.get("/v1/difficult-items/search?text=油烟", headers=citizen)).status_code == 403


ENTRY = {"title": "示例：跨镇养鹅", "keywords": ["养鹅"], "lead": "town", "assistants": ["department:水利局"]}


async def test_the_library_is_written_searched_followed_and_listed_over_http(place: str, http: httpx.AsyncClient):
    headers = await centre(place)
    made = (await http.post("/v1/difficult-items", json=ENTRY, headers=headers)).json()
    found = (await http.get("/v1/difficult-items/search?text=河边养鹅太吵", headers=headers)).json()
    assert (found[0]["entry"]["id"], found[0]["words"]) == (made["id"], ["养鹅"])

    case = {"item": "G001", "title": "河边养鹅", "description": "鹅叫得凶"}
    opened = (await http.post("/v1/cases", json=case, headers=headers)).json()
    precedents = (await http.get(f"/v1/cases/{opened['id']}/precedents", headers=headers)).json()
    assert precedents[0]["entry"]["id"] == made["id"]
    followed = await http.post(f"/v1/difficult-items/{made['id']}/follow", json={"case": opened["id"]}, headers=headers)
    assert followed.json()["used"] == 1

    entry = ENTRY | {"basis": "演示依据"}
    at = f"/v1/difficult-items/{made['id']}"
    assert (await http.put(at, json={"entry": entry, "version": 1}, headers=headers)).json()["version"] == 2
    stale = await http.put(at, json={"entry": entry, "version": 1}, headers=headers)
    assert (stale.status_code, stale.json()["version"]) == (409, 2)
    assert (await http.post(f"{at}/retire", json={"version": 2}, headers=headers)).status_code == 200
    assert (await http.get("/v1/difficult-items", headers=headers)).json() == []
    assert (await http.get(at, headers=headers)).json()["retired_at"] is not None


async def test_precedents_of_a_case_one_may_not_see_are_not_there(place: str, http: httpx.AsyncClient):
    opened = await http.post("/v1/cases", json={"item": "G001", "title": "河边养鹅"}, headers=await centre(place))
    stranger = (await people.sign_in(place, Role.STATION, new_id(), area="330109999999")).headers
    case = opened.json()["id"]
    assert (await http.get(f"/v1/cases/{case}/precedents", headers=stranger)).status_code == 404


async def test_the_list_of_the_library_links_to_its_next_page(place: str, http: httpx.AsyncClient):
    headers = await centre(place)
    for number in range(3):
        await http.post("/v1/difficult-items", json=ENTRY | {"title": f"第{number}条"}, headers=headers)
    first = await http.get("/v1/difficult-items?limit=2", headers=headers)
    following = first.headers["link"].partition(">")[0][1:]
    rest = await http.get(following, headers=headers)
    assert [each["entry"]["title"] for each in [*first.json(), *rest.json()]] == ["第0条", "第1条", "第2条"]
    assert "link" not in rest.headers


# ---- the command line


Run = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def zjw(real_place: str, database_url: str, tmp_path: Path) -> Run:
    """`zjw` as a program on the test's database, which ends what it wrote with the test: exit code and JSON answer."""
    environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": "redis://nowhere", "ZJW_HOME": str(tmp_path)}

    async def run(*words: str) -> tuple[int, Any]:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "catalogue", *words, "--json", env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await program.communicate()
        return program.returncode or 0, json.loads(out) if out else None

    return run


async def test_the_command_line_exports_tries_and_imports_a_file(zjw: Run, tmp_path: Path):
    file = tmp_path / "items.csv"
    assert (await zjw("export", str(file)))[0] == 0
    drafts = catalogue_files.read(file.read_bytes()).drafts
    assert len(drafts) == 132
    file.write_text(catalogue_files.write_csv([replace(drafts[0], closing="新的条件")]), encoding="utf-8")
    code, tried = await zjw("import", str(file), "--dry-run")
    assert (code, tried["dry_run"], [each["code"] for each in tried["changed"]]) == (0, True, [drafts[0].code])
    code, done = await zjw("import", str(file))
    assert (code, done["dry_run"], done["changed"][0]["version"]) == (0, False, 2)
    assert (await zjw("import", str(file)))[1]["unchanged"] == 1


async def test_the_command_line_tells_every_bad_row_and_ends_with_1(zjw: Run, tmp_path: Path):
    file = tmp_path / "items.xlsx"
    bad = [replace(BY_CODE["E0102"], lead="nobody"), replace(BY_CODE["E0103"], privacy="?")]
    file.write_bytes(catalogue_files.write_xlsx(bad))
    code, told = await zjw("import", str(file))
    assert (code, told["changed"], [(each["row"], each["column"]) for each in told["bad"]]) == (
        1,
        [],
        [(2, "lead"), (3, "privacy")],
    )


def test_the_command_line_writes_csv_and_xlsx_only(tmp_path: Path):
    refused = CliRunner().invoke(main, ("catalogue", "export", str(tmp_path / "items.doc")))
    assert refused.exit_code == 2
    assert ".xlsx" in refused.output
