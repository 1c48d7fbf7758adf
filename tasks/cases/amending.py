"""Corrections of a case (更正): another item, place or severity, counted from the original start; pure."""

from typing import Any

from msgspec.structs import replace

from tasks.cases import legs as l
from tasks.cases import orders as o
from tasks.cases.lifecycle import CaseStep
from tasks.cases.model import Case, Change, State
from tasks.cases.situation import Moved, Situation, clocks_of
from tasks.cases.steps import moved


def amend(s: Situation, order: o.Amend, step: CaseStep) -> Change:
    """更正: another item or severity counts from the original start, all pauses kept; a place gives another cell."""
    item = s.found.item or s.item
    severity = order.severity or s.case.severity
    case = moved(s, step, item=item.code, item_version=item.version, severity=severity)
    if item.code != s.item.code:
        case = replace(case, limits={})  # they were the routing rule's for the item before
    case = _placed(case, s.found.place, s.actor.district)
    if order.address is not None:
        case = replace(case, address=order.address)
    was = {"item": s.case.item, "item_version": s.case.item_version, "severity": s.case.severity.value}
    said: dict[str, Any] = {"item": item.code, "item_version": item.version, "severity": severity.value}
    said |= {"cell": case.cell, "was": was | {"cell": s.case.cell}}
    there = tuple(replace(leg, town=case.town or "") for leg in s.legs) if case.town != s.case.town else ()
    s = replace(s, legs=there or s.legs)
    if (case.item, case.severity) == (s.case.item, s.case.severity):
        return Change(case=case, legs=there, body=said)
    here = replace(s, item=item, case=case)
    case = replace(case, **_dues(here))
    limits = clocks_of(s.item, s.case), clocks_of(item, case)
    if not case.solved_at_once:  # what was solved on the spot has no limits
        here = replace(here, legs=l.under(here.legs, *limits))
    legs = tuple({leg.id: leg for leg in (*there, *l.reckon_all(here, case))}.values())
    dues = {str(leg.id): l.text_of(leg.handle_due) for leg in legs}
    return Change(case=case, legs=legs, body=said | {"handle_due": dues, "total_due": l.text_of(case.total_due)})


def recompute(s: Situation, _: o.Recompute, step: CaseStep) -> Change:
    """时限重算: every due from where its clock began, by the calendar as it is known now."""
    case = moved(s, step)
    case = replace(case, **_dues(replace(s, case=case)))
    legs = l.reckon_all(s, case)
    dues = {str(leg.id): l.text_of(leg.handle_due) for leg in legs}
    return Change(case=case, legs=legs, body={"handle_due": dues, "total_due": l.text_of(case.total_due)})


def moves(s: Situation) -> bool:
    """Tell whether reckoning again moves any due of a case."""
    case = replace(s.case, **_dues(s))
    return case != s.case or any(s.find(leg.id) != leg for leg in l.reckon_all(s, case))


def _placed(case: Case, place: Moved | None, district: str) -> Case:
    if place is None:
        return case
    town = None if place.cell is None else place.cell[:9]
    return replace(case, lon=place.lon, lat=place.lat, cell=place.cell, area=place.cell or district, town=town)


def _dues(s: Situation) -> dict[str, Any]:
    """Return the case's own dues that run now, from where they began."""
    case = s.case
    found: dict[str, Any] = {}
    if case.clock_from is not None and not case.solved_at_once:
        found["total_due"] = s.due_of("total", case.clock_from)
    if case.state is State.HANDLED and case.handled_at is not None and case.verifier is None:
        found["verify_due"] = s.due_of("verify", case.handled_at)
    if case.state is State.CALLING_BACK:
        found["call_back_due"] = s.due_of("call_back", case.verified_at or case.handled_at)
    return found
