"""How a case stands to whoever looks at it: whose it is, what deciding looks at, and how it is shown."""

from datetime import datetime
from uuid import UUID

from app.identity.scope import Ownership
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from grid.organisations import Directory
from tasks.cases import lifecycle, reference
from tasks.cases.catalogue import Item
from tasks.cases.model import Case, Leg
from tasks.cases.situation import Situation
from tasks.cases.views import CaseView, case_view


def ownership(case: Case, legs: tuple[Leg, ...], directory: Directory) -> Ownership:
    """Return whose a case is: of its place, of every organisation that has or had a turn, of whoever reported it."""
    named = {each for each in (case.desk, case.verifier) if each is not None}
    organisations = directory.line_of_all({leg.organisation for leg in legs} | named)
    above = directory.line_of_all({up for each in organisations for up in directory.ancestors(each)})
    persons = frozenset[UUID]() if case.reporter is None else frozenset({case.reporter})
    return Ownership(area=case.area, organisations=organisations | above, persons=persons)


def situation(
    case: Case,
    legs: tuple[Leg, ...],
    item: Item,
    actor: Actor,
    now: datetime,
    directory: Directory,
    open_children: int = 0,
) -> Situation:
    """Return what deciding on a case looks at."""
    last = None if case.last_lead is None else directory.current(case.last_lead)
    return Situation(
        case=case,
        legs=legs,
        item=item,
        actor=actor,
        now=now,
        calendar=reference.calendar(),
        fresh=new_id,
        last_lead_now=None if last is None else last.id,
        directory=directory,
        open_children=open_children,
    )


def view_of(s: Situation, directory: Directory) -> CaseView:
    """Return the case as the actor of the situation sees it."""
    allowed = tuple(lifecycle.possible(s))
    return case_view(s.case, s.legs, s.item, directory, s.calendar, allowed)
