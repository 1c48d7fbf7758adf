"""Every row of the two tables leads where it says; who may give a command is in `test_who_may`."""

import ast
import csv
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.ids import new_id
from media.evidence import EvidenceRef
from tasks.cases import lifecycle
from tasks.cases import orders as o
from tasks.cases.effects import EFFECTS, decide
from tasks.cases.lifecycle import CASE_STEPS, LEG_STEPS, Before, CaseStep, LegStep
from tasks.cases.model import CheckPoint, LegKind, LegState, Part, Pending, Signal, State
from tasks.cases.problems import RoleNotPermitted, TransitionRefused
from tasks.cases.situation import Called, Found, Situation
from tests.tasks.cases import stage
from tests.tasks.cases.samples import POINT, samples

TABLES = Path(__file__).parent / "tables"


def named(value: Any) -> str:
    return getattr(value, "__name__", str(value))


def case_situations(state: State) -> Iterator[Situation]:
    """Situations of a case in a state, over what the guards look at; a bureau assigned its open root leg."""
    for verification, last_lead, reopens, asked, accepted in product(
        (True, False), (None, stage.TOWN_CENTRE), (0, 9), (False, True), (None, stage.NOW)
    ):
        case = stage.case(
            state,
            last_lead=last_lead,
            reopens=reopens,
            withdrawal_asked=asked,
            accepted_at=accepted,
            before=State.HANDLING if state is State.SUSPENDED else None,
            suspended_at=stage.NOW - timedelta(hours=1) if state is State.SUSPENDED else None,
            closed_at=stage.NOW - timedelta(days=1),
            call_back_due=stage.NOW - timedelta(minutes=1),
            verify_due=stage.NOW,
        )
        root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, assigner=stage.MARKET)
        for call_back in (True, False):
            item = stage.item(verification=verification, call_back=call_back)
            yield stage.situation(case, *((root,) if state is State.HANDLING else ()), item=item)


def leg_situations(kind: LegKind, state: LegState) -> Iterator[Situation]:
    """Situations of one leg of a kind in a state; an inner or assist leg has the town's signed leg above it."""
    for returns, verification, call_back, pending, watched in product(
        (0, 5), (True, False), (True, False), (None, "extension", "suspension"), (None, stage.NOW)
    ):
        case = stage.case(State.ASSIGNED if kind is LegKind.ROOT and state == "unsigned" else State.HANDLING)
        case = replace(case, returns=returns, checklist=(CheckPoint(point=POINT),))
        waiting = None if pending is None else Pending(pending, "1 work_day", stage.NOW + timedelta(days=2))
        top = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
        below = () if kind is LegKind.ROOT else (top,)
        leg = stage.leg(
            case,
            stage.TOWN_CENTRE if kind is LegKind.ROOT else stage.ENFORCEMENT,
            state,
            kind,
            ordinal=2,
            parent=None if kind is LegKind.ROOT else top.id,
            assigner=stage.CENTRE if kind is LegKind.ROOT else stage.TOWN_CENTRE,
            pending=waiting,
            urges=1,
            supervised_at=watched,
            arrived_at=stage.NOW,
        )
        item = stage.item(verification=verification, call_back=call_back)
        found = Found(called=Called(stage.POLICE, None))
        yield stage.situation(case, *below, leg, item=item, leg=leg, found=found)


def reached(rows: Iterator[Situation] | list[Situation], row: CaseStep | LegStep) -> bool:
    """Whether somebody in some situation is led through this row, to the states it names."""
    for s, actor, order in product(list(rows), stage.EVERYBODY.values(), samples(row.on)):
        here = replace(s, actor=actor)
        try:
            if lifecycle.choose(here, order) is not row:
                continue
        except (TransitionRefused, RoleNotPermitted):
            continue
        named = replace(order, leg=s.leg.id) if isinstance(order, o.LegOrder) and s.leg else order
        _, _, change = decide(here, named)
        if isinstance(row, CaseStep):
            assert change.case.state is (s.case.before if isinstance(row.target, Before) else row.target)
        else:
            assert change.legs[0].state is row.target
            assert change.case.state is (row.case or s.case.state)
        assert change.case.version == s.case.version + 1
        return True
    return False


