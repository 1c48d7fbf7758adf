"""Actors, organisations and cases made up for the tests of the router."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from app.kernel.actor import Actor, Membership, Role, system
from app.kernel.ids import new_id
from grid.organisations import Directory, Force, Kind, Organisation
from media.evidence import EvidenceRef
from tasks.cases import catalogue, catalogue_files, deadlines
from tasks.cases.catalogue import Item
from tasks.cases.model import Case, Leg, LegKind, LegState, Severity, State
from tasks.cases.situation import Situation

DISTRICT, TOWN, VILLAGE, CELL = "330109", "330109003", "330109003001", "330109003001001"
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Hangzhou


def _id(number: int) -> UUID:
    return UUID(f"019a0000-0000-7000-8000-{number:012d}")


CENTRE, TOWN_CENTRE, STATION, SQUAD, TRANSPORT = _id(1), _id(2), _id(3), _id(4), _id(5)
ENFORCEMENT, POLICE, TEAM, MARKET, OTHER_TOWN = _id(6), _id(7), _id(8), _id(9), _id(10)


def _organisation(id_: UUID, kind: Kind, code: str, name: str, area: str, **more: Any) -> Organisation:
    return Organisation(id=id_, kind=kind, code=code, name=name, area=area, **more)


ORGANISATIONS = (
    _organisation(CENTRE, Kind.CENTRE, "C", "区社会治理中心（演示）", DISTRICT),
    _organisation(TOWN_CENTRE, Kind.TOWN_CENTRE, "T1", "甲镇社会治理中心（演示）", TOWN, parent=CENTRE),
    _organisation(OTHER_TOWN, Kind.TOWN_CENTRE, "T2", "乙镇社会治理中心（演示）", "330109004", parent=CENTRE),
    _organisation(STATION, Kind.STATION, "S1", "甲一村站（演示）", VILLAGE, parent=TOWN_CENTRE),
    _organisation(SQUAD, Kind.SQUAD, "Q1", "甲一网格小分队（演示）", VILLAGE, parent=STATION),
    _organisation(TRANSPORT, Kind.DEPARTMENT, "D-JT", "交通运输局", DISTRICT, parent=CENTRE),
    _organisation(MARKET, Kind.DEPARTMENT, "D-SC", "市场监督管理局", DISTRICT, parent=CENTRE),
    _organisation(
        ENFORCEMENT, Kind.FORCE_UNIT, "F1E", "甲镇执法中队（演示）", TOWN, parent=TOWN_CENTRE, force=Force.ENFORCEMENT
    ),
    _organisation(POLICE, Kind.FORCE_UNIT, "F1P", "甲镇派出所（演示）", TOWN, parent=TOWN_CENTRE, force=Force.POLICE),
    _organisation(TEAM, Kind.TEAM, "M1E", "甲镇执法一班（演示）", TOWN, parent=ENFORCEMENT, force=Force.ENFORCEMENT),
)
DIRECTORY = Directory(ORGANISATIONS, NOW)


def staff(number: int, role: Role, organisation: UUID, area: str) -> Actor:
    return Actor(
        id=_id(100 + number),
        kind="staff",
        district=DISTRICT,
        memberships=(Membership(role=role, organisation=organisation, area=area),),
    )


CENTRE_CLERK = staff(1, Role.DISTRICT_CENTRE, CENTRE, DISTRICT)
TOWN_CLERK = staff(2, Role.TOWN_CENTRE, TOWN_CENTRE, TOWN)
OTHER_TOWN_CLERK = staff(3, Role.TOWN_CENTRE, OTHER_TOWN, "330109004")
STATION_CLERK = staff(4, Role.STATION, STATION, VILLAGE)
OFFICER = staff(5, Role.OFFICER, ENFORCEMENT, TOWN)
TRANSPORT_CLERK = staff(6, Role.DEPARTMENT, TRANSPORT, DISTRICT)
MARKET_CLERK = staff(7, Role.DEPARTMENT, MARKET, DISTRICT)
MANAGER = staff(8, Role.TOWN_MANAGER, TOWN_CENTRE, TOWN)
POLICE_OFFICER = staff(9, Role.OFFICER, POLICE, TOWN)
CITIZEN = Actor(id=_id(200), kind="citizen", district=DISTRICT)
STRANGER = Actor(id=_id(201), kind="citizen", district=DISTRICT)
SYSTEM = system(DISTRICT, "router")
EVERYBODY = {
    "centre": CENTRE_CLERK, "town": TOWN_CLERK, "other town": OTHER_TOWN_CLERK, "station": STATION_CLERK,
    "officer": OFFICER, "transport": TRANSPORT_CLERK, "market": MARKET_CLERK, "manager": MANAGER,
    "police": POLICE_OFFICER, "citizen": CITIZEN, "stranger": STRANGER, "system": SYSTEM,
}  # fmt: skip

CATALOGUE = catalogue.Catalogue(catalogue_files.shipped())


def item(**changes: Any) -> Item:
    """An item that is verified and called back; change what the test is about."""
    plain = replace(CATALOGUE.version("E0504", 1), verification=True, call_back=True, evidence_at_handling=0)
    return replace(plain, **changes)


def case(state: State = State.ACCEPTED, **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "id": new_id(),
        "number": "XS20261123-000042",
        "state": state,
        "item": "E0504",
        "item_version": 1,
        "severity": Severity.ROUTINE,
        "source": "citizen",
        "reporter_kind": "citizen",
        "reporter": CITIZEN.id,
        "desk": CENTRE,
        "area": CELL,
        "town": TOWN,
        "cell": CELL,
        "received_at": NOW - timedelta(hours=1),
        "accepted_at": NOW - timedelta(hours=1),
        "clock_from": NOW - timedelta(hours=1),
    }
    return Case(**fields | changes)


def leg(
    of: Case, organisation: UUID, state: LegState = LegState.UNSIGNED, kind: LegKind = LegKind.ROOT, **changes: Any
) -> Leg:
    fields: dict[str, Any] = {
        "id": new_id(),
        "case_id": of.id,
        "ordinal": 1,
        "kind": kind,
        "organisation": organisation,
        "received_at": of.received_at,
        "town": of.town or "",
        "state": state,
        "assigned_at": NOW - timedelta(minutes=30),
        "handle_limit": "1 work_day",
    }
    return Leg(**fields | changes)


def photo() -> EvidenceRef:
    """A photo named before its bytes arrive."""
    return EvidenceRef(id=new_id(), sha256="b" * 64, size=10, media_type="image/jpeg")


_numbers: Iterator[int] = count(5000)


def situation(of: Case, *legs: Leg, actor: Actor = SYSTEM, **changes: Any) -> Situation:
    fields: dict[str, Any] = {
        "case": of,
        "legs": legs,
        "item": item(),
        "actor": actor,
        "now": NOW,
        "calendar": deadlines.national(),
        "fresh": lambda: _id(next(_numbers)),
        "last_lead_now": of.last_lead,
        "directory": DIRECTORY,
    }
    return Situation(**fields | changes)


def person(number: int) -> Actor:
    """One of many citizens."""
    return Actor(id=_id(300 + number), kind="citizen", district=DISTRICT)


def numbered(number: int) -> UUID:
    """One of many ids, the same in every run."""
    return _id(7000 + number)
