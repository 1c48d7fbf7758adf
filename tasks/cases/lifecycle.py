"""The two tables of transitions, and the only look-up in them: no other code sets a state of a case or leg; pure."""

from collections.abc import Sequence

from msgspec import Struct, structs

from tasks.cases import guards as g
from tasks.cases import orders as o
from tasks.cases.guards import Guard
from tasks.cases.model import Leg, LegKind, LegState, Part, State
from tasks.cases.orders import LegOrder, Order
from tasks.cases.problems import LegNotFound, RoleNotPermitted, TransitionRefused
from tasks.cases.situation import Situation


class Before(Struct, frozen=True):
    """Target of a row that leads back to the state before."""


BEFORE = Before()


class CaseStep(Struct, frozen=True):
    """A row of the case's table; `legs` is what becomes of its open legs."""

    source: State
    on: type[Order]
    target: State | Before
    who: frozenset[Part]
    when: Guard | None = None
    legs: LegState | None = None


class LegStep(Struct, frozen=True):
    """A row of the legs' table; `case`: the case's next state; `below`: what becomes of the open legs below."""

    kinds: frozenset[LegKind]
    source: LegState
    on: type[LegOrder]
    target: LegState
    who: frozenset[Part]
    when: Guard | None = None
    case: State | None = None
    below: LegState | None = None


# ---- who

_DESKS = frozenset({Part.DESK, Part.CENTRE})
_DESKS_SYSTEM = _DESKS | {Part.SYSTEM}
_DESKS_CLERK = _DESKS | {Part.CLERK}
_PASS_ON = _DESKS_SYSTEM | {Part.CLERK}
_REPORTER = frozenset({Part.REPORTER})
_ASSIGNER = frozenset({Part.ASSIGNER})
_WORKERS = frozenset({Part.LEAD, Part.ASSISTANT})
_LEAD = frozenset({Part.LEAD})
_ASSISTANT = frozenset({Part.ASSISTANT})
_SYSTEM = frozenset({Part.SYSTEM})
_CENTRE = frozenset({Part.CENTRE})
_CENTRE_SYSTEM = _CENTRE | _SYSTEM
_PARENT = frozenset({Part.PARENT})
_NEIGHBOURS = _DESKS | {Part.NEIGHBOUR}
_VERIFIERS = frozenset({Part.VERIFIER, Part.SYSTEM})
_REVIEWER = frozenset({Part.REVIEWER})
_ANYBODY_CONCERNED = _DESKS | {Part.REPORTER, Part.LEAD, Part.ASSISTANT, Part.ASSIGNER, Part.SYSTEM}
_S, _L = State, LegState

OPEN_STATES = (
    _S.RECEIVED, _S.ACCEPTED, _S.ASSIGNED, _S.HANDLING, _S.DISPUTED, _S.SUSPENDED, _S.HANDLED, _S.CALLING_BACK,
)  # fmt: skip

