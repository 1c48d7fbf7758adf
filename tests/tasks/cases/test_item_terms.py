"""What an item says holds for its cases: proof, returns, extensions, limits by severity, who sees the reporter."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from app.kernel.problem import Invalid
from tasks.cases import catalogue_commands, queries, store
from tasks.cases import orders as o
from tasks.cases.catalogue import Item, Limits
from tasks.cases.catalogue_files import shipped
from tasks.cases.commands import give
from tasks.cases.model import Case, Severity, State
from tasks.cases.problems import CaseNotFound, TransitionRefused
from tests.tasks.cases import stage
from tests.tasks.cases.stage import CENTRE_CLERK, MARKET_CLERK, NOW, TOWN_CLERK, TRANSPORT_CLERK
from tests.tasks.cases.steps import opened, play

PLAIN = next(each for each in shipped() if each.code == "E0504")


async def said(**changes: Any) -> Item:
    """An item of the district that says something else than the shipped one it is made from."""
    return await catalogue_commands.change(replace(PLAIN, code="T001", **changes), CENTRE_CLERK, NOW)


async def a_case(**changes: Any) -> Case:
    return await opened(item="T001", **changes)


async def test_a_report_brings_as_much_evidence_as_the_item_asks_for(place: str):
    await said(evidence_at_report=2)
    for photos in ((), (stage.photo(),)):
        with pytest.raises(Invalid) as refused:
            await a_case(evidence=photos)
        assert [each.field for each in refused.value.errors] == ["evidence"]
    assert (await a_case(evidence=(stage.photo(), stage.photo()))).item == "T001"


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_as_many_returns_as_the_item_allows_then_it_is_ruled(place: str, limit: int):
    await said(return_limit=limit)
    case = await a_case(lead=stage.TRANSPORT)
    states: list[str] = []
    for n in range(limit):
        clerk, to = ((TRANSPORT_CLERK, stage.TRANSPORT), (MARKET_CLERK, stage.MARKET))[n % 2]
        if n:
            await give(case.id, o.Assign(to=to), CENTRE_CLERK, NOW)
        states.append((await give(case.id, o.Return(reason="不归我们"), clerk, NOW)).state)
    assert states == ["accepted"] * (limit - 1) + ["disputed"]


@pytest.mark.parametrize("limit", [0, 1, 2])
async def test_a_leg_is_extended_as_often_as_the_item_allows(place: str, limit: int):
    await said(extension_limit=limit)
    case = await a_case()
    await play(case, (TOWN_CLERK, o.Sign()))
    request = o.Request(kind="extension", amount="1 work_day", reason="等配件")
    for _ in range(limit):
        await play(case, (TOWN_CLERK, request), (CENTRE_CLERK, o.Grant()))
    with pytest.raises(TransitionRefused):
        await play(case, (TOWN_CLERK, request))
    assert (await store.legs(case.id))[0].extensions == ("1 work_day",) * limit


@pytest.mark.parametrize(("severity", "minutes"), [(Severity.URGENT, 40), (Severity.CRITICAL, 20)])
async def test_each_severity_has_limits_of_its_own(place: str, severity: Severity, minutes: int):
    both = {Severity.URGENT: "40 minute", Severity.CRITICAL: "20 minute"}
    await said(limits=PLAIN.limits | {each: Limits(sign="5 minute", handle=text) for each, text in both.items()})
    routine, pressing = await a_case(), await a_case(severity=severity, description="急")
    assert (await store.legs(pressing.id))[0].handle_due == NOW + timedelta(minutes=minutes)
    assert (await store.legs(routine.id))[0].handle_limit == PLAIN.clocks(Severity.ROUTINE).handle


@pytest.mark.parametrize(
    ("verification", "call_back", "state"),
    [
        (True, True, State.HANDLED),
        (True, False, State.HANDLED),
        (False, True, State.CALLING_BACK),
        (False, False, State.CLOSED),
    ],
)
async def test_what_is_handled_is_verified_and_called_back_where_the_item_says_so(
    place: str, verification: bool, call_back: bool, state: State
):
    await said(verification=verification, call_back=call_back, evidence_at_handling=0)
    seen = await play(await a_case(), (TOWN_CLERK, o.Sign()), (TOWN_CLERK, o.Submit(result="好了")))
    assert seen.state == state


@pytest.mark.parametrize(("privacy", "lead_sees"), [("handlers", True), ("desk", False)])
async def test_the_reporter_is_seen_by_who_handles_it_or_by_the_desks_alone(place: str, privacy: str, lead_sees: bool):
    await said(privacy=privacy)
    case = await a_case(lead=stage.TRANSPORT)
    await play(case, (TRANSPORT_CLERK, o.Sign()))
    assert (await queries.contact(case.id, "回访核实", CENTRE_CLERK, NOW)).name == "张某"
    if lead_sees:
        assert (await queries.contact(case.id, "回访核实", TRANSPORT_CLERK, NOW)).name == "张某"
    else:
        with pytest.raises(CaseNotFound):
            await queries.contact(case.id, "回访核实", TRANSPORT_CLERK, NOW)


async def test_another_item_counts_in_the_version_in_force_when_the_case_was_accepted(place: str):
    case = await opened()
    later = NOW + timedelta(hours=1)
    await catalogue_commands.change(replace(PLAIN, closing="新的条件"), CENTRE_CLERK, later)
    amended = await give(case.id, o.Amend(item=PLAIN.code), CENTRE_CLERK, later + timedelta(hours=1))
    assert amended.item == PLAIN.code
    assert (await store.cases([case.id]))[0].item_version == 1
    await catalogue_commands.change(replace(PLAIN, code="T002"), CENTRE_CLERK, later)  # there was none of it then
    amended = await give(case.id, o.Amend(item="T002"), CENTRE_CLERK, later + timedelta(hours=1))
    assert amended.item == "T002"
