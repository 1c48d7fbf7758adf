"""Figures of cases: how long handling takes, how much of it in time, what came back; each defined here; pure.

All are about the cases *received* in a period (a cohort: open ones stay in it), within the reader's reach.

- `cases`: all of them. `handled`: those whose work was handed in and not taken back since (`handled_at`).
- handling time: from receiving to handing in, wall-clock hours; mean, median and 90th percentile (interpolated), of
  those handled. Cases solved on the spot (`solved_on_the_spot`) took no handling and are left out of the times: they
  would flatter the mean. This is the district's own headline (mean handling time down from 56 h to 31 h).
- `on_time_share`: of the turns of the lead that are decided - handed in, or not handed in although due by now - the
  share handed in by its due (extensions and suspensions granted move the due; the limit of the whole case caps it).
- `returns` (退单), `reworks` (返工: failed verifications), `redos` (重办: after a call-back), `reopens`: how many.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

GROUPS: dict[str, tuple[str, str]] = {
    "item": ('c.item collate "C"', "f.key"),
    "town": ('c.town collate "C"', "f.key"),
    "organisation": ("c.last_lead", "f.key::text"),
    "source": ('c.source collate "C"', "f.key"),
    "month": ("date_trunc('month', c.received_at at time zone 'Asia/Shanghai')", "to_char(f.key, 'YYYY-MM')"),
}
"""By what figures are given → the key of a case as it is sorted, and as it is shown.

The lead stands for the organisation; months are local ones. Nothing is sorted by the rules of a language: that is slow.
"""


class Asked(Struct, frozen=True, kw_only=True):
    """Of which cases figures are wanted; everything left out is not asked."""

    group_by: str
    since: datetime
    until: datetime
    item: str | None = None
    source: str | None = None
    severity: str | None = None
    area: str | None = None
    lead: UUID | None = None


class Measured(Struct, frozen=True, kw_only=True):
    """What the database counted for one group; `whole` for all of them together."""

    key: str | None
    whole: bool
    cases: int
    handled: int
    solved_on_the_spot: int
    mean: float | None
    quantiles: list[float] | None
    on_time: int
    decided: int
    returns: int
    reworks: int
    redos: int
    reopens: int


class Figures(Struct, frozen=True, kw_only=True):
    """The figures of one group; a mean or share of nothing is None."""

    key: str | None
    name: str | None
    cases: int
    handled: int
    solved_on_the_spot: int
    mean_hours: float | None
    median_hours: float | None
    p90_hours: float | None
    on_time_share: float | None
    returns: int
    reworks: int
    redos: int
    reopens: int


class FiguresOf(Struct, frozen=True, kw_only=True):
    """Figures of a period: all together, and by group (most cases first; months in order)."""

    group_by: str
    since: datetime
    until: datetime
    total: Figures
    groups: tuple[Figures, ...]


def figures(found: Measured, name: str | None) -> Figures:
    """Return what was counted as figures: hours to the hundredth, shares to the ten-thousandth."""
    median, p90 = found.quantiles or (None, None)
    return Figures(
        key=found.key,
        name=name,
        cases=found.cases,
        handled=found.handled,
        solved_on_the_spot=found.solved_on_the_spot,
        mean_hours=_rounded(found.mean),
        median_hours=_rounded(median),
        p90_hours=_rounded(p90),
        on_time_share=round(found.on_time / found.decided, 4) if found.decided else None,
        returns=found.returns,
        reworks=found.reworks,
        redos=found.redos,
        reopens=found.reopens,
    )


def _rounded(hours: float | None) -> float | None:
    return None if hours is None else round(hours, 2)


def ordered(groups: list[Figures], group_by: str) -> tuple[Figures, ...]:
    """Return months in order, other groups with most cases first; what has no key comes last."""
    if group_by == "month":
        return tuple(sorted(groups, key=lambda each: each.key or ""))
    return tuple(sorted(groups, key=lambda each: (each.key is None, -each.cases, each.key or "")))
