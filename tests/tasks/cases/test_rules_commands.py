"""Sets of rules in the database: drafts, review by a second person, versions, and the back-test over past cases."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.kernel import db
from app.kernel.actor import Actor, Role
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, NotPermitted, StaleVersion
from grid import commands as grid_commands
from grid import facts as grid_facts
from grid.commands import EndOrganisation
from tasks.cases import commands, intake, rules_commands, rules_store
from tasks.cases.model import Severity
from tasks.cases.orders import Accept, Assign
from tasks.cases.problems import OwnDraft, RulesNotFound
from tasks.cases.rules import OwnLimits, Rule, Window
from tasks.cases.rules_commands import ChangedDraft, DraftView, NewDraft
from tests.tasks.cases import stage, town
from tests.tools import people

AUTHOR = stage.CENTRE_CLERK
REVIEWER = stage.staff(50, Role.DISTRICT_CENTRE, stage.CENTRE, stage.DISTRICT)
TO_MARKET = Rule(id="to-market", item="H008", lead="department:市场监督管理局", limits=OwnLimits(handle="45 minute"))
TO_POLICE = Rule(id="to-police", item="H008", lead="force:police")


async def drafted(*rules: Rule, by: Actor = AUTHOR) -> DraftView:
    return await rules_commands.write_draft(NewDraft(note="试", rules=rules), by, stage.NOW)


async def published(*rules: Rule) -> int:
    draft = await drafted(*rules)
    return (await rules_commands.publish(draft.id, draft.version, REVIEWER, stage.NOW)).version


async def opened(at: datetime = stage.NOW, **changes: Any) -> Any:
    told: dict[str, Any] = {"source": "citizen", "item": "H008", "description": "吵", "place": town.INSIDE} | changes
    return await intake.open(intake.Report(**told), stage.CITIZEN, at)


async def test_a_draft_is_published_by_somebody_else_and_holds_for_the_next_case(place: str):
    assert (await opened()).last_lead == stage.STATION
    draft = await drafted(TO_MARKET)
    with pytest.raises(OwnDraft):
        await rules_commands.publish(draft.id, draft.version, AUTHOR, stage.NOW)
    shown = await rules_commands.publish(draft.id, draft.version, REVIEWER, stage.NOW)
    assert (shown.version, shown.author, shown.reviewer) == (1, AUTHOR.id, REVIEWER.id)
    assert (await opened()).last_lead == stage.MARKET
    with pytest.raises(RulesNotFound):
        await rules_commands.draft(draft.id, AUTHOR)


async def test_the_limits_of_a_rule_hold_for_the_case_instead_of_the_items(place: str):
    await published(TO_MARKET)
    case = await opened()
    row = await db.fetchrow("select handle_limit, handle_due, sign_due from case_leg where case_id = $1", case.id)
    assert row is not None
    assert (row["handle_limit"], row["handle_due"]) == ("45 minute", stage.NOW + timedelta(minutes=45))
    assert row["sign_due"] is not None  # a clock the rule says nothing of stays the item's


async def test_a_set_published_before_limits_were_asked_in_minutes_goes_on(place: str):
    old = {"id": "old", "item": "H008", "lead": "department:市场监督管理局", "limits": {"handle": "3 work_day"}}
    before = rules_store.Version(
        id=new_id(), document={"rule": [old]}, author=AUTHOR.id, reviewer=REVIEWER.id, published_at=stage.NOW
    )
    await rules_store.publish(before, new_id())
    routine, urgent = await opened(), await opened(severity=Severity.URGENT)
    assert (routine.last_lead, urgent.last_lead) == (stage.MARKET, stage.MARKET)
    limits = [
        await db.fetchval("select handle_limit from case_leg where case_id = $1", c.id) for c in (routine, urgent)
    ]
    assert (limits[0], limits[1].endswith(" minute")) == ("3 work_day", True)
    with pytest.raises(Invalid) as refused:
        await drafted(*(await rules_commands.version(None, AUTHOR)).rules)
    assert [each.field for each in refused.value.errors] == ["rules[0].limits.handle"]


async def test_where_the_source_names_the_lead_the_limits_of_the_rule_it_passed_over_do_not_hold(place: str):
    await published(TO_MARKET)
    case = await opened(lead=stage.TRANSPORT)
    assert (case.last_lead, case.limits) == (stage.TRANSPORT, {})
    assert await db.fetchval("select handle_limit from case_leg where case_id = $1", case.id) != "45 minute"


async def test_in_the_back_test_who_took_over_is_no_other_lead(place: str):
    await opened(item="E0504")
    end = EndOrganisation(successor=stage.POLICE)
    await grid_commands.end_organisation(stage.ENFORCEMENT, end, stage.SYSTEM, stage.NOW + timedelta(minutes=1))
    draft = await drafted(Rule(id="idle", item="E0101", lead="town"))
    found = await rules_commands.back_test(draft.id, 10, AUTHOR, stage.NOW + timedelta(hours=1))
    assert (found.same, [(flow.then, flow.now) for flow in found.matrix]) == (1, [(stage.POLICE, stage.POLICE)])


async def test_an_old_version_is_brought_back_by_publishing_it_again_and_versions_stay(place: str):
    assert await published(TO_MARKET) == 1
    assert await published(TO_POLICE) == 2
    back = await rules_commands.write_draft(NewDraft(note="退回", from_version=1), AUTHOR, stage.NOW)
    assert back.rules == (TO_MARKET,)
    assert (await rules_commands.publish(back.id, 1, REVIEWER, stage.NOW)).restores == 1
    assert (await opened()).last_lead == stage.MARKET
    assert [each.version for each in await rules_commands.versions(AUTHOR, None, 10)] == [3, 2, 1]
    assert (await rules_commands.version(2, AUTHOR)).rules == (TO_POLICE,)
    shipped = await rules_commands.version(0, AUTHOR)
    assert (shipped.author, len(shipped.rules) > 30) == (None, True)


@pytest.mark.parametrize("statement", ["update routing_rules set note = 'x'", "delete from routing_rules"])
async def test_a_published_version_is_never_changed(place: str, statement: str):
    await published(TO_MARKET)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.execute(statement)


async def test_the_database_too_refuses_one_person_as_author_and_reviewer(place: str):
    alone = rules_store.Version(
        id=new_id(), document={"rule": []}, author=AUTHOR.id, reviewer=AUTHOR.id, published_at=stage.NOW
    )
    with pytest.raises(asyncpg.CheckViolationError):
        await rules_store.publish(alone, new_id())


async def test_what_was_reviewed_is_what_is_published(place: str):
    draft = await drafted(TO_MARKET)
    changed = ChangedDraft(version=1, note="改", rules=(TO_POLICE,))
    assert (await rules_commands.change_draft(draft.id, changed, AUTHOR, stage.NOW)).version == 2
    with pytest.raises(StaleVersion):
        await rules_commands.publish(draft.id, 1, REVIEWER, stage.NOW)
    with pytest.raises(StaleVersion):
        await rules_commands.change_draft(draft.id, changed, AUTHOR, stage.NOW)


async def test_only_its_author_changes_or_discards_a_draft(place: str):
    draft = await drafted(TO_MARKET)
    with pytest.raises(OwnDraft):
        await rules_commands.change_draft(
            draft.id, ChangedDraft(version=1, note="", rules=(TO_POLICE,)), REVIEWER, stage.NOW
        )
    with pytest.raises(OwnDraft):
        await rules_commands.discard(draft.id, REVIEWER)
    await rules_commands.discard(draft.id, AUTHOR)
    assert await rules_commands.drafts(AUTHOR) == []


async def test_a_draft_begun_before_another_was_published_does_not_undo_it_unseen(place: str):
    late = await drafted(TO_POLICE)
    await published(TO_MARKET)
    assert (await rules_commands.draft(late.id, AUTHOR)).behind
    with pytest.raises(StaleVersion):
        await rules_commands.publish(late.id, 1, REVIEWER, stage.NOW)
    again = ChangedDraft(version=1, note="已并入", rules=(TO_POLICE,))
    assert not (await rules_commands.change_draft(late.id, again, AUTHOR, stage.NOW)).behind
    assert (await rules_commands.publish(late.id, 2, REVIEWER, stage.NOW)).version == 2


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        ((Rule(id="a", lead="nobody"), Rule(id="b", lead="town", area="1")), ["rules[0].lead", "rules[1].area"]),
        ((Rule(id="a", lead="town"), Rule(id="b", lead="station")), ["rules[0]"]),
        ((Rule(id="a", lead="town", item="X"), Rule(id="b", lead="department:无")), ["rules[0].item", "rules[1].lead"]),
    ],
)
async def test_every_rule_that_cannot_be_used_is_refused_when_saved(place: str, rules: Any, fields: list[str]):
    with pytest.raises(Invalid) as refused:
        await drafted(*rules)
    assert [each.field for each in refused.value.errors] == fields
    assert all(rule.id in refused.value.errors[0].message[1] for rule in rules[: 3 - len(fields)])


@pytest.mark.parametrize("actor", [stage.TOWN_CLERK, stage.TRANSPORT_CLERK, stage.CITIZEN], ids=str)
async def test_rules_are_the_district_centres(place: str, actor: Actor):
    for attempt in (drafted(TO_MARKET, by=actor), rules_commands.version(None, actor)):
        with pytest.raises((RulesNotFound, NotPermitted)):
            await attempt


async def test_the_back_test_shows_where_each_case_went_and_would_go(place: str):
    night = stage.NOW + timedelta(hours=13)  # 23:00 in Hangzhou: the shipped rules send noise to the police
    day, by_night, other = await opened(), await opened(night), await opened(item="E0504")
    lost = await opened(place=town.OUTSIDE)
    named = await opened(lead=stage.TRANSPORT)
    draft = await drafted(TO_MARKET, Rule(id="idle", item="E0101", lead="town"))
    found = await rules_commands.back_test(draft.id, 100, AUTHOR, night)
    assert (found.cases, found.same, found.moved, found.named) == (5, 3, 2, 1)
    went = {each.case: (each.then, each.then_rule, each.now, each.now_rule) for each in found.list}
    assert went == {
        day.id: (stage.STATION, "item:H008", stage.MARKET, "to-market"),
        by_night.id: (stage.POLICE, "noise-home-night", stage.MARKET, "to-market"),
    }
    matrix = {(flow.then, flow.now): flow.cases for flow in found.matrix}
    assert matrix == {
        (stage.STATION, stage.MARKET): 1, (stage.POLICE, stage.MARKET): 1, (None, None): 1,
        (stage.ENFORCEMENT, stage.ENFORCEMENT): 1, (stage.TRANSPORT, stage.TRANSPORT): 1,
    }  # fmt: skip
    assert (found.rules["to-market"], found.rules["idle"]) == (2, 0)
    assert {other.id, lost.id, named.id}.isdisjoint(went)
    assert (await rules_commands.back_test(draft.id, 1, AUTHOR, night)).cases == 1


async def test_the_back_test_goes_by_what_was_known_at_intake(place: str):
    """Severity and item were changed since, and a desk assigned by hand: routing did not know that then."""
    urgent = Rule(id="urgent", severity=Severity.URGENT, lead="town")
    case = await opened(attributes={"people": 12}, item="H095")
    await db.execute("update cases set severity = 'urgent', item = 'E0504' where id = $1", case.id)
    many = Rule(id="many", item="H095", lead="force:police")
    draft = await drafted(urgent, many)
    found = await rules_commands.back_test(draft.id, 10, AUTHOR, stage.NOW)
    assert [each.now_rule for each in found.list] == ["many"]
    assert found.list[0].item == "H095"


async def test_the_back_test_asks_each_rule_about_the_hour_of_the_intake(place: str):
    """By day it went by the item, by night by the shipped rule; the back-test runs at noon of another day."""
    night = stage.NOW + timedelta(hours=13)
    day, by_night = await opened(), await opened(night)
    dark = Rule(id="dark", item="H008", lead="force:enforcement", window=Window(since=time(22), until=time(6)))
    draft = await drafted(dark)
    found = await rules_commands.back_test(draft.id, 10, AUTHOR, night + timedelta(hours=13))
    assert {each.case: each.now_rule for each in found.list} == {by_night.id: "dark"}
    assert found.rules["item:H008"] == 1
    assert day.last_lead == stage.STATION


async def test_what_a_desk_chose_by_hand_counts_as_sent_to_the_desk(place: str):
    case = await opened(place=None)
    for order in (Accept(), Assign(to=stage.MARKET)):
        await commands.carry_out(case.id, order, AUTHOR, stage.NOW)
    draft = await drafted(TO_MARKET)
    found = await rules_commands.back_test(draft.id, 10, AUTHOR, stage.NOW)
    assert (found.same, [(flow.then, flow.now) for flow in found.matrix]) == (1, [(None, None)])


async def on_duty(organisation: UUID, area: str, since: datetime, until: datetime) -> None:
    person = new_id()
    await db.execute(
        "insert into person (id, name, organisation, started_at, source) values ($1, '演示', $2, $3, '')",
        person, organisation, stage.SINCE,
    )  # fmt: skip
    if organisation == stage.ENFORCEMENT:
        await db.execute(
            "insert into squad_member (id, squad, person, started_at) values ($1, $2, $3, $4)",
            new_id(), stage.SQUAD, person, stage.SINCE,
        )  # fmt: skip
    await db.execute(
        "insert into duty_shift (id, person, organisation, area, starts_at, ends_at) values ($1, $2, $3, $4, $5, $6)",
        new_id(), person, organisation, area, since, until,
    )  # fmt: skip


@pytest.mark.parametrize("organisation", [stage.SQUAD, stage.ENFORCEMENT], ids=["its own shift", "through a member"])
async def test_the_nearest_squad_on_duty_gets_the_case_while_its_shift_lasts(place: str, organisation: UUID):
    await on_duty(organisation, stage.TOWN, stage.NOW, stage.NOW + timedelta(hours=8))
    await published(Rule(id="duty", item="H008", lead="squad_on_duty | town"))
    assert (await opened()).last_lead == stage.SQUAD
    assert (await opened(stage.NOW + timedelta(hours=8))).last_lead == stage.TOWN_CENTRE
    directory = await grid_facts.directory(stage.NOW)
    assert directory.squad_on_duty("330109004001001", stage.NOW) is not None  # of another town, but of this district


async def test_rules_over_http(place: str, http: httpx.AsyncClient):
    author, reviewer = [await people.sign_in(place, Role.DISTRICT_CENTRE) for _ in range(2)]
    rule = {"id": "a", "item": "H008", "lead": "town", "window": {"since": "22:00:00", "until": "06:00:00"}}
    wrong = {"note": "", "rules": [rule | {"id": "b"}, rule]}
    refused = await http.post("/v1/routing/rules/drafts", json=wrong, headers=author.headers)
    assert (refused.status_code, "a, b" in refused.text) == (422, True)
    made = await http.post("/v1/routing/rules/drafts", json={"note": "", "rules": [rule]}, headers=author.headers)
    assert made.status_code == 201, made.text
    draft = f"/v1/routing/rules/drafts/{made.json()['id']}"
    tried = await http.post(f"{draft}/backtest", json={"last": 10}, headers=reviewer.headers)
    assert (tried.status_code, tried.json()["cases"]) == (200, 0)
    own = await http.post(f"{draft}/publish", json={"version": 1}, headers=author.headers)
    assert (own.status_code, own.json()["type"]) == (403, "/problems/author-and-reviewer")
    done = await http.post(f"{draft}/publish", json={"version": 1}, headers=reviewer.headers)
    assert done.status_code == 200, done.text
    now = (await http.get("/v1/routing/rules", headers=author.headers)).json()
    assert (now["version"], now["rules"][0]["id"]) == (1, "a")
    assert (await http.get("/v1/routing/rules/versions/7", headers=author.headers)).status_code == 404
