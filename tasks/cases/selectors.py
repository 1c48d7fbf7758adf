"""Selectors of an organisation: `town`, `department:交通运输局`, `force:enforcement`, with fall-backs by `|`; pure."""

from collections.abc import Callable
from functools import cache
from uuid import UUID

from msgspec import Struct

from grid.organisations import Directory, Force, Kind, Organisation

Text = tuple[str, str]


class Selector(Struct, frozen=True):
    """How one organisation is found; `value` is a name, a code, a force or an id."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind


class Where(Struct, frozen=True):
    """What selectors look at: the place and the sender."""

    area: str
    town: str | None
    cell: str | None
    sender: UUID | None


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


def _centre(_: Where, __: str, directory: Directory) -> Organisation | None:
    return directory.centre()


KINDS: dict[str, Callable[[Where, str, Directory], Organisation | None]] = {
    "organisation": _by_id,
    "department": _department,
    "town": _of_place(Kind.TOWN_CENTRE),
    "station": _of_place(Kind.STATION),
    "squad": _of_place(Kind.SQUAD),
    "force": _force(Kind.FORCE_UNIT),
    "team": _force(Kind.TEAM),
    "sender": _sender,
    "centre": _centre,
}
WORDS: dict[str, Text] = {
    "organisation": ("指定单位", "the organisation named"),
    "department": ("主管部门", "the department"),
    "town": ("属地镇街", "the town of the place"),
    "station": ("属地村社", "the station of the place"),
    "squad": ("网格小分队", "the squad of the cell"),
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
        if kind == "organisation":
            UUID(value)
        found.append(Selector(kind, value))
    return tuple(found)


def pick(
    selectors: tuple[Selector, ...],
    area: str,
    town: str | None,
    cell: str | None,
    sender: UUID | None,
    directory: Directory,
    excluded: frozenset[UUID] = frozenset(),
) -> tuple[UUID | None, Text]:
    """Return the first organisation found (its successor if it ended) and how; None with the reasons if there is none.

    `excluded` are those complained about: they never get the case.
    """
    where = Where(area, town, cell, sender)
    failed: list[Text] = []
    for selector in selectors:
        zh, en = WORDS[selector.kind]
        zh, en = (f"{zh}{selector.value}", f"{en} {selector.value}".strip())
        found = KINDS[selector.kind](where, selector.value, directory)
        now = None if found is None else directory.current(found.id)
        if now is None:
            failed.append((f"找不到{zh}", f"{en} is not found"))
        elif now.id in excluded:
            failed.append((f"{zh}是被投诉单位，回避", f"{en} is complained about and left out"))
        else:
            before = "；".join(f[0] for f in failed)
            before_en = "; ".join(f[1] for f in failed)
            return now.id, (f"{before}；{zh}：{now.name}".lstrip("；"), f"{before_en}; {en}: {now.name}".lstrip("; "))
    return None, ("；".join(f[0] for f in failed), "; ".join(f[1] for f in failed))
