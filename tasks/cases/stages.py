"""Named stages of handling (停工、处罚、拆除): each with a limit from assignment, each reached once; pure."""

from datetime import datetime

from msgspec.structs import replace

from app.kernel.problem import Invalid, invalid
from tasks.cases.deadlines import due, parse_limit
from tasks.cases.model import Case, Leg, LegKind, StageClock
from tasks.cases.situation import Situation, clocks_of, earliest


def clocks(s: Situation, leg: Leg, case: Case) -> tuple[StageClock, ...]:
    """Return the stages of a leg, due from its assignment over all pauses, never past its parent's or the total.

    What is reached stays reached; assistants, and what was solved on the spot, have no stages. What the parent reached
    counts for the leg too.
    """
    if leg.kind is LegKind.ASSIST or leg.handle_limit is None:
        return ()
    parent = None if leg.parent is None else s.find(leg.parent)
    above = {} if parent is None else {each.name: each for each in parent.stages}
    mine = {each.name: each.done_at for each in leg.stages}
    pauses = (*case.pauses, *leg.pauses)
    found: list[StageClock] = []
    for stage in clocks_of(s.item, case).stages:
        own = due(leg.assigned_at, parse_limit(stage.limit), s.calendar, pauses)
        for amount in leg.extensions:
            own = due(own, parse_limit(amount), s.calendar, pauses)
        higher = above.get(stage.name)
        until = earliest(own, case.total_due, None if higher is None else higher.due) or own
        done = mine.get(stage.name) or (None if higher is None else higher.done_at)
        found.append(StageClock(name=stage.name, limit=stage.limit, due=until, done_at=done))
    return tuple(found)


def fault(leg: Leg, name: str) -> Invalid | None:
    """Return what is wrong with reaching a stage: the leg has none of that name, or it was reached before."""
    stage = next((each for each in leg.stages if each.name == name), None)
    if stage is None:
        names = "、".join(each.name for each in leg.stages) or "–"
        return invalid("stage", f"没有这个阶段；有：{names}", f"no such stage; there are: {names}")
    if stage.done_at is not None:
        return invalid("stage", "该阶段已完成", "this stage was reached before")
    return None


def marked(leg: Leg, name: str, at: datetime) -> Leg:
    """Return a leg with a stage reached; unchanged where it has no such stage, or it was reached before."""
    stages = tuple(
        replace(each, done_at=at) if each.name == name and each.done_at is None else each for each in leg.stages
    )
    return replace(leg, stages=stages)


def above(s: Situation, leg: Leg, name: str) -> tuple[Leg, ...]:
    """Return the open legs above one, with a stage it reached: what the squadron did is done for its town."""
    found: list[Leg] = []
    while leg.parent is not None and (parent := s.find(leg.parent)) is not None:
        leg = parent
        if leg.open and any(each.name == name and each.done_at is None for each in leg.stages):
            found.append(marked(leg, name, s.now))
    return tuple(found)