@pytest.mark.parametrize("row", CASE_STEPS, ids=lambda r: f"{r.source.value}-{r.on.__name__}")
def test_every_row_of_the_cases_table_is_reached_and_leads_where_it_says(row: CaseStep):
    assert reached(case_situations(row.source), row)


@pytest.mark.parametrize("row", LEG_STEPS, ids=lambda r: f"{r.source.value}-{r.on.__name__}")
def test_every_row_of_the_legs_table_is_reached_and_leads_where_it_says(row: LegStep):
    assert all(reached(leg_situations(kind, row.source), row) for kind in row.kinds)


def test_every_command_has_rows_and_an_effect():
    used = {row.on for row in (*CASE_STEPS, *LEG_STEPS)}
    assert used == set(o.CASE_ORDERS) | set(o.LEG_ORDERS) == set(EFFECTS)


def said(row: CaseStep | LegStep) -> dict[str, str]:
    """A row as a clerk reads it."""
    who = " ".join(sorted(part.value for part in row.who))
    if isinstance(row, CaseStep):
        target = "the state before" if isinstance(row.target, Before) else row.target.value
        legs = row.legs.value if row.legs else ""
        return {"from": row.source.value, "command": o.name_of(row.on), "to": target, "who": who, "open_legs": legs}
    kinds = " ".join(sorted(kind.value for kind in row.kinds))
    case, below = row.case.value if row.case else "", row.below.value if row.below else ""
    leg = {"kinds": kinds, "from": row.source.value, "command": o.name_of(row.on), "to": row.target.value}
    return leg | {"who": who, "case": case, "below": below}


@pytest.mark.parametrize(("file", "rows"), [("cases.csv", CASE_STEPS), ("legs.csv", LEG_STEPS)])
def test_the_tables_are_those_the_centre_agreed_to(file: str, rows: tuple[Any, ...]):
    with (TABLES / file).open(encoding="utf-8", newline="") as text:
        assert [said(row) for row in rows] == list(csv.DictReader(text))


# ---- who is what


@pytest.mark.parametrize(
    ("who", "parts"),
    [
        ("centre", {Part.CENTRE, Part.DESK, Part.VERIFIER, Part.REVIEWER, Part.ASSIGNER}),
        ("town", {Part.LEAD}),
        ("manager", set[Part]()),  # reads only, though of the lead's organisation
        ("officer", set[Part]()),
        ("citizen", {Part.REPORTER}),
        ("stranger", {Part.NEIGHBOUR}),
        ("system", {Part.SYSTEM}),
    ],
)
def test_what_somebody_is_to_a_case_depends_on_the_case_and_leg(who: str, parts: set[Part]):
    case = stage.case(State.HANDLING)
    leg = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)  # assigned by system: the desk is its assigner
    assert stage.situation(case, leg, leg=leg, actor=stage.EVERYBODY[who]).parts() == parts


def test_nobody_verifies_their_own_work():
    case = stage.case(State.HANDLED, desk=stage.TOWN_CENTRE)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED, handler=stage.TOWN_CLERK.id)
    s = stage.situation(case, root, actor=stage.TOWN_CLERK)
    with pytest.raises(RoleNotPermitted):
        decide(s, o.Verify(passed=True))
    verified = decide(replace(s, actor=stage.CENTRE_CLERK), o.Verify(passed=True))[2]
    assert verified.case.state is State.CALLING_BACK


def test_a_command_that_fits_several_legs_must_name_one():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
    two = [
        stage.leg(case, to, LegState.SUBMITTED, LegKind.ASSIST, parent=root.id, ordinal=n, assigner=stage.TOWN_CENTRE)
        for n, to in enumerate((stage.POLICE, stage.STATION), 2)
    ]
    s = stage.situation(case, root, *two, actor=stage.TOWN_CLERK)
    with pytest.raises(TransitionRefused, match="several"):
        decide(s, o.Confirm())
    assert decide(s, o.Confirm(leg=two[1].id))[2].legs[0].id == two[1].id


