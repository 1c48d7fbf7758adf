"""Periods by name (2026-10, 2026-Q4, 2026), their instants, and the life of one as a table with a chained record."""

import hashlib
import re
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from app.kernel.problem import invalid
from scoring.teams.predicates import Window

Length = Literal["month", "quarter", "year"]
LENGTHS: tuple[Length, ...] = ("month", "quarter", "year")

_FORMS: tuple[tuple[Length, re.Pattern[str], int], ...] = (
    ("month", re.compile(r"(\d{4})-(0[1-9]|1[0-2])"), 1),
    ("quarter", re.compile(r"(\d{4})-Q([1-4])"), 3),
    ("year", re.compile(r"(\d{4})()"), 12),
)


class Period(Struct, frozen=True):
    """A month, quarter or year of the calendar; `code` is its name, `months` its length."""

    code: str
    length: Length
    first: date
    months: int

    def window(self, zone: tzinfo) -> Window:
        """Return [00:00 of the first day, 00:00 of the next period) in the zone, as UTC instants."""
        return Window(_midnight(self.first, zone), _midnight(_later(self.first, self.months), zone))

    def before(self) -> "Period":
        """Return the period before this one."""
        return _starting(_later(self.first, -self.months), self.length)

    def after(self) -> "Period":
        """Return the period after this one."""
        return _starting(_later(self.first, self.months), self.length)


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _starting(first: date, length: Length) -> Period:
    code = {
        "month": f"{first.year:04}-{first.month:02}",
        "quarter": f"{first.year:04}-Q{(first.month + 2) // 3}",
        "year": f"{first.year:04}",
    }[length]
    return parse(code)


def parse(code: str) -> Period:
    """Return the period of that name; ValueError for anything that is not one."""
    for length, form, months in _FORMS:
        found = form.fullmatch(code)
        if found and 2000 <= int(found[1]) < 2200:
            number = int(found[2]) if found[2] else 1
            return Period(code, length, date(int(found[1]), (number - 1) * months + 1, 1), months)
    raise ValueError(f"not a period: {code!r} (2026-10, 2026-Q4 or 2026)")


def named(code: str) -> Period:
    """Return the period of that name; Invalid, for people, when it is none."""
    try:
        return parse(code)
    except ValueError:
        raise invalid("period", "应为 2026-10、2026-Q4 或 2026", "expected 2026-10, 2026-Q4 or 2026") from None


def holding(moment: datetime, length: Length, zone: tzinfo) -> Period:
    """Return the period of that length in which the instant lies."""
    day = moment.astimezone(zone).date()
    months = {"month": 1, "quarter": 3, "year": 12}[length]
    return _starting(date(day.year, (day.month - 1) // months * months + 1, 1), length)


def present(moment: datetime, length: str, zone: str) -> Period:
    """Return the period of that length that holds the instant in the named zone; ValueError for an unknown length."""
    for known in LENGTHS:
        if known == length:
            return holding(moment, known, ZoneInfo(zone))
    raise ValueError(f"not a length of period: {length!r}")


class State(StrEnum):
    """Where a period stands (考评周期)."""

    OPEN = "open"
    FROZEN = "frozen"
    APPEAL = "appeal"
    LOCKED = "locked"
    REOPENED = "reopened"


class Step(StrEnum):
    """What can be done to a period."""

    FREEZE = "freeze"
    INVITE = "invite"
    LOCK = "lock"
    REOPEN = "reopen"


STEPS: tuple[tuple[State, Step, State], ...] = (
    (State.OPEN, Step.FREEZE, State.FROZEN),
    (State.FROZEN, Step.INVITE, State.APPEAL),
    (State.APPEAL, Step.LOCK, State.LOCKED),
    (State.LOCKED, Step.REOPEN, State.REOPENED),
    (State.REOPENED, Step.FREEZE, State.FROZEN),
)
"""From, step, to; nothing else is possible. `invite` opens the time for appeals."""

LIVE = frozenset({State.OPEN, State.REOPENED})
"""States in which scores follow the facts; in the others they follow the watermark of the freeze."""


def next_state(state: State, step: Step) -> State | None:
    """Return the state the step leads to, or None when it is not possible now."""
    return next((target for source, name, target in STEPS if source is state and name is step), None)


def possible(state: State) -> tuple[Step, ...]:
    """Return what can be done in the state."""
    return tuple(name for source, name, _ in STEPS if source is state)


class Link(Struct, frozen=True, kw_only=True):
    """One entry of a period's record; `hash` covers all the rest and the entry before it."""

    period: str
    seq: int
    at: datetime
    actor: UUID
    type: str
    body: dict[str, str]
    previous: str
    hash: str = ""


def seal(link: Link) -> Link:
    """Return the link with its hash: SHA-256 over the canonical JSON of all its other fields."""
    content = msgspec.to_builtins(msgspec.structs.replace(link, at=link.at.astimezone(UTC)))
    del content["hash"]
    digest = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
    return msgspec.structs.replace(link, hash=digest)


def broken(links: list[Link]) -> int | None:
    """Return the number of the first link that does not fit its hash or its predecessor, None for a sound chain."""
    previous = ""
    for number, link in enumerate(links, 1):
        if link.seq != number or link.previous != previous or seal(link).hash != link.hash:
            return number
        previous = link.hash
    return None
