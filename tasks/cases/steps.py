"""What a row of the case's table does to the case and its open legs, whatever the command adds to it; pure."""

from typing import Any

from msgspec.structs import replace

from tasks.cases import legs as l
from tasks.cases.lifecycle import Before, CaseStep
from tasks.cases.model import Case, Leg
from tasks.cases.situation import Situation


def moved(s: Situation, step: CaseStep, **changed: Any) -> Case:
    """Return the case in the row's state, changed besides."""
    target = (s.case.before or s.case.state) if isinstance(step.target, Before) else step.target
    return replace(s.case, state=target, **changed)


def ended_by(s: Situation, step: CaseStep) -> tuple[Leg, ...]:
    """Return the open legs as the row ends them."""
    return () if step.legs is None else l.end_all(s, tuple(leg for leg in s.legs if leg.open), step.legs)
