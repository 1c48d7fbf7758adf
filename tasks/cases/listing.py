"""What a list of cases is asked for, and what its reader may see, as conditions that an index serves."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.identity.scope import Reach
from app.kernel.problem import invalid
from grid.organisations import Directory
from tasks.cases import bigrams
from tasks.cases.model import ENDED, State

ENDED_STATES = tuple(state.value for state in ENDED)
ENDED_SQL = ", ".join(f"'{state}'" for state in ENDED_STATES)
WORDS = "c.title || ' ' || c.address || ' ' || c.description"
"""What the text search reads; the index of migration 0107 is over the same expression."""
_NUMBER = re.compile(r"(?:[A-Za-z]{2}|[0-9]{6})[0-9]{8}(?:-[0-9]{0,6})?", re.ASCII)
"""Prefix of the district, day, and what is known of the rest (`numbers.written`)."""
FEW = 12
"""Up to so many organisations are looked for one by one."""
GRAMS = f"case_grams({WORDS})"


class Filter(Struct, frozen=True, kw_only=True):
    """What a desk asks a list for; everything left out is not asked. `box`: west, south, east, north in degrees."""

    state: tuple[str, ...] = ()
    item: str | None = None
    source: str | None = None
    severity: str | None = None
    area: str | None = None
    organisation: UUID | None = None
    handler: UUID | None = None
    overdue: bool | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    box: tuple[float, float, float, float] | None = None
    parent: UUID | None = None


class Where:
    """Conditions and their arguments, in step; conditions of several branches may share one list of arguments."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.late: list[str] = []
        """Conditions tried row by row, in order, because no index may lead to them: too many rows fit."""
        self.arguments: list[Any] = []

    def bind(self, condition: str, *values: Any) -> str:
        """Return the condition with the places of its values in for each `{}`."""
        first = len(self.arguments) + 1
        self.arguments += values
        return condition.format(*(f"${first + n}" for n in range(len(values))))

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition that every branch has."""
        self.conditions.append(self.bind(condition, *values))

    def all(self, *more: str) -> str:
        """Return all conditions, and these, as one."""
        return " and ".join([*self.conditions, *more]) or "true"


class Door(Struct, frozen=True):
    """One way a case comes into sight: what is read, the condition, and whether an index gives its rows in order."""

    table: str
    condition: str
    ordered: bool = True
    organisations: tuple[UUID, ...] = ()
    """Whose legs are read, all of them; of a town's own only those of elsewhere are, and they are few."""


CASES = "cases c"
LEGS = "case_leg s join cases c on c.id = s.case_id"


def _area(where: Where, column: str, area: str) -> str:
    """Return the condition of an area and all below it, as the indexes on nine and twelve digits serve it."""
    if len(area) <= 6:
        return where.bind(column + " like {}::text || '%'", area)
    if len(area) < 9:
        return where.bind(f"left({column}, 9) like {{}}::text || '%'", area)
    digits = 12 if len(area) >= 12 else 9
    above = where.bind(f"left({column}, {digits}) = {{}}", area[:digits])
    return above if len(area) == digits else f"{above} and " + where.bind(column + " like {}::text || '%'", area)


def doors(where: Where, reach: Reach, directory: Directory) -> list[Door]:
    """Return every door the reader has; none when nothing is within reach.

    Desk and legs of a town's own area are left to the area's door: the index tells a case from elsewhere by its town.
    """
    if reach.everything:
        return [Door(CASES, "true")]
    found = [Door(CASES, _area(where, "c.area", area)) for area in reach.areas]
    organisations = sorted(holders(reach, directory))
    if organisations:
        found += _organisations(where, organisations, [area for area in reach.areas if len(area) == 9])
    if reach.person is not None:
        found.append(Door(CASES, where.bind("c.reporter = {}", reach.person)))
    return found


def holders(reach: Reach, directory: Directory) -> frozenset[UUID]:
    """Return everybody whose desk or legs are within reach: below the reader's own, and all whose work came to them."""
    own = directory.line_of_all(reach.organisations)
    return directory.line_of_all({below for each in own for below in directory.below(each)})


def _organisations(where: Where, organisations: list[UUID], towns: list[str]) -> list[Door]:
    """Return the doors of desk and legs. A few organisations get a door each: only one at a time is read in order."""
    if towns:
        home, ours = where.bind("{}", towns[0]), where.bind("{}::uuid[]", organisations)
        sides = [f"{side} {home}" for side in ("<", ">")]  # an index has no entry for "not equal"
        desks = [f"c.desk = any({ours}) and coalesce(c.town, '') {side}" for side in sides]
        turns = [Door(LEGS, f"s.organisation = any({ours}) and s.town {side}", ordered=False) for side in sides]
    elif len(organisations) > FEW:
        ours = where.bind("{}::uuid[]", organisations)
        desks, all_of_them = [f"c.desk = any({ours})"], tuple(organisations)
        turns = [Door(LEGS, f"s.organisation = any({ours})", ordered=False, organisations=all_of_them)]
    else:
        desks = ["c.desk = any(" + where.bind("{}::uuid[]", organisations) + ")"]
        turns = [
            Door(LEGS, where.bind("s.organisation = {}::uuid", each), organisations=(each,)) for each in organisations
        ]
    return [*(Door(CASES, each, ordered=False) for each in desks), *turns]


