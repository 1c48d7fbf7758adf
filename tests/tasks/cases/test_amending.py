"""Corrections: another item or severity counts from the original start, pauses kept; a place gives another cell."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from app.kernel import db
from app.kernel.crs import Datum, Place
from app.kernel.problem import Invalid
from tasks.cases import deadlines, store
from tasks.cases import orders as o
from tasks.cases.deadlines import parse_limit
from tasks.cases.effects import decide
from tasks.cases.model import LegKind, LegState, Severity, State
from tasks.cases.problems import TransitionRefused
from tasks.cases.situation import Found
from tests.tasks.cases import stage, town
from tests.tasks.cases.steps import NOW, opened, play

START = stage.NOW - timedelta(hours=4)
PAUSE = (stage.NOW - timedelta(hours=3), stage.NOW - timedelta(hours=1))


def test_another_item_counts_from_the_original_start_and_keeps_the_pauses():
    case = stage.case(State.HANDLING, clock_from=START, accepted_at=START, pauses=(PAUSE,))
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigned_at=START, signed_at=START)
    below = stage.leg(case, stage.POLICE, kind=LegKind.ASSIST, parent=root.id, ordinal=2, assigned_at=START)
    other = stage.CATALOGUE.version("H008", 1)
    s = stage.situation(case, root, below, actor=stage.CENTRE_CLERK, found=Found(item=other))
    change = decide(s, o.Amend(item="H008"))[2]
    limits, calendar = other.clocks(Severity.ROUTINE), deadlines.national()
    assert limits.handle is not None
    due = deadlines.due(START, parse_limit(limits.handle), calendar, (PAUSE,))
    assert [leg.handle_due for leg in change.legs] == [due, due]
    assert change.legs[0].handle_limit == limits.handle
    assert change.legs[1].sign_due == deadlines.due(START, parse_limit(limits.sign or ""), calendar, (PAUSE,))
    assert change.case.total_due == deadlines.due(START, parse_limit(limits.total or ""), calendar, (PAUSE,))
    assert (change.case.item, change.case.pauses) == ("H008", (PAUSE,))
    assert change.body["was"]["item"] == "E0504"


def test_limits_a_rule_set_for_the_item_before_do_not_hold_for_another():
    case = stage.case(State.HANDLING, clock_from=START, accepted_at=START, limits={"handle": "45 minute"})
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigned_at=START, handle_limit="45 minute")
    other = stage.CATALOGUE.version("H008", 1)
    s = stage.situation(case, root, actor=stage.CENTRE_CLERK, found=Found(item=other))
    change = decide(s, o.Amend(item="H008"))[2]
    assert (change.case.limits, change.legs[0].handle_limit) == ({}, other.clocks(Severity.ROUTINE).handle)
    same = decide(replace(s, found=Found()), o.Amend(severity=Severity.URGENT))[2]
    assert (same.case.limits, same.legs[0].handle_limit) == ({"handle": "45 minute"}, "45 minute")


def test_what_was_solved_on_the_spot_gets_no_limits_by_another_item():
    case = stage.case(State.HANDLED, clock_from=START, accepted_at=START, handled_at=START, solved_at_once=True)
    root = stage.leg(case, stage.SQUAD, LegState.SUBMITTED, assigned_at=START, handle_limit=None, handle_due=None)
    other = stage.CATALOGUE.version("H008", 1)
    s = stage.situation(case, root, actor=stage.CENTRE_CLERK, found=Found(item=other))
    change = decide(s, o.Amend(item="H008"))[2]
    [leg] = change.legs
    assert (leg.handle_limit, leg.handle_due, leg.arrive_due, change.case.total_due) == (None, None, None, None)


def test_another_severity_counts_from_the_original_start_too():
    case = stage.case(State.HANDLED, clock_from=START, accepted_at=START, handled_at=START, verify_due=START)
    s = stage.situation(case, stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED), actor=stage.CENTRE_CLERK)
    change = decide(s, o.Amend(severity=Severity.URGENT))[2]
    verify = s.item.clocks(Severity.URGENT).verify
    assert verify is not None
    assert change.case.verify_due == deadlines.due(START, parse_limit(verify), deadlines.national())


def test_an_extension_granted_before_stays_granted():
    case = stage.case(State.HANDLING, clock_from=START, accepted_at=START)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigned_at=START, extensions=("2 work_day",))
    s = stage.situation(case, root, actor=stage.CENTRE_CLERK, item=replace(stage.item(), limits=stage.item().limits))
    plain = decide(replace(s, legs=(replace(root, extensions=()),)), o.Amend(severity=Severity.URGENT))[2]
    extended = decide(s, o.Amend(severity=Severity.URGENT))[2]
    before, after = plain.legs[0].handle_due, extended.legs[0].handle_due
    assert before is not None
    assert after is not None
    assert after > before


async def test_another_place_is_looked_up_and_another_address_kept_out_of_the_trace(place: str):
    case = await opened()
    moved = Place(lon=120.30, lat=30.25, datum=Datum.WGS84)
    seen = await play(case, (stage.CENTRE_CLERK, o.Amend(place=moved, address="演示路 9 号")))
    assert (seen.lon, seen.cell, seen.area, seen.address) == (120.30, None, stage.DISTRICT, "演示路 9 号")
    row = await db.fetchrow("select raw_lon, raw_lat, datum from cases where id = $1", case.id)
    assert row is not None
    assert tuple(row) == (120.30, 30.25, "wgs84")
    assert "演示路" not in str((await store.links(case.id))[-1].body)
    seen = await play(case, (stage.CENTRE_CLERK, o.Amend(place=town.INSIDE)))
    assert (seen.cell, seen.town, seen.area) == (stage.CELL, stage.TOWN, stage.CELL)


async def test_the_version_of_the_new_item_is_the_one_in_force_when_the_case_was_accepted(place: str):
    case = await opened()
    seen = await play(case, (stage.CENTRE_CLERK, o.Amend(item="E0504")))
    assert (seen.item, seen.item_name) == ("E0504", stage.CATALOGUE.version("E0504", 1).name)
    with pytest.raises(Invalid, match="item"):
        await play(case, (stage.CENTRE_CLERK, o.Amend(item="no-such")))
    with pytest.raises(TransitionRefused):
        await play(case, (stage.CENTRE_CLERK, o.Amend(note="nothing")))
    assert seen.version == case.version + 1
    assert (seen.due_at or NOW) > NOW
