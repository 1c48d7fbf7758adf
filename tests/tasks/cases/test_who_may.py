"""Every pair (state, command) with everybody: allowed for exactly the parts a clerk wrote down, refused otherwise.

The two tables are written from the rules, not from the code: `tables/who_may_case.csv`, `tables/who_may_leg.csv`.
"""

import contextlib
import csv
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.actor import Actor
from tasks.cases import lifecycle
from tasks.cases import orders as o
from tasks.cases.model import CheckPoint, Leg, LegKind, LegState, Pending, State
from tasks.cases.problems import RoleNotPermitted, TransitionRefused
from tasks.cases.situation import Called, Found, Situation
from tests.tasks.cases import stage
from tests.tasks.cases.samples import POINT, samples

TABLES = Path(__file__).parent / "tables"
OPEN = "received accepted assigned handling disputed suspended handled calling_back"

# Who is what: the case is of the other town's desk, the market bureau gave it to the town, the town to the squadron.
NOBODY: frozenset[str] = frozenset()
JUDGES = {"verifier", "reviewer"}
ON_THE_CASE: dict[str, tuple[Actor, set[str]]] = {
    "the centre": (stage.CENTRE_CLERK, {"centre"} | JUDGES),
    "the desk": (stage.OTHER_TOWN_CLERK, {"desk"} | JUDGES),
    "who assigned it": (stage.MARKET_CLERK, {"assigner"}),
    "the lead": (stage.TOWN_CLERK, {"lead"}),
    "the lead's squadron": (stage.OFFICER, {"lead"}),
    "the assistant": (stage.POLICE_OFFICER, {"assistant"}),
    "a reader of the lead's": (stage.MANAGER, set()),
    "another bureau": (stage.TRANSPORT_CLERK, set()),
    "who reported": (stage.CITIZEN, {"reporter"}),
    "another citizen": (stage.STRANGER, {"neighbour"}),
    "the system": (stage.SYSTEM, {"system"}),
}
ON_THE_LEG: dict[LegKind, dict[str, set[str]]] = {
    LegKind.ROOT: {"who assigned it": {"assigner"}, "the lead": {"lead"}},
    LegKind.INNER: {"the lead": {"assigner", "parent"}, "the lead's squadron": {"lead"}},
    LegKind.ASSIST: {"who assigned it": {"assigner"}, "the lead": {"parent"}, "the assistant": {"assistant"}},
}
"""What somebody is to the leg itself; to the case they stay what they are."""


