"""Selectors of an organisation: `town`, `department:交通运输局`, `force:enforcement`, with fall-backs by `|`; pure."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from uuid import UUID

from msgspec import Struct

from grid.organisations import Directory, Force, Kind, Organisation

Text = tuple[str, str]
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Selector(Struct, frozen=True):
    """How one organisation is found; `value` is a name, a code, a force or an id."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind


class Where(Struct, frozen=True, gc=False):
    """What selectors look at: the place, the moment, the sender, and what the item says of its own lead."""

    area: str
    at: datetime
    sender: UUID | None = None
    item_lead: str = ""


class Picked(Struct, frozen=True, gc=False):
    """What selectors found: an organisation or nobody, why, and who was left out because complained about."""

    organisation: UUID | None
    why: Text
    left_out: tuple[UUID, ...] = ()


def _by_id(_: Where, value: str, directory: Directory) -> Organisation | None:
    return directory.get(UUID(value))


def _department(_: Where, value: str, directory: Directory) -> Organisation | None:
    return directory.department(value)


def _of_place(kind: Kind) -> Callable[[Where, str, Directory], Organisation | None]:
    def find(where: Where, _: str, directory: Directory) -> Organisation | None:
        return directory.find(kind, where.area) if where.area else None

    return find


def _force(kind: Kind) -> Callable[[Where, str, Directory], Organisation | None]:
    def find(where: Where, value: str, directory: Directory) -> Organisation | None:
        return directory.find(kind, where.area, Force(value)) if where.area else None

    return find


def _sender(where: Where, _: str, directory: Directory) -> Organisation | None:
    return None if where.sender is None else directory.get(where.sender)


def _item_department(where: Where, _: str, directory: Directory) -> Organisation | None:
    named = (each.value for each in parse_selectors(where.item_lead) if each.kind == "department")
    return next((found for name in named if (found := directory.department(name)) is not None), None)


def _squad_on_duty(where: Where, _: str, directory: Directory) -> Organisation | None:
    return directory.squad_on_duty(where.area, where.at)


def _centre(_: Where, __: str, directory: Directory) -> Organisation | None:
    return directory.centre()


KINDS: dict[str, Callable[[Where, str, Directory], Organisation | None]] = {
    "organisation": _by_id,
    "department": _department,
    "item_department": _item_department,
    "town": _of_place(Kind.TOWN_CENTRE),
    "station": _of_place(Kind.STATION),
    "squad": _of_place(Kind.SQUAD),
    "squad_on_duty": _squad_on_duty,
    "force": _force(Kind.FORCE_UNIT),
    "team": _force(Kind.TEAM),
    "sender": _sender,
    "centre": _centre,
}
WORDS: dict[str, Text] = {
    "organisation": ("指定单位", "the organisation named"),
    "department": ("主管部门", "the department"),
    "item_department": ("事项的主管部门", "the department of the item"),
    "town": ("属地镇街", "the town of the place"),
    "station": ("属地村社", "the station of the place"),
    "squad": ("网格小分队", "the squad of the cell"),
    "squad_on_duty": ("最近的当班小分队", "the nearest squad on duty"),
    "force": ("属地力量", "the force of the place"),
    "team": ("属地班组", "the team of the place"),
    "sender": ("上报单位自办", "the sender's own"),
    "centre": ("区中心", "the district centre"),
}
_VALUED = {"organisation", "department", "force", "team"}


@cache
def parse_selectors(text: str) -> tuple[Selector, ...]:
    """Read alternatives in order, `squad | station | town`; ValueError (zh / en) for an unknown or incomplete one."""
    found: list[Selector] = []
    for part in text.split("|"):
        kind, _, value = part.strip().partition(":")
        if kind not in KINDS or (kind in _VALUED) != bool(value):
            raise ValueError(f"无法识别的单位选择 / not a selector: {part.strip()!r}")
        if kind in ("force", "team") and value not in list(Force):
            raise ValueError(f"没有这支力量 / no such force: {value!r}")
        if kind == "organisation" and not _ID.fullmatch(value):
            raise ValueError(f"单位编号无法识别 / not the id of an organisation: {value!r}")
        found.append(Selector(kind, value))
    return tuple(found)


def pick(
    selectors: tuple[Selector, ...], where: Where, directory: Directory, excluded: frozenset[UUID] = frozenset()
) -> Picked:
    """Return the first organisation found (its successor if it ended) and how; without one, all the reasons.

    `excluded` are those complained about: they never get the case.
    """
    failed: list[Text] = []
    left_out: list[UUID] = []
    for selector in selectors:
        found = KINDS[selector.kind](where, selector.value, directory)
        now = None if found is None else directory.current(found.id)
        zh, en = WORDS[selector.kind]
        if selector.kind != "organisation" and selector.value:
            zh, en = zh + selector.value, f"{en} {selector.value}"
        if now is None:
            failed.append((f"找不到{zh}", f"{en} is not found"))
        elif now.id in excluded:
            left_out.append(now.id)
            failed.append((f"{now.name}是被投诉单位，回避", f"{now.name} is complained about and left out"))
        else:
            return Picked(now.id, _joined([*failed, (f"{zh}：{now.name}", f"{en}: {now.name}")]), tuple(left_out))
    return Picked(None, _joined(failed), tuple(left_out))


def _joined(told: list[Text]) -> Text:
    if len(told) == 1:
        return told[0]
    return "；".join(each[0] for each in told), "; ".join(each[1] for each in told)
