"""One matter in several cases, and several matters in one: merging (并案), taking apart, splitting (拆分); pure."""

from uuid import UUID

from app.kernel.crs import Datum, Place
from tasks.cases import orders as o
from tasks.cases.lifecycle import CaseStep
from tasks.cases.model import Case, Change
from tasks.cases.report import Report, Reporter
from tasks.cases.situation import Situation
from tasks.cases.steps import ended_by, moved


def merge(s: Situation, order: o.Merge, step: CaseStep) -> Change:
    """并案: its open legs end; whoever reported is told of the other case from now on."""
    ended = ended_by(s, step)
    said = {"into": str(order.into), "ended": [str(leg.id) for leg in ended]}
    return Change(case=moved(s, step, merged_into=order.into, withdrawal_asked=False), legs=ended, body=said)


def unmerge(s: Situation, _: o.Unmerge, step: CaseStep) -> Change:
    """撤销并案: back to whoever accepts or assigns it."""
    return Change(case=moved(s, step, merged_into=None), body={"out_of": str(s.case.merged_into)})


def take_in(s: Situation, order: o.TakeIn, step: CaseStep) -> Change:
    """Another case is handled with this one, or no longer is."""
    return Change(case=moved(s, step), body={"case": str(order.case), "merged": order.merged})


def split(s: Situation, order: o.Split, step: CaseStep) -> Change:
    """拆分: the parts are cases below this one."""
    opens = tuple(s.fresh() for _ in order.children)
    return Change(case=moved(s, step), opens=opens, body={"opens": [str(each) for each in opens]})


def children(s: Situation, order: o.Order, change: Change) -> list[Report]:
    """Return what a command opens, as reports that are routed like any other; its reporter is who gave the command.

    The parts of a case hold it open (`parent`); what an inspection found does not (`origin`).
    """
    if isinstance(order, o.Split):
        return [_part(s, child, id_, parent=s.case.id) for child, id_ in zip(order.children, change.opens, strict=True)]
    if isinstance(order, o.Check) and order.finding is not None:
        return [_part(s, order.finding, change.opens[0], origin=s.case.id)]
    return []


def _part(s: Situation, child: o.Child, id_: UUID, parent: UUID | None = None, origin: UUID | None = None) -> Report:
    case = s.case
    return Report(
        source="split" if origin is None else "inspection",
        item=child.item,
        id=id_,
        title=child.title,
        description=child.description,
        reporter=Reporter(kind="organisation" if origin is None else "worker", id=s.actor.id),
        place=child.place or _place(case),
        address=child.address or case.address,
        severity=child.severity,
        attributes=child.attributes,
        evidence=child.evidence,
        parent=parent,
        origin=origin,
        sender=s.acting_organisation,
        desk=case.desk,
        complained_about=case.complained_about if origin is None else (),
    )


def _place(case: Case) -> Place | None:
    return None if case.lon is None or case.lat is None else Place(lon=case.lon, lat=case.lat, datum=Datum.WGS84)
