"""The one door: every case is opened here, in the transaction of whoever brings it (visit, alert, channel, desk)."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from tasks.cases import admission, commands, standing, store
from tasks.cases.admission import HELD
from tasks.cases.model import Case, Signal
from tasks.cases.orders import Signal as SignalOrder
from tasks.cases.problems import CaseNotFound, TransitionRefused
from tasks.cases.report import Report, Reporter, Solved
from tasks.cases.views import CaseView

__all__ = ["HELD", "Report", "Reporter", "Solved", "create", "open", "open_many", "signal"]


async def create(report: Report, actor: Actor, now: datetime) -> CaseView:
    """Open a case in a transaction of its own; of two that race with one id, both get the one case. Raises Invalid."""
    try:
        return await _create(report, actor, now)
    except asyncpg.UniqueViolationError:
        return await _create(report, actor, now)  # the other one is committed now: this finds it


async def _create(report: Report, actor: Actor, now: datetime) -> CaseView:
    async with db.transaction(actor.district):
        cases, opened, world, have = await admission.open_all([report], actor, now)
        case, directory = cases[0], world.directory
        if opened:
            legs = opened[0].legs
        else:  # it was opened before: shown to whoever may see it
            legs = await store.legs(case.id)
            scope.require(actor, "case.read", standing.ownership(case, legs, directory), CaseNotFound())
        item = have.catalogue.version(case.item, case.item_version)
        return standing.view_of(standing.situation(case, legs, item, actor, now, directory), directory)


async def signal(source: str, external_id: str, said: Signal, actor: Actor, now: datetime) -> CaseView | None:
    """Tell the case of a source key whether its cause still fires, in the caller's transaction; None if there is none.

    A closed case takes no signal: the answer is None too.
    """
    known = await store.known([], [source], [external_id])
    case_id = known.by_source.get((source, external_id))
    if case_id is None:
        return None
    try:
        return await commands.carry_out(case_id, SignalOrder(signal=said), actor, now)
    except TransitionRefused:
        return None


async def open(report: Report, actor: Actor, now: datetime) -> Case:  # noqa: A001 – `intake.open` reads as what it is
    """Open one case in the caller's transaction, or return the one this report opened before.

    Invalid (every bad field) for an unknown item, a bad text or a time in the future.
    """
    return (await open_many([report], actor, now))[0]


async def open_many(reports: Sequence[Report], actor: Actor, now: datetime) -> list[Case]:
    """Open many cases set-wise in the caller's transaction; the answer has one case per report, in order.

    The same id or (source, external id) opens one case: again, or twice in the list, answers that one.
    Invalid names the bad fields of every report (`records[3].item`; of a single one just `item`).
    """
    return (await admission.open_all(reports, actor, now))[0]