CASE_STEPS: tuple[CaseStep, ...] = (  # the first row whose guard holds counts
    CaseStep(_S.RECEIVED, o.Accept, _S.ACCEPTED, _PASS_ON),
    CaseStep(_S.RECEIVED, o.Reject, _S.REJECTED, _DESKS, g.NO_CHILD),
    CaseStep(_S.RECEIVED, o.Close, _S.CLOSED, _CENTRE, g.FREE),
    CaseStep(_S.RECEIVED, o.Merge, _S.MERGED, _DESKS, g.FIT_TO_TAKE_IN),
    CaseStep(_S.RECEIVED, o.Withdraw, _S.WITHDRAWN, _DESKS | _REPORTER, g.NO_CHILD),
    CaseStep(_S.REJECTED, o.Appeal, _S.RECEIVED, _REPORTER, g.ONCE),
    CaseStep(_S.REJECTED, o.Archive, _S.ARCHIVED, _DESKS_SYSTEM),
    CaseStep(_S.ACCEPTED, o.Assign, _S.ASSIGNED, _PASS_ON, g.UNBIASED),
    CaseStep(_S.ACCEPTED, o.Close, _S.CLOSED, _CENTRE, g.FREE),
    CaseStep(_S.ACCEPTED, o.Merge, _S.MERGED, _DESKS, g.FIT_TO_TAKE_IN),
    CaseStep(_S.ACCEPTED, o.Withdraw, _S.WITHDRAWN, _DESKS | _REPORTER, g.NO_CHILD),
    CaseStep(_S.ASSIGNED, o.Merge, _S.MERGED, _DESKS, g.FIT_TO_TAKE_IN, _L.RECALLED),
    CaseStep(_S.ASSIGNED, o.Withdraw, _S.WITHDRAWN, _DESKS | _REPORTER, g.NO_CHILD, _L.RECALLED),
    CaseStep(_S.HANDLING, o.Suspend, _S.SUSPENDED, _DESKS | _ASSIGNER),
    CaseStep(_S.HANDLING, o.Merge, _S.MERGED, _DESKS, g.FIT_TO_TAKE_IN, _L.RECALLED),
    CaseStep(_S.HANDLING, o.Withdraw, _S.WITHDRAWN, _ASSIGNER, g.NO_CHILD, _L.RECALLED),  # a grant, where it was asked
    CaseStep(_S.HANDLING, o.Withdraw, _S.WITHDRAWN, _DESKS, g.NOT_ASKED_NO_CHILD, _L.RECALLED),
    CaseStep(_S.HANDLING, o.Withdraw, _S.HANDLING, _REPORTER, g.NOT_ASKED),  # a request the root's assigner decides
    CaseStep(_S.HANDLING, o.RefuseWithdrawal, _S.HANDLING, _ASSIGNER, g.ASKED),
    CaseStep(_S.DISPUTED, o.Rule, _S.ASSIGNED, _DESKS_CLERK, g.UNBIASED),
    CaseStep(_S.SUSPENDED, o.Resume, BEFORE, _DESKS_SYSTEM | _ASSIGNER),
    CaseStep(_S.HANDLED, o.AssignVerifier, _S.HANDLED, _DESKS_CLERK, g.FIT_TO_VERIFY),
    CaseStep(_S.HANDLED, o.Verify, _S.CALLING_BACK, _VERIFIERS, g.PASSED_CALL, _L.CONFIRMED),
    CaseStep(_S.HANDLED, o.Verify, _S.CLOSED, _VERIFIERS, g.PASSED, _L.CONFIRMED),
    CaseStep(_S.HANDLED, o.Verify, _S.ASSIGNED, _VERIFIERS, g.FAILED_REDO, _L.RECALLED),
    CaseStep(_S.HANDLED, o.Verify, _S.ACCEPTED, _VERIFIERS, g.FAILED, _L.RECALLED),
    CaseStep(_S.CALLING_BACK, o.Rate, _S.CLOSED, _DESKS | _REPORTER, g.SATISFIED, _L.CONFIRMED),
    CaseStep(_S.CALLING_BACK, o.Rate, _S.CLOSED, _CENTRE, g.UNSATISFIED_CLOSE, _L.CONFIRMED),
    CaseStep(_S.CALLING_BACK, o.Rate, _S.ASSIGNED, _DESKS | _REPORTER, g.UNSATISFIED_REDO, _L.RECALLED),
    CaseStep(_S.CALLING_BACK, o.Rate, _S.ACCEPTED, _DESKS | _REPORTER, g.UNSATISFIED, _L.RECALLED),
    CaseStep(_S.CALLING_BACK, o.CloseUnrated, _S.CLOSED, _SYSTEM, g.TIMED_OUT, _L.CONFIRMED),
    CaseStep(_S.CLOSED, o.Reopen, _S.ASSIGNED, _CENTRE_SYSTEM | _REPORTER, g.REOPEN_REDO),
    CaseStep(_S.CLOSED, o.Reopen, _S.ACCEPTED, _CENTRE_SYSTEM | _REPORTER, g.REOPEN),
    CaseStep(_S.CLOSED, o.Archive, _S.ARCHIVED, _DESKS_SYSTEM),
    CaseStep(_S.MERGED, o.Unmerge, _S.ACCEPTED, _DESKS, g.ACCEPTED),
    CaseStep(_S.MERGED, o.Unmerge, _S.RECEIVED, _DESKS, g.NEVER_ACCEPTED),
    CaseStep(_S.MERGED, o.Archive, _S.ARCHIVED, _DESKS_SYSTEM),
    CaseStep(_S.WITHDRAWN, o.Archive, _S.ARCHIVED, _DESKS_SYSTEM),
    *(CaseStep(state, o.ReviewDossier, state, _REVIEWER) for state in (_S.CALLING_BACK, _S.CLOSED)),
    *(CaseStep(state, o.Add, state, _ANYBODY_CONCERNED) for state in OPEN_STATES),
    *(CaseStep(state, o.Amend, state, _DESKS, g.AMENDS) for state in OPEN_STATES),
    *(CaseStep(state, o.JoinReporter, state, _NEIGHBOURS, g.NOT_JOINED) for state in OPEN_STATES),
    *(CaseStep(state, o.SetCaseHandler, state, _DESKS_SYSTEM, g.UNBIASED) for state in OPEN_STATES),
    *(CaseStep(state, o.Split, state, _DESKS) for state in OPEN_STATES),
    *(CaseStep(state, o.Signal, state, _SYSTEM) for state in OPEN_STATES),
    *(CaseStep(state, o.Recompute, state, _SYSTEM) for state in OPEN_STATES),
    *(CaseStep(state, o.Remind, state, _SYSTEM, g.REMINDS) for state in (_S.HANDLED, _S.CALLING_BACK)),
    *(CaseStep(state, o.TakeIn, state, _SYSTEM) for state in OPEN_STATES),
)

