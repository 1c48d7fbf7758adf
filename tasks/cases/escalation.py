"""The escalation ladder of an item as data: when → whom → what; what a rung may say and how it is read; pure."""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from tasks.cases.deadlines import Limit, parse_limit

CLOCKS = ("sign", "arrive", "handle", "stage", "total", "request")
"""The clocks of a leg that a rung can hang on: every named stage has its own, `total` is the case's as its leads see

it, `request` is an application waiting. To verify and to call back are the case's own times (`supervision.wake_at`).
"""
_LIMITS = ("sign", "arrive", "stage", "handle", "total")
WHOM = ("organisation", "handler", "superior", "assigner", "desk", "town", "centre")
"""Whom a rung reaches: whose turn it is, the person who handles it, the organisation above, who gave the turn, the

case's desk, the centre of the town of the place (its manager reads that inbox), the district's centre.
"""
ACTS = ("urge", "notify", "supervise:1", "supervise:2", "supervise:3")
"""催办, a notice alone, or 督办 of a level."""

Moment = Literal["share", "due", "late", "daily", "urged"]
_SHARE = re.compile(r"(\w+) (\d{1,3})%")
_DUE = re.compile(r"(\w+) due(?: \+ (.+))?")
_DAILY = re.compile(r"(\w+) daily")
_URGED = re.compile(r"urged (\d{1,2})")


class Escalation(Struct, frozen=True):
    """One rung. `when`: `sign 75%`, `handle due`, `handle due + 2 work_day`, `handle daily`, `urged 3`.

    `whom` is one of `WHOM`, `what` one of `ACTS`.
    """

    when: str
    whom: str
    what: str


class When(Struct, frozen=True, kw_only=True):
    """A rung's moment, read: `share` of the clock's limit, at its `due`, `late` by a limit after it, every working

    day past it (`daily`), or once the leg was `urged` so many times.
    """

    moment: Moment
    clock: str = "handle"
    share: float = 1.0
    after: Limit | None = None
    times: int = 0


LADDER = (
    *(Escalation(f"{clock} {when}", "organisation", "urge") for clock in _LIMITS for when in ("75%", "due", "daily")),
    Escalation("handle due + 3 work_day", "organisation", "supervise:1"),
    Escalation("urged 3", "organisation", "supervise:1"),
    Escalation("request due", "assigner", "notify"),
)
"""What holds for an item that says nothing else (cases.md §5)."""


@lru_cache(256)
def parse_when(text: str) -> When:
    """Read the moment of a rung; ValueError (zh / en) for anything else."""
    if found := _SHARE.fullmatch(text):
        if 1 <= int(found[2]) <= 100:
            return When(moment="share", clock=_clock(found[1]), share=int(found[2]) / 100)
    elif found := _DUE.fullmatch(text):
        after = None if found[2] is None else parse_limit(found[2])
        return When(moment="due" if after is None else "late", clock=_clock(found[1]), after=after)
    elif found := _DAILY.fullmatch(text):
        return When(moment="daily", clock=_clock(found[1]))
    elif (found := _URGED.fullmatch(text)) and int(found[1]):
        return When(moment="urged", times=int(found[1]))
    raise ValueError(f"升级时点无法识别：{text!r} / not a moment of a ladder: {text!r}")


def _clock(name: str) -> str:
    if name not in CLOCKS:
        raise ValueError(f"没有这个时钟：{name!r} / no such clock: {name!r}")
    return name


def checked(rung: Escalation) -> Escalation:
    """Return the rung if all of it is understood; ValueError (zh / en) otherwise."""
    parse_when(rung.when)
    if rung.whom not in WHOM:
        raise ValueError(f"升级对象无法识别：{rung.whom!r} / nobody a ladder reaches: {rung.whom!r}")
    if rung.what not in ACTS:
        raise ValueError(f"升级措施无法识别：{rung.what!r} / nothing a ladder does: {rung.what!r}")
    return rung


def read(text: str) -> tuple[Escalation, ...]:
    """Read `handle 75% > organisation > urge; handle due > centre > notify`; ValueError (zh / en)."""
    rungs: list[Escalation] = []
    for part in filter(None, (each.strip() for each in text.split(";"))):
        said = [each.strip() for each in part.split(">")]
        if len(said) != 3:
            raise ValueError(f"升级梯级须写成“时点 > 对象 > 措施”：{part!r} / write a rung as “when > whom > what”")
        rungs.append(checked(Escalation(*said)))
    return tuple(rungs)


def write(ladder: tuple[Escalation, ...]) -> str:
    """Write a ladder as `read` reads it."""
    return "; ".join(f"{each.when} > {each.whom} > {each.what}" for each in ladder)