def test_a_result_waits_for_the_legs_below_and_for_evidence():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED)
    inner = stage.leg(case, stage.ENFORCEMENT, kind=LegKind.INNER, parent=root.id, ordinal=2)
    with pytest.raises(TransitionRefused, match="legs below"):
        decide(stage.situation(case, root, inner, actor=stage.TOWN_CLERK), o.Submit(leg=root.id, result="好了"))
    item, photo = stage.item(evidence_at_handling=1), EvidenceRef(id=new_id(), sha256="a" * 64, size=9, media_type="x")
    s = stage.situation(case, root, actor=stage.TOWN_CLERK, item=item)
    with pytest.raises(TransitionRefused, match="evidence"):
        decide(s, o.Submit(result="好了"))
    assert decide(s, o.Submit(result="好了", evidence=(photo,)))[2].case.state is State.HANDLED
    shown = replace(inner, state=LegState.CONFIRMED, evidence=1)  # what the squadron has shown counts for the town
    assert decide(replace(s, legs=(root, shown)), o.Submit(result="好了"))[2].case.state is State.HANDLED


def test_the_case_does_not_close_while_a_child_is_open_or_the_signal_fires():
    item = stage.item(call_back=False)
    case = stage.case(State.HANDLED)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SUBMITTED)
    s = stage.situation(case, root, item=item, actor=stage.CENTRE_CLERK)
    assert decide(s, o.Verify(passed=True))[2].case.state is State.CLOSED
    with pytest.raises(TransitionRefused, match="child"):
        decide(replace(s, open_children=1), o.Verify(passed=True))
    with pytest.raises(TransitionRefused, match="signal"):
        decide(replace(s, case=replace(case, signal=Signal.FIRING)), o.Verify(passed=True))


def test_work_recorded_rules_out_a_return():
    case = stage.case(State.HANDLING)
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, worked=True)
    with pytest.raises(TransitionRefused, match="no return"):
        decide(stage.situation(case, root, actor=stage.TOWN_CLERK), o.Return(reason="不归我们"))


def test_suspension_stops_every_clock_until_the_case_resumes():
    case = stage.case(State.HANDLING, total_due=stage.NOW + timedelta(days=30))
    root = stage.leg(case, stage.TOWN_CENTRE, LegState.SIGNED, handle_limit="30 minute", assigned_at=stage.NOW)
    root = replace(root, handle_due=stage.NOW + timedelta(minutes=30), pending=Pending("suspension", None, None))
    s = stage.situation(case, root, actor=stage.CENTRE_CLERK, now=stage.NOW + timedelta(minutes=10))
    suspended = decide(s, o.Grant())[2]
    assert suspended.case.state is State.SUSPENDED
    later = replace(s, case=suspended.case, legs=suspended.legs, now=stage.NOW + timedelta(minutes=70))
    resumed = decide(later, o.Resume())[2]
    assert resumed.case.state is State.HANDLING
    assert resumed.legs[0].handle_due == stage.NOW + timedelta(minutes=90)


@pytest.mark.parametrize("state", [LegState.CONFIRMED, LegState.RETURNED, LegState.RECALLED])
def test_a_leg_that_ended_under_supervision_is_still_offered_to_be_released(state: LegState):
    case = stage.case(State.CLOSED)
    root = stage.leg(case, stage.TOWN_CENTRE, state, supervised_at=stage.NOW, supervision_level=1)
    s = stage.situation(case, root, actor=stage.CENTRE_CLERK)
    assert {"command": "release", "leg": str(root.id)} in lifecycle.possible(s)
    released = decide(s, o.Release())[2]
    assert (released.legs[0].supervised_at, released.legs[0].state) == (None, state)
    assert not any("leg" in each for each in lifecycle.possible(replace(s, legs=released.legs)))


def test_no_code_but_the_tables_sets_a_state():
    """Only opening writes first rows; elsewhere a state comes out of a row of the tables."""
    package = Path(lifecycle.__file__).parent
    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.glob("*.py"))}
    named = [
        f"{name}:{node.value.lineno}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "state" and "State." in ast.unparse(node.value)
    ]
    assert {each.partition(":")[0] for each in named} == {"opening.py"}