def visible(where: Where, reach: Reach, directory: Directory) -> str:
    """Return the doors as one condition on a row `c`, for whoever reads few rows or counts them all."""
    parts = [
        each.condition if each.table == CASES else f"c.id in (select s.case_id from case_leg s where {each.condition})"
        for each in doors(where, reach, directory)
    ]
    return "(" + " or ".join(parts) + ")" if parts else "false"


_OPEN_LEG = "l.state in ('unsigned', 'signed', 'submitted')"
_TURN = f"c.id in (select l.case_id from case_leg l where {_OPEN_LEG} and l.{{}} = {{{{}}}})"
_SIMPLE = {
    "item": "c.item = {}",
    "source": "c.source = {}",
    "severity": "c.severity = {}",
    "since": "c.received_at >= {}",
    "until": "c.received_at < {}",
    "parent": "c.parent = {}",
    "organisation": _TURN.format("organisation"),
    "handler": _TURN.format("handler"),
}


def check(asked: Filter) -> None:
    """Raise Invalid for what cannot be asked."""
    wrong = [state for state in asked.state if state not in list(State)]
    if wrong:
        raise invalid("state", f"没有这种状态：{wrong[0]}", f"no such state: {wrong[0]}")
    for name in ("item", "source", "severity", "text", "area"):
        if "\x00" in (getattr(asked, name) or ""):
            raise invalid(name, "含有无法查询的字符", "holds a character that cannot be looked for")
    for name in ("since", "until"):
        moment: datetime | None = getattr(asked, name)
        if moment is not None and moment.tzinfo is None:
            raise invalid(name, "时间应带时区", "a time needs its zone")
    if asked.area and not (asked.area.isascii() and asked.area.isdigit() and len(asked.area) <= 15):
        raise invalid("area", "区域代码为至多 15 位数字", "the code of an area has up to 15 digits")
    if asked.box is not None and not (asked.box[0] < asked.box[2] and asked.box[1] < asked.box[3]):
        raise invalid("box", "范围写作西,南,东,北", "a box is west,south,east,north")


def add_state(where: Where, states: Sequence[str]) -> None:
    """Add that a case is in one of these states."""
    if len(states) == 1:
        where.add("c.state = {}", states[0])
    else:
        where.add("c.state = any({}::text[])", list(states))


def _states(where: Where, states: Sequence[str]) -> None:
    """Open and rare states have partial indexes: the condition says so in their words; one is read in order."""
    add_state(where, states)
    if not set(states) & set(ENDED_STATES):
        where.add(f"c.state not in ({ENDED_SQL})")
    elif set(states) <= set(ENDED_STATES) - {State.CLOSED}:
        rare = ", ".join(f"'{state}'" for state in ENDED_STATES if state != State.CLOSED)
        where.add(f"c.state in ({rare})")


def add_filter(where: Where, asked: Filter, now: datetime) -> None:
    """Add what was asked for, but for the text."""
    for name, condition in _SIMPLE.items():
        value = getattr(asked, name)
        if value is not None:
            where.add(condition, value)
    if asked.area:
        where.conditions.append(_area(where, "c.area", asked.area))
    if asked.state:
        _states(where, asked.state)
    if asked.overdue is not None:
        where.add("c.due_at < {}" if asked.overdue else "(c.due_at is null or c.due_at >= {})", now)


def text_conditions(where: Where, text: str) -> list[str]:
    """Return the conditions of a text: every run of it occurs."""
    found: list[str] = []
    for run in bigrams.runs(text):
        words = f"lower({WORDS})" if any("a" <= sign <= "z" for sign in run) else f"({WORDS})"
        found.append(where.bind(words + " like '%' || {}::text || '%'", run))
    return found


def add_all(where: Where, asked: Filter, now: datetime) -> None:
    """Check and add everything that was asked for, for whoever counts or reads all that fits."""
    check(asked)
    add_filter(where, asked, now)
    if asked.text and not add_number(where, asked.text):
        where.add(f"{GRAMS} @> {{}}::text[]", pairs_of(asked.text))
        where.conditions += text_conditions(where, asked.text)
    if asked.box is not None:
        where.conditions.append(inside(where, asked.box))


def box_of(text: str) -> tuple[float, float, float, float]:
    """Read a box written as `west,south,east,north`."""
    west, south, east, north = (float(part) for part in text.split(","))
    return west, south, east, north


def inside(where: Where, box: tuple[float, float, float, float]) -> str:
    """Return the condition of a box: west, south, east, north in degrees, its edges included."""
    west, south, east, north = box
    return where.bind("c.lon between {} and {} and c.lat between {} and {}", west, east, south, north)


def is_number(text: str) -> bool:
    """Say whether a text is the beginning of a case's number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def add_number(where: Where, text: str) -> bool:
    """Add the beginning of a case's number, if the text is one."""
    if is_number(text):
        where.add("c.number like {}::text || '%'", text.strip().upper())
        return True
    return False


def pairs_of(text: str) -> list[str]:
    """Return the bigrams of a text. Invalid without two characters in a row: nothing leads to those."""
    found = bigrams.wanted(text)
    if not found:
        raise invalid("text", "请至少输入相连的两个字", "give at least two characters in a row")
    return found
