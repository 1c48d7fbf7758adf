"""What becomes of a turn (环节) in the demo: signed or returned, handed down, worked on, submitted, confirmed."""

from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from app.demo.activity import pace
from app.demo.activity.cast import Cast
from app.demo.activity.course import Course
from app.kernel.actor import Actor
from grid.organisations import Force, Kind, Organisation
from media.evidence import EvidenceRef
from tasks.cases import orders as o
from tasks.cases.model import Case, Leg, LegKind, LegState, State
from tasks.cases.replay import Given

RETURNED, WITHDRAWN, EXTENDED, SUSPENDED, SENT_BACK, ASSISTED, PROGRESS = 0.025, 0.006, 0.035, 0.006, 0.03, 0.02, 0.3
HANDED_DOWN = 0.8
FORCES = (Force.ENFORCEMENT, Force.GRID, Force.POLICE)
FORCE_WEIGHTS = (4, 4, 2)
OUTCOMES = ("solved", "explained", "unsolvable")
OUTCOME_WEIGHTS = (90, 9, 1)
RESULTS = {
    "solved": "已到现场处置完毕，问题解决。",
    "explained": "已核实并向诉求人解释说明。",
    "unsolvable": "现有条件下无法解决，已说明原因。",
}


def plan(course: Course, case: Case, legs: tuple[Leg, ...]) -> Given | None:
    """Return the next step of the newest open turn: what is below is done before what is above."""
    leg = max((leg for leg in legs if leg.open), key=lambda leg: leg.ordinal, default=None)
    if leg is None:
        return None
    if leg.state is LegState.UNSIGNED:
        return _unsigned(course, case, leg, legs)
    if leg.state is LegState.SIGNED:
        return _signed(course, case, leg, legs)
    return _submitted(course, leg, legs)


def somebody_else(random: Random, case: Case, legs: tuple[Leg, ...], cast: Cast) -> UUID:
    """Return an organisation for a case that lost its lead: its town, else another department."""
    had = {leg.organisation for leg in legs}
    town = None if case.town is None else cast.directory.find(Kind.TOWN_CENTRE, case.town)
    if town is not None and town.id not in had:
        return town.id
    others = cast.directory.all(Kind.DEPARTMENT, cast.centre.area)
    return random.choice([each for each in others if each.id not in had] or others).id


def _assigner(course: Course, leg: Leg) -> Actor:
    return course.person(leg.assigner or course.cast.centre.id)


def _unsigned(course: Course, case: Case, leg: Leg, legs: tuple[Leg, ...]) -> Given | None:
    random, worker = course.random, course.person(leg.organisation)
    at = pace.by(random, leg.assigned_at, course.after, leg.sign_due, course.cast.skill(leg.organisation))
    root = leg.kind is LegKind.ROOT
    if root and case.state is State.ASSIGNED and course.once(leg, "withdrawn", WITHDRAWN):
        return Given(at, course.person(course.cast.centre.id), o.Withdraw(reason="诉求人表示问题已自行解决。"))
    if root and not leg.final and not _worked(leg, legs) and course.once(leg, "returned", RETURNED):
        return Given(at, worker, o.Return(leg=leg.id, reason="不属于本单位职责范围，建议由属地或主管部门处理。"))
    return Given(at, worker, o.Sign(leg=leg.id))


def _worked(leg: Leg, legs: tuple[Leg, ...]) -> bool:
    """Whether work was recorded in a turn or anywhere below it: then it is not returned."""
    return leg.worked or any(_worked(each, legs) for each in legs if each.parent == leg.id)


def _signed(course: Course, case: Case, leg: Leg, legs: tuple[Leg, ...]) -> Given | None:
    if leg.pending is not None:
        return _asked(course, leg)
    below = _hand_down(course, case, leg, legs)
    return below or _more_time(course, case, leg) or _work(course, leg) or _submit(course, case, leg, legs)


def _asked(course: Course, leg: Leg) -> Given:
    at, clerk = course.soon(1.5), _assigner(course, leg)
    if leg.pending is not None and leg.pending.until is not None and leg.pending.until <= at:
        return Given(at, clerk, o.Refuse(leg=leg.id, reason="所请时间已过。"))
    granted = course.random.random() < 0.85
    order = o.Grant(leg=leg.id) if granted else o.Refuse(leg=leg.id, reason="请在原时限内办结。")
    return Given(at, clerk, order)


def _hand_down(course: Course, case: Case, leg: Leg, legs: tuple[Leg, ...]) -> Given | None:
    """A town hands most of its cases to a team or station, a force unit all of them to one of its teams."""
    if leg.kind is LegKind.ASSIST or any(each.parent == leg.id and each.kind is LegKind.INNER for each in legs):
        return None
    here = course.cast.directory.by_id[leg.organisation]
    chance = {Kind.TOWN_CENTRE: HANDED_DOWN, Kind.FORCE_UNIT: 1.0}.get(here.kind, 0.0)
    to = _below(course, case, here) if course.once(leg, "handed", chance) else None
    if to is None or not course.cast.of(to.id):
        return None
    return Given(course.soon(0.3), course.person(here.id), o.Delegate(leg=leg.id, to=to.id))