_ROOT, _INNER, _ASSIST = frozenset({LegKind.ROOT}), frozenset({LegKind.INNER}), frozenset({LegKind.ASSIST})
_LEADS, _BELOW, _ALL = _ROOT | _INNER, _INNER | _ASSIST, _ROOT | _INNER | _ASSIST
_OPEN = (_L.UNSIGNED, _L.SIGNED, _L.SUBMITTED)

LEG_STEPS: tuple[LegStep, ...] = (  # the first row whose guard holds counts
    LegStep(_ROOT, _L.UNSIGNED, o.Sign, _L.SIGNED, _LEAD, None, _S.HANDLING),
    LegStep(_INNER, _L.UNSIGNED, o.Sign, _L.SIGNED, _LEAD),
    LegStep(_ASSIST, _L.UNSIGNED, o.Sign, _L.SIGNED, _ASSISTANT),
    *(LegStep(_ROOT, s, o.Return, _L.RETURNED, _LEAD, g.LAST_RETURN, _S.DISPUTED) for s in (_L.UNSIGNED, _L.SIGNED)),
    *(LegStep(_ROOT, s, o.Return, _L.RETURNED, _LEAD, g.MAY_RETURN, _S.ACCEPTED) for s in (_L.UNSIGNED, _L.SIGNED)),
    *(LegStep(_BELOW, s, o.Return, _L.RETURNED, _WORKERS, g.MAY_RETURN) for s in (_L.UNSIGNED, _L.SIGNED)),
    LegStep(_LEADS, _L.SIGNED, o.Delegate, _L.SIGNED, _LEAD, g.NOT_DELEGATED),
    LegStep(_LEADS, _L.SIGNED, o.AskAssist, _L.SIGNED, _LEAD, g.UNBIASED),
    LegStep(_ALL, _L.SIGNED, o.CallUp, _L.SIGNED, _WORKERS, g.ON_THE_SPOT),
    LegStep(_ALL, _L.SIGNED, o.Record, _L.SIGNED, _WORKERS),
    LegStep(_ALL, _L.SIGNED, o.Check, _L.SIGNED, _WORKERS, g.ON_THE_LIST),
    LegStep(_ALL, _L.SIGNED, o.Arrive, _L.SIGNED, _WORKERS),
    LegStep(_ASSIST, _L.UNSIGNED, o.Attend, _L.UNSIGNED, _ASSISTANT),
    LegStep(_ASSIST, _L.SIGNED, o.Attend, _L.SIGNED, _ASSISTANT),
    LegStep(_ROOT, _L.SIGNED, o.Submit, _L.SUBMITTED, _LEAD, g.TO_VERIFY, _S.HANDLED),
    LegStep(_ROOT, _L.SIGNED, o.Submit, _L.SUBMITTED, _LEAD, g.TO_CALL_BACK, _S.CALLING_BACK),
    LegStep(_ROOT, _L.SIGNED, o.Submit, _L.CONFIRMED, _LEAD, g.TO_CLOSE, _S.CLOSED),
    LegStep(_BELOW, _L.SIGNED, o.Submit, _L.SUBMITTED, _WORKERS, g.MAY_SUBMIT),
    LegStep(_BELOW, _L.SUBMITTED, o.Confirm, _L.CONFIRMED, _PARENT),
    LegStep(_BELOW, _L.SUBMITTED, o.SendBack, _L.SIGNED, _PARENT),
    *(LegStep(_ASSIST, s, o.Waive, _L.WAIVED, _ASSIGNER) for s in _OPEN),
    *(LegStep(_ROOT, s, o.Recall, _L.RECALLED, _ASSIGNER, None, _S.ACCEPTED, _L.RECALLED) for s in _OPEN[:2]),
    *(LegStep(_BELOW, s, o.Recall, _L.RECALLED, _ASSIGNER, None, None, _L.RECALLED) for s in _OPEN),
    LegStep(_LEADS, _L.SIGNED, o.Request, _L.SIGNED, _LEAD, g.MAY_REQUEST),
    LegStep(_ROOT, _L.SIGNED, o.Grant, _L.SIGNED, _ASSIGNER, g.SUSPENDS, _S.SUSPENDED),
    LegStep(_LEADS, _L.SIGNED, o.Grant, _L.SIGNED, _ASSIGNER, g.PENDING),
    LegStep(_LEADS, _L.SIGNED, o.Refuse, _L.SIGNED, _ASSIGNER, g.PENDING),
    *(LegStep(_ALL, s, o.SetHandler, s, _WORKERS | _SYSTEM, g.UNBIASED) for s in _OPEN[:2]),
    *(LegStep(_ALL, s, o.Urge, s, _ASSIGNER | _DESKS_SYSTEM) for s in _OPEN),
    *(LegStep(_ALL, s, o.Notify, s, _SYSTEM) for s in _OPEN),
    *(LegStep(_ALL, s, o.Supervise, s, _CENTRE_SYSTEM, g.NOT_SUPERVISED) for s in _OPEN),
    *(LegStep(_ALL, s, o.Reply, s, _WORKERS, g.WAS_URGED) for s in _OPEN),
    *(LegStep(_ALL, s, o.Release, s, _CENTRE, g.SUPERVISED) for s in LegState),
)

