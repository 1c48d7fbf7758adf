"""Who leaves hands over everything in one command, or nothing: work goes to the heir, and all rights end."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app import handover
from app.handover import Handover
from app.identity import keystore
from app.identity.devices import DeviceState
from app.identity.problems import AccountNotFound
from app.kernel import clock, db
from app.kernel.actor import Actor, Membership, Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted
from grid import commands as grid
from grid import facts as grid_facts
from grid.commands import NewShift
from tasks.cases import commands, intake
from tasks.cases import orders as o
from tasks.cases.intake import Report, Reporter
from tests.tools import people
from tests.tools.databases import as_owner
from tests.tools.people import Person
from tests.visits import stage
from tests.visits.stage import Stage
from visits import round_commands

NOW = clock.now()
REASON = "退休离岗"


@pytest.fixture
async def on(district: str) -> Stage:
    return await stage.build()


async def with_work(on: Stage) -> UUID:
    """A case the worker handles, visits, a coming shift; returns the case."""
    reporter = Reporter(kind="worker", id=on.worker.actor.id)
    report = Report(source="desk", item="H008", description="演示", reporter=reporter, lead=on.team)
    case = await intake.open(report, on.centre.actor, NOW)
    member = Actor(
        id=new_id(),
        kind="staff",
        district=stage.DISTRICT,
        memberships=(Membership(Role.GRID_WORKER, on.team, stage.VILLAGE),),
    )
    await commands.give(case.id, o.Sign(), member, NOW)
    await commands.give(case.id, o.SetHandler(person=on.worker.actor.id), member, NOW)
    first = datetime.now(tz=NOW.tzinfo).date() + timedelta(days=1)
    new = stage.new_round(on, starts_on=first, ends_on=first + timedelta(days=4))
    round_ = await round_commands.plan_round(new, on.leader.actor, NOW)
    await round_commands.assign(round_.id, stage.everything(), on.leader.actor, NOW)
    begin = NOW + timedelta(days=1)
    shift = NewShift(
        person=on.worker.actor.id,
        organisation=on.team,
        area=stage.VILLAGE,
        starts_at=begin,
        ends_at=begin + timedelta(hours=8),
    )
    await grid.plan_shift(shift, on.centre.actor)
    return case.id


async def post(http: httpx.AsyncClient, on: Stage, by: Person, heir: UUID) -> httpx.Response:
    path = f"/v1/people/{on.worker.actor.id}/handover"
    return await http.post(path, json={"to": str(heir), "reason": REASON}, headers=by.headers)


async def test_all_work_goes_to_the_heir_and_the_leaver_is_out(on: Stage, http: httpx.AsyncClient) -> None:
    case = await with_work(on)
    assert (await http.get("/v1/me", headers=on.worker.headers)).status_code == 200
    administrator = await people.sign_in(stage.DISTRICT, Role.ADMINISTRATOR)
    answer = await post(http, on, administrator, on.other.actor.id)
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["cases"], done["visits"]["reassigned"], done["shifts"]) == (1, 2, 1)
    assert done["ended"] == {"memberships": 1, "sessions": 1, "devices": 1}
    heir = on.other.actor.id
    assert await db.fetchval("select handler from case_leg where case_id = $1", case) == heir
    assert [row[0] for row in await db.fetch("select distinct person from assignment")] == [heir]
    assert await db.fetchval("select person from duty_shift") == heir
    assert (await http.get("/v1/me", headers=on.worker.headers)).status_code == 401
    phone = await keystore.device(on.device)
    assert phone is not None
    assert phone.state is DeviceState.RETIRED
    later = clock.now() + timedelta(seconds=1)
    assert on.worker.actor.id not in {each.id for each in await grid_facts.members(on.squad, later)}
    row = await db.fetchrow("select actor, object, reason from access_log where action = 'person.handover'")
    assert row is not None
    said = (administrator.actor.id, f"account:{on.worker.actor.id} to account:{heir}", REASON)
    assert tuple(row) == said
    again = (await post(http, on, administrator, heir)).json()
    assert (again["cases"], again["visits"]["reassigned"], again["ended"]["memberships"]) == (0, 0, 0)


async def test_a_town_hands_over_its_own_people_and_nobody_elses(on: Stage) -> None:
    own = await people.sign_in(stage.DISTRICT, Role.TOWN_CENTRE, new_id(), stage.TOWN)
    other = await people.sign_in(stage.DISTRICT, Role.TOWN_CENTRE, new_id(), "330109999")
    station = await people.sign_in(stage.DISTRICT, Role.STATION, new_id(), stage.TOWN)
    order = Handover(to=on.other.actor.id, reason=REASON)
    with pytest.raises(AccountNotFound):
        await handover.hand_over(on.worker.actor.id, order, other.actor, NOW)
    with pytest.raises(AccountNotFound):
        await handover.hand_over(on.centre.actor.id, order, own.actor, NOW)
    with pytest.raises(NotPermitted):
        await handover.hand_over(on.worker.actor.id, order, station.actor, NOW)
    with pytest.raises(Invalid):
        await handover.hand_over(on.worker.actor.id, Handover(to=on.centre.actor.id, reason=REASON), own.actor, NOW)
    assert (await handover.hand_over(on.worker.actor.id, order, own.actor, NOW)).ended.memberships == 1


async def heirs(on: Stage) -> dict[str, UUID]:
    closed = await people.sign_in(stage.DISTRICT, Role.GRID_WORKER, on.team, stage.CELL)
    await db.execute("update account set disabled_at = $2 where id = $1", closed.actor.id, NOW)
    idle = await people.sign_in(stage.DISTRICT, Role.GRID_WORKER, on.team, stage.CELL)
    await db.execute("update membership set valid_to = $2 where account = $1", idle.actor.id, NOW)
    return {"nobody": new_id(), "the leaver": on.worker.actor.id, "closed": closed.actor.id, "idle": idle.actor.id}


@pytest.mark.parametrize("who", ["nobody", "the leaver", "closed", "idle"])
async def test_whoever_cannot_take_over_is_refused_and_nothing_has_changed(on: Stage, who: str) -> None:
    administrator = await people.sign_in(stage.DISTRICT, Role.ADMINISTRATOR)
    order = Handover(to=(await heirs(on))[who], reason=REASON)
    with pytest.raises(Invalid) as refused:
        await handover.hand_over(on.worker.actor.id, order, administrator.actor, NOW)
    assert [error.field for error in refused.value.errors] == ["to"]
    assert await db.fetchval("select valid_to from membership where account = $1", on.worker.actor.id) is None


async def test_it_is_all_or_nothing(on: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is closed last: when that fails, the work is where it was."""
    case = await with_work(on)
    await as_owner("alter table access_log add constraint no_more check (action <> 'person.handover')")
    administrator = await people.sign_in(stage.DISTRICT, Role.ADMINISTRATOR)
    order = Handover(to=on.other.actor.id, reason=REASON)
    with pytest.raises(Exception, match="no_more"):
        await handover.hand_over(on.worker.actor.id, order, administrator.actor, NOW)
    assert await db.fetchval("select handler from case_leg where case_id = $1", case) == on.worker.actor.id
    assert await db.fetchval("select disabled_at from account where id = $1", on.worker.actor.id) is None


async def test_it_is_done_from_the_command_line_by_username(committed: str, database_url: str, tmp_path: Path) -> None:
    old, new = [await people.sign_in(committed, Role.STATION, new_id(), "330109001") for _ in range(2)]
    async with db.transaction(committed):
        rows = await db.fetch("select id, username from account")
    names = {row[0]: row[1] for row in rows}

    def zjw(*words: str) -> subprocess.CompletedProcess[str]:
        environment: dict[str, Any] = os.environ | {"DATABASE_URL": database_url, "ZJW_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "app", "handover", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    wrong = zjw("--from", "nobody.known", "--to", names[new.actor.id])
    assert (wrong.returncode, "没有这个账号 No such account" in wrong.stderr) == (1, True)
    done = zjw("--from", names[old.actor.id], "--to", str(new.actor.id), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ended"] == {"memberships": 1, "sessions": 1, "devices": 0}