def _below(course: Course, case: Case, here: Organisation) -> Organisation | None:
    random, cast = course.random, course.cast
    if here.kind is Kind.FORCE_UNIT:
        return cast.pick(random, Kind.TEAM, here.area, here.force)
    if random.random() < 0.3:
        return None if case.cell is None else cast.pick(random, Kind.STATION, case.cell[:12])
    (force,) = random.choices(FORCES, FORCE_WEIGHTS)
    return cast.pick(random, Kind.TEAM, here.area, force)


def _more_time(course: Course, case: Case, leg: Leg) -> Given | None:
    """Some ask for more time, or that the clock be stopped, once."""
    if leg.kind is LegKind.ASSIST or leg.handle_due is None or case.severity != "routine":
        return None
    worker = course.person(leg.organisation)
    if not leg.extensions and course.once(leg, "extension", EXTENDED) and course.item.extension_limit > 0:
        order = o.Request(leg=leg.id, kind="extension", amount="2 work_day", reason="需协调产权单位，申请延期。")
        return Given(course.soon(2), worker, order)
    if leg.kind is LegKind.ROOT and course.once(leg, "suspension", SUSPENDED):
        at = course.soon(2)
        until = at + timedelta(days=course.random.randint(2, 5))
        order = o.Request(leg=leg.id, kind="suspension", until=until, reason="等待材料到货，申请挂起。")
        return Given(at, worker, order)
    return None


def _work(course: Course, leg: Leg) -> Given | None:
    worker, at = course.person(leg.organisation), course.soon(0.8)
    if leg.kind is LegKind.ASSIST and leg.attended_at is None:
        return Given(at, worker, o.Attend(leg=leg.id))
    if leg.arrive_due is not None and leg.arrived_at is None and leg.kind is not LegKind.ASSIST:
        skill = course.cast.skill(leg.organisation)
        return Given(
            pace.by(course.random, leg.assigned_at, course.after, leg.arrive_due, skill), worker, o.Arrive(leg=leg.id)
        )
    if course.item.domain == "dispute" and course.once(leg, "mediation", 0.8):
        settled = course.random.random() < course.cast.skill(leg.organisation) - 0.1
        order = o.Record(leg=leg.id, kind="mediation", work="已组织双方当面调解。", settled=settled)
        return Given(course.soon(3), worker, order)
    if course.once(leg, "progress", PROGRESS):
        return Given(at, worker, o.Record(leg=leg.id, work="已联系诉求人并到现场查看。"))
    return _assisted(course, leg) or _replied(course, leg)


def _assisted(course: Course, leg: Leg) -> Given | None:
    if leg.kind is LegKind.ASSIST or not course.once(leg, "assisted", ASSISTED):
        return None
    others = [
        each
        for each in course.cast.directory.all(Kind.DEPARTMENT, course.cast.centre.area)
        if each.id != leg.organisation
    ]
    order = o.AskAssist(leg=leg.id, to=course.random.choice(others).id)
    return Given(course.soon(0.5), course.person(leg.organisation), order)


def _replied(course: Course, leg: Leg) -> Given | None:
    if leg.urges == 0 or not course.once(leg, f"replied-{leg.urges}", 0.6):
        return None
    order = o.Reply(leg=leg.id, answer="已安排人员加快办理。")
    return Given(course.soon(0.8), course.person(leg.organisation), order)


def _submit(course: Course, case: Case, leg: Leg, legs: tuple[Leg, ...]) -> Given:
    random, worker = course.random, course.person(leg.organisation)
    below = any(each.parent == leg.id and each.state is LegState.CONFIRMED for each in legs)
    if below:  # the work is done: only handing it up is left
        at = course.soon(0.4)
    else:
        at = pace.by(random, leg.assigned_at, course.after, leg.handle_due, course.cast.skill(leg.organisation))
    (outcome,) = random.choices(OUTCOMES, OUTCOME_WEIGHTS)
    outcome = case.outcome if below and case.outcome in RESULTS else outcome
    evidence = tuple(_photo(random, at) for _ in range(course.item.evidence_at_handling))
    order = o.Submit(leg=leg.id, result=RESULTS[outcome], outcome=outcome, evidence=() if below else evidence)
    return Given(at, worker, order)


def _photo(random: Random, at: datetime) -> EvidenceRef:
    """Evidence that was never uploaded to this system: its number is counted, its files stayed elsewhere."""
    bits = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | random.getrandbits(12) << 64
    identifier = UUID(int=bits | 0b10 << 62 | random.getrandbits(62))
    return EvidenceRef(id=identifier, sha256=f"{random.getrandbits(256):064x}", size=1, media_type="image/jpeg")


def _submitted(course: Course, leg: Leg, legs: tuple[Leg, ...]) -> Given:
    """What was handed up is confirmed or sent back by whose turn is above, not by the desk that asked for help."""
    above = next((each.organisation for each in legs if each.id == leg.parent), course.cast.centre.id)
    parent = course.person(above)
    if leg.kind is LegKind.INNER and leg.reworks == 0 and course.once(leg, "sent back", SENT_BACK):
        return Given(course.soon(0.8), parent, o.SendBack(leg=leg.id, reason="处置照片不清晰，请补充后重新提交。"))
    return Given(course.soon(0.5), parent, o.Confirm(leg=leg.id))