LEG_STATES = frozenset({State.ASSIGNED, State.HANDLING})
"""Leg commands need the case in one of these; elsewhere only Reply, Release and SetHandler."""
ELSEWHERE = frozenset({o.Reply, o.Release, o.SetHandler})

Step = CaseStep | LegStep


_BY_STATE: dict[tuple[State, type[Order]], list[CaseStep]] = {}
_BY_LEG: dict[tuple[LegKind, LegState, type[Order]], list[LegStep]] = {}
for _row in CASE_STEPS:
    _BY_STATE.setdefault((_row.source, _row.on), []).append(_row)
for _step in LEG_STEPS:
    for _kind in _step.kinds:
        _BY_LEG.setdefault((_kind, _step.source, _step.on), []).append(_step)


def rows_for(s: Situation, on: type[Order]) -> Sequence[Step]:
    """Return the rows that fit the present states, whoever asks."""
    if not issubclass(on, LegOrder):
        return _BY_STATE.get((s.case.state, on), ())
    if s.leg is None or (s.case.state not in LEG_STATES and on not in ELSEWHERE):
        return ()
    return _BY_LEG.get((s.leg.kind, s.leg.state, on), ())


def _passes(row: Step, s: Situation, order: Order | None) -> bool:
    return row.when is None or row.when.test(s, order)


