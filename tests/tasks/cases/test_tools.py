"""`zjw deadline`, `zjw route`, `zjw trail`, `zjw calendar`: what they print and how they refuse."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import deadline, main
from app.kernel import db
from app.kernel.ids import new_id
from tasks.cases import intake, rules_store, trail
from tests.tasks.cases import stage, town
from tests.tools.databases import become_owner


def zjw(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    ("limit", "pauses", "due"),
    [
        ("4 work_hour", (), "2026-10-08T11:00+08:00"),
        ("2 work_day", (), "2026-10-09T17:30+08:00"),
        ("30 minute", ("2026-09-30T16:10+08:00/2026-09-30T16:20+08:00",), "2026-09-30T16:40+08:00"),
    ],
)
def test_deadline_tells_the_due_as_json(limit: str, pauses: tuple[str, ...], due: str):
    words = [word for pause in pauses for word in ("--pause", pause)]
    result = zjw("deadline", "--start", "2026-09-30T16:00+08:00", "--limit", limit, *words, "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["due"] == due


def test_deadline_tells_the_steps_in_words():
    result = zjw("deadline", "--start", "2026-09-30T16:00+08:00", "--limit", "4 work_hour")
    assert "2026-10-01" in result.output
    assert result.output.rstrip().splitlines()[-1].startswith("到期 2026-10-08T11:00+08:00")


def test_deadline_warns_where_holidays_are_not_known_yet():
    words = ("deadline", "--start", "2027-02-04T09:00+08:00", "--limit", "5 work_day", "--json")
    result = zjw(*words)
    assert "not known that far" in result.stderr
    found = json.loads(result.stdout)
    assert (found["due"], found["provisional"]) == ("2027-02-11T17:30+08:00", True)
    known = zjw("deadline", "--start", "2026-12-28T09:00+08:00", "--limit", "1 work_day", "--json")
    assert (known.stderr, json.loads(known.stdout)["provisional"]) == ("", False)


@pytest.mark.parametrize(
    "words",
    [
        ("--start", "yesterday", "--limit", "1 minute"),
        ("--start", "2026-09-30T16:00+08:00", "--limit", "soon"),
        ("--start", "2026-09-30T16:00+08:00", "--limit", "1 minute", "--pause", "2026-09-30"),
        ("--start", "9999-12-31T16:00+08:00", "--limit", "9 calendar_day"),
    ],
)
def test_deadline_refuses_in_one_sentence(words: tuple[str, ...]):
    result = zjw("deadline", *words)
    assert result.exit_code == 2
    assert "Error:" in result.output
    assert "Traceback" not in result.output


def test_a_time_without_zone_is_chinese_time():
    assert deadline.moment("2026-09-30T16:00") == deadline.moment("2026-09-30T16:00+08:00")


def written(tmp_path: Path, case: dict[str, Any]) -> str:
    file = tmp_path / "case.json"
    file.write_text(json.dumps(case), encoding="utf-8")
    return str(file)


def test_route_refuses_what_is_no_case_and_rules_that_do_not_compile(tmp_path: Path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[[rule]]\nid = "x"\nlead = "nobody"\n', encoding="utf-8")
    case = written(tmp_path, {"item": "E0406"})
    assert "nobody" in zjw("route", "--case", case, "--rules", str(bad)).output
    assert "not a case" in zjw("route", "--case", str(bad)).output


async def test_rules_that_were_published_are_used_for_the_next_case(place: str):
    rule = {"id": "all-to-market", "item": "H008", "lead": "department:市场监督管理局"}
    author, reviewer = stage.CENTRE_CLERK.id, stage.MANAGER.id
    version = rules_store.Version(
        id=new_id(), document={"rule": [rule]}, author=author, reviewer=reviewer, published_at=stage.NOW
    )
    await rules_store.publish(version, new_id())
    report = intake.Report(source="citizen", item="H008", description="吵", place=town.INSIDE)
    case = await intake.open(report, stage.CITIZEN, stage.NOW)
    assert case.last_lead == stage.MARKET
    explained = await db.fetchval("select routing from cases where id = $1", case.id)
    assert explained["rule"] == "all-to-market"


async def run(database_url: str, home: Path, *words: str) -> tuple[int, str]:
    """Run zjw as a program on a database; return its exit code and what it printed."""
    environment = os.environ | {"DATABASE_URL": database_url, "REDIS_URL": "redis://nowhere", "ZJW_HOME": str(home)}
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", *words, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await program.communicate()
    return program.returncode or 0, out.decode()


async def test_route_explains_and_trail_finds_the_broken_link(real_place: str, database_url: str, tmp_path: Path):
    case = written(tmp_path, {"item": "E0504", "place": {"lon": 120.265, "lat": 30.185, "datum": "wgs84"}})
    code, out = await run(database_url, tmp_path, "route", "--case", case, "--json")
    decision = json.loads(out)
    assert (code, decision["lead"], decision["rule"]) == (0, str(stage.ENFORCEMENT), "item:E0504")

    async with db.transaction(real_place):
        report = intake.Report(source="citizen", item="H008", description="吵", place=town.INSIDE)
        opened = await intake.open(report, stage.CITIZEN, stage.NOW)
    code, out = await run(database_url, tmp_path, "trail", "verify", "--json")
    assert (code, json.loads(out)["cases"], json.loads(out)["broken"]) == (0, 1, None)

    async with db.transaction(real_place):
        await become_owner()
        await db.execute("alter table case_event disable trigger case_event_fixed")
        await db.execute("update case_event set at = at - interval '1 day' where seq = 2")
        await db.execute("alter table case_event enable trigger case_event_fixed")
    code, out = await run(database_url, tmp_path, "trail", "verify", "--case", str(opened.id))
    assert code == 1
    assert "step 2" in out


async def test_roots_kept_elsewhere_tell_that_a_day_was_rewritten(real_place: str, database_url: str, tmp_path: Path):
    async with db.transaction(real_place):
        await intake.open(intake.Report(source="citizen", item="H008", description="吵"), stage.CITIZEN, stage.NOW)
    assert await trail.seal_day(real_place, stage.NOW + timedelta(days=2))
    code, plain = await run(database_url, tmp_path, "trail", "roots")
    assert (code, len(plain.splitlines())) == (0, 1)
    code, out = await run(database_url, tmp_path, "trail", "roots", "--json")
    [root] = json.loads(out)
    assert f"{root['day']}" in plain
    assert f"{root['algorithm']}:{root['hash']}" in plain
    kept = tmp_path / "roots.json"
    kept.write_text(out, encoding="utf-8")
    assert (await run(database_url, tmp_path, "trail", "verify", "--roots", str(kept)))[0] == 0
    other = [root | {"hash": "0" * len(root["hash"])}]
    kept.write_text(json.dumps(other), encoding="utf-8")
    assert (await run(database_url, tmp_path, "trail", "verify", "--roots", str(kept)))[0] == 1
    kept.write_text("{}", encoding="utf-8")
    assert (await run(database_url, tmp_path, "trail", "verify", "--roots", str(kept)))[0] == 2


async def test_days_of_the_district_are_imported_and_shown_and_a_bad_file_changes_nothing(
    real_place: str, database_url: str, tmp_path: Path
):
    code, out = await run(database_url, tmp_path, "calendar", "show", "--json")
    assert (code, json.loads(out)["version"]) == (0, 0)
    days = tmp_path / "days.csv"
    days.write_text("date,name,isOffDay\n2026-12-07,演示停工日,true\n", encoding="utf-8")
    code, out = await run(database_url, tmp_path, "calendar", "import", str(days))
    assert (code, "2026-12-07  休 off  演示停工日" in out) == (0, True), out
    days.write_text("date,name,isOffDay\n2026-13-07,演示,true\n", encoding="utf-8")
    assert (await run(database_url, tmp_path, "calendar", "import", str(days)))[0] == 1
    code, out = await run(database_url, tmp_path, "calendar", "show", "--json")
    shown = json.loads(out)
    assert (code, shown["version"], [each["date"] for each in shown["calendar"]["days"]]) == (0, 1, ["2026-12-07"])
