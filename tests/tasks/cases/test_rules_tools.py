"""`zjw rules` and `zjw route --rules`: what they print and how they refuse."""

import json
from pathlib import Path

from app.kernel import db
from tasks.cases import intake
from tests.tasks.cases import stage, town
from tests.tasks.cases.test_tools import run, written, zjw

DRAFT = """
[[rule]]
id = "noise"
item = "H008"
lead = "department:市场监督管理局"
limits = { handle = "45 minute" }

[[rule]]
id = "elsewhere"
item = "E0101"
lead = "town"
"""


def draft(tmp_path: Path, text: str = DRAFT) -> str:
    file = tmp_path / "draft.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_check_lists_the_rules_most_specific_first_or_every_fault(tmp_path: Path):
    ordered = zjw("rules", "check", draft(tmp_path, '[[rule]]\nid = "all"\nlead = "town"\n' + DRAFT), "--json")
    assert (ordered.exit_code, json.loads(ordered.output)["rules"][-1]) == (0, "all")
    wrong = zjw("rules", "check", draft(tmp_path, DRAFT.replace("45 minute", "soon") + '[[rule]]\nid="x"\nlead="no"\n'))
    assert wrong.exit_code == 1
    assert "limits.handle" in wrong.output
    assert "x lead" in wrong.output
    tied = zjw("rules", "check", draft(tmp_path, '[[rule]]\nid="a"\nlead="town"\n[[rule]]\nid="b"\nlead="squad"\n'))
    assert "a, b" in tied.output


async def test_backtest_prints_matrix_and_list_and_route_explains_by_a_draft(
    real_place: str, database_url: str, tmp_path: Path
):
    async with db.transaction(real_place):
        for item in ("H008", "E0504"):
            report = intake.Report(source="citizen", item=item, description="吵", place=town.INSIDE)
            await intake.open(report, stage.CITIZEN, stage.NOW)
    words = ("rules", "backtest", "--rules", draft(tmp_path), "--last", "10")
    code, out = await run(database_url, tmp_path, *words, "--json")
    found = json.loads(out)
    assert (code, found["cases"], found["moved"], found["same"]) == (0, 2, 1, 1)
    assert found["list"][0]["now"] == str(stage.MARKET)
    assert found["names"][str(stage.MARKET)] == "市场监督管理局"
    code, out = await run(database_url, tmp_path, *words)
    assert code == 0
    for said in ("1 moved", "市场监督管理局", "stations", "item:H008", "elsewhere"):
        assert said in out

    case = written(tmp_path, {"item": "H008", "place": {"lon": 120.265, "lat": 30.185, "datum": "wgs84"}})
    code, out = await run(database_url, tmp_path, "route", "--case", case, "--rules", draft(tmp_path), "--json")
    decision = json.loads(out)
    assert (code, decision["lead"], decision["limits"]) == (0, str(stage.MARKET), {"handle": "45 minute"})
    looks = {look["rule"]: look["matched"] for look in decision["explanation"]["looked_at"]}
    assert looks == {"elsewhere": False, "noise": True}

    code, out = await run(database_url, tmp_path, "rules", "show")
    assert code == 0
    assert zjw("rules", "check", draft(tmp_path, out)).exit_code == 0  # what is shown can be edited into a draft