def _alive(leg: Leg) -> bool:
    """Whether anything can be done to a leg: one that ended under supervision is still to be released."""
    return leg.open or leg.supervised_at is not None


def possible(s: Situation) -> list[dict[str, str]]:
    """Return what the actor can do now: `[{command, leg?}]`, over the case and each leg that takes anything."""
    mine = s.parts()
    found = [
        {"command": o.name_of(on)}
        for on in o.CASE_ORDERS
        if any(row.who & mine and _passes(row, s, None) for row in rows_for(s, on))
    ]
    for leg in s.legs:
        at = structs.replace(s, leg=leg)
        parts = at.parts() if _alive(leg) else frozenset[Part]()
        found += [
            {"command": o.name_of(on), "leg": str(leg.id)}
            for on in o.LEG_ORDERS
            if parts and any(row.who & parts and _passes(row, at, None) for row in rows_for(at, on))
        ]
    return found


def aim(s: Situation, order: Order) -> Situation:
    """Return the situation with the leg the command is about: the one it names, or the only one that fits.

    LegNotFound when it names none of this case; TransitionRefused when several fit and none is named.
    """
    if not isinstance(order, LegOrder):
        return s
    if order.leg is not None:
        leg = s.find(order.leg)
        if leg is None:
            raise LegNotFound(leg=str(order.leg))
        return structs.replace(s, leg=leg)
    each = [structs.replace(s, leg=leg) for leg in s.legs if _alive(leg)]
    fitting = [at for at in each if any(row.who & at.parts() for row in rows_for(at, type(order)))]
    if len(fitting) > 1:
        raise refusal(s, order, ("有多个环节符合，请指明环节", "several legs fit: name one"))
    mine = [at for at in each if at.parts() & (_WORKERS | _ASSIGNER | _PARENT)]
    newest = max(s.legs, key=lambda leg: leg.ordinal, default=None)
    return (fitting or mine[-1:] or [structs.replace(s, leg=s.root or newest)])[0]


def refusal(s: Situation, order: Order, why: tuple[str, str] | None = None) -> TransitionRefused:
    """Return the refusal that says what is possible now."""
    return TransitionRefused(why, command=o.name_of(type(order)), state=s.case.state.value, allowed=possible(s))


def choose(s: Situation, order: Order) -> Step:
    """Return the row of the tables that holds for this command, `s` aimed at its leg.

    TransitionRefused when the states do not allow it or its guard fails; RoleNotPermitted when somebody else may.
    """
    rows = rows_for(s, type(order))
    if not rows:
        raise refusal(s, order)
    parts = s.parts()
    mine = [row for row in rows if row.who & parts]
    if not mine:
        raise RoleNotPermitted(
            command=o.name_of(type(order)),
            needs=sorted({part.value for row in rows for part in row.who}),
            allowed=possible(s),
        )
    for row in mine:
        if _passes(row, s, order):
            return row
    guard = mine[-1].when
    raise refusal(s, order, None if guard is None else guard.words)