def read(file: str) -> list[dict[str, str]]:
    with (TABLES / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


CASE_TABLE: dict[tuple[str, str], set[str]] = {
    (state, row["command"]): set(row["who"].split())
    for row in read("who_may_case.csv")
    for state in row["in"].replace("open", OPEN).split()
}
LEG_TABLE: dict[tuple[str, str, str], set[str]] = {
    (kind, state, row["command"]): set(row["who"].split())
    for row in read("who_may_leg.csv")
    for kind in row["kinds"].split()
    for state in row["in"].split()
}


def situations(state: State, focus: LegKind | None = None, at: LegState = LegState.SIGNED) -> Iterator[Situation]:
    """The case with its three legs in situations where no condition but state and part can stand in the way."""
    for pending, asked, call_back in product(
        (Pending("extension", "1 work_day", None), None), (False, True), (True, False)
    ):
        case = stage.case(
            state,
            desk=stage.OTHER_TOWN,
            last_lead=stage.TOWN_CENTRE,
            before=State.HANDLING,
            suspended_at=stage.NOW,
            closed_at=stage.NOW - timedelta(days=1),
            call_back_due=stage.NOW,
            verify_due=stage.NOW,
            withdrawal_asked=asked,
            checklist=(CheckPoint(point=POINT),),
        )
        there: dict[str, Any] = {"arrived_at": stage.NOW, "urges": 1, "supervised_at": None if pending else stage.NOW}
        here: dict[str, Any] = {"state": at, "pending": pending, **there}
        plain: dict[str, Any] = {"state": LegState.SIGNED, **there}
        root = stage.leg(case, stage.TOWN_CENTRE, assigner=stage.MARKET, **here if focus is LegKind.ROOT else plain)
        inner = stage.leg(
            case, stage.ENFORCEMENT, kind=LegKind.INNER, parent=root.id, ordinal=2, assigner=stage.TOWN_CENTRE,
            **here if focus is LegKind.INNER else plain,
        )  # fmt: skip
        assist = stage.leg(
            case, stage.POLICE, kind=LegKind.ASSIST, parent=root.id, ordinal=3, assigner=stage.MARKET,
            **here if focus is LegKind.ASSIST else plain,
        )  # fmt: skip
        legs: dict[LegKind | None, tuple[Leg, ...]] = {
            LegKind.ROOT: (root,),
            LegKind.INNER: (root, inner),
            LegKind.ASSIST: (root, assist),
            None: (root, inner, assist),
        }
        found = Found(called=Called(stage.POLICE, None), joined=False)
        leg = {LegKind.ROOT: root, LegKind.INNER: inner, LegKind.ASSIST: assist, None: None}[focus]
        item = stage.item(call_back=call_back, verification=call_back)
        yield stage.situation(case, *legs[focus], item=item, leg=leg, found=found)


def taken(several: list[Situation], actor: Actor, on: type[o.Order]) -> bool:
    """Whether the command is taken in any of the situations."""
    for s, order in product(several, samples(on)):
        with contextlib.suppress(TransitionRefused, RoleNotPermitted):
            lifecycle.choose(replace(s, actor=actor), order)
            return True
    return False


def refusal(s: Situation, actor: Actor, on: type[o.Order]) -> Any:
    with pytest.raises((TransitionRefused, RoleNotPermitted)) as caught:
        lifecycle.choose(replace(s, actor=actor), samples(on)[0])
    return caught.value


@pytest.mark.parametrize("who", ON_THE_CASE)
def test_everybody_is_to_the_case_what_the_cast_says(who: str):
    actor, parts = ON_THE_CASE[who]
    s = next(situations(State.HANDLING))
    assert replace(s, actor=actor).parts() == parts


@pytest.mark.parametrize(("kind", "who"), list(product(LegKind, ON_THE_CASE)), ids=str)
def test_everybody_is_to_the_leg_what_the_cast_says(kind: LegKind, who: str):
    actor, parts = ON_THE_CASE[who]
    plain = parts - {"lead", "assistant", "assigner"}
    s = next(situations(State.HANDLING, kind))
    assert replace(s, actor=actor).parts() == plain | ON_THE_LEG[kind].get(who, set())


@pytest.mark.parametrize(("state", "on"), list(product(State, o.CASE_ORDERS)), ids=lambda v: getattr(v, "__name__", v))
def test_a_case_takes_a_command_from_exactly_the_parts_of_the_table(state: State, on: type[o.Order]):
    may = CASE_TABLE.get((state.value, o.name_of(on)), NOBODY)
    several = list(situations(state))
    for who, (actor, parts) in ON_THE_CASE.items():
        if state is State.HANDLED and parts & {"lead", "assistant"}:
            parts = parts - JUDGES
        if parts & may:
            assert taken(several, actor, on), who
            continue
        refused = refusal(several[0], actor, on)
        assert isinstance(refused, RoleNotPermitted if may else TransitionRefused), who
        possible = {each["command"] for each in refused.facts["allowed"] if "leg" not in each}
        assert possible <= {name for (where, name), whom in CASE_TABLE.items() if where == state and whom & parts}


@pytest.mark.parametrize(
    ("kind", "state", "on"), list(product(LegKind, LegState, o.LEG_ORDERS)), ids=lambda v: getattr(v, "__name__", v)
)
def test_a_leg_takes_a_command_from_exactly_the_parts_of_the_table(
    kind: LegKind, state: LegState, on: type[o.LegOrder]
):
    may = LEG_TABLE.get((kind.value, state.value, o.name_of(on)), NOBODY)
    several = list(situations(State.HANDLING, kind, state))
    for who, (actor, of_case) in ON_THE_CASE.items():
        parts = (of_case - {"lead", "assistant", "assigner"}) | ON_THE_LEG[kind].get(who, set())
        if parts & may:
            assert taken(several, actor, on), who
        else:
            refused = refusal(several[0], actor, on)
            assert isinstance(refused, RoleNotPermitted if may else TransitionRefused), who
            assert {"command": o.name_of(on), "leg": str(several[0].leg and several[0].leg.id)} not in refused.facts[
                "allowed"
            ]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("on", o.LEG_ORDERS, ids=lambda on: on.__name__)
def test_legs_move_only_while_the_case_is_assigned_or_handled_but_answers_and_releases_always(
    state: State, on: type[o.LegOrder]
):
    awake = state in (State.ASSIGNED, State.HANDLING) or on in (o.Reply, o.Release, o.SetHandler)
    several = list(situations(state, LegKind.ASSIST))
    might = any(taken(several, actor, on) for actor, _ in ON_THE_CASE.values())
    somewhere = ("assist", "signed", o.name_of(on)) in LEG_TABLE
    assert might is (awake and somewhere)


def test_the_tables_name_every_command():
    assert {command for _, command in CASE_TABLE} == {o.name_of(on) for on in o.CASE_ORDERS}
    assert {command for _, _, command in LEG_TABLE} == {o.name_of(on) for on in o.LEG_ORDERS}
