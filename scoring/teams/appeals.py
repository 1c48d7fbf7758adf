"""An appeal (申诉) against a line or a fact: raised by the subject's leader, decided by somebody else, both visible."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, cast
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.problem import invalid
from scoring.teams.engine import PLACES, Adjustment
from scoring.teams.period import State
from scoring.teams.problems import AppealRefused, SameHandRefused

MOST_POINTS = Decimal(100)
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL has no NUL in texts."""


class Appeal(Struct, frozen=True, kw_only=True):
    """An appeal against a line (its code) or a fact (its id), never both.

    Upheld against a line it gives `points`; upheld against a fact the fact is struck out of every score of the period.
    """

    id: UUID
    score: UUID
    scheme: str
    period: str
    subject: str
    town: str | None
    line: str | None
    fact: str | None
    reason: str
    raised_by: UUID
    raised_at: datetime
    state: Literal["raised", "upheld", "dismissed"] = "raised"
    points: Decimal | None = None
    decision: str | None = None
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Upheld or not, with the reasons; points for an appeal against a line, none for one against a fact."""

    upheld: bool
    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=NO_NUL)]
    points: Decimal | None = None


def check_time(state: State, until: datetime | None, now: datetime) -> None:
    """Refuse an appeal outside of the time for it: while scores are live, and between freeze and deadline."""
    if state is State.LOCKED or (state is State.FROZEN) or (until is not None and now >= until):
        raise AppealRefused(("不在申诉期内", "this is not the time for appeals"), state=str(state))


def decide(appeal: Appeal, decision: Decision, actor: UUID, now: datetime) -> Appeal:
    """Return the appeal as decided; SameHandRefused for whoever raised it, Invalid for unfit points."""
    if appeal.state != "raised":
        raise AppealRefused(("这项申诉已有结论", "the appeal was decided already"), state=appeal.state)
    if appeal.raised_by == actor:
        raise SameHandRefused(("申诉人不能裁决自己的申诉", "nobody decides the own appeal"))
    if not 0 < len(decision.reason.strip()) <= 1000:
        raise invalid("reason", "须写明理由（1 至 1000 字）", "reasons are needed (1 to 1000 characters)")
    wants_points = decision.upheld and appeal.line is not None
    if wants_points != (decision.points is not None):
        raise invalid(
            "points",
            "支持对得分项的申诉时须填调整分，其他情况不填",
            "needed to uphold an appeal against a line, and only then",
        )
    if decision.points is not None and not (
        decision.points.is_finite()
        and 0 < decision.points.copy_abs() <= MOST_POINTS
        and cast(int, decision.points.as_tuple().exponent) >= -PLACES
    ):
        raise invalid("points", "应为不超过 100、至多 4 位小数且不为 0 的数", "at most 100, 4 places, not 0")
    return replace(
        appeal,
        state="upheld" if decision.upheld else "dismissed",
        points=decision.points,
        decision=decision.reason.strip(),
        decided_by=actor,
        decided_at=now,
    )


def effects(upheld: Sequence[Appeal], scheme: str) -> tuple[list[Adjustment], list[str]]:
    """Return what upheld appeals change in a run of a scheme: adjustments, and ids of facts struck out."""
    adjustments = [
        Adjustment(a.subject, str(a.id), a.points) for a in upheld if a.scheme == scheme and a.points is not None
    ]
    return adjustments, sorted({a.fact for a in upheld if a.fact is not None})
