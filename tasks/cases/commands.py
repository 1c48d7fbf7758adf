"""Commands to cases: lock the row, decide in pure code, write case, legs, trace, facts and messages at once."""

import contextlib
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.exceptions import UniqueViolationError
from msgspec import Struct
from msgspec.structs import replace

from app.identity import cipher, scope
from app.kernel import db
from app.kernel.actor import Actor, system
from app.kernel.announcing import announce
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, StaleVersion
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import (
    admission,
    checks,
    difficult_commands,
    evidence,
    facts,
    hashing,
    journal,
    merging,
    reference,
    resolving,
    standing,
    store,
    trace,
)
from tasks.cases import orders as o
from tasks.cases.catalogue import Catalogue
from tasks.cases.effects import decide
from tasks.cases.journal import Done, Sealed
from tasks.cases.model import ENDED, Case, Leg, Signal, State
from tasks.cases.problems import CaseNotFound, CommandIdReused, TransitionRefused
from tasks.cases.situation import Situation
from tasks.cases.store import CommandRow
from tasks.cases.views import CaseView


async def give(case_id: UUID, order: o.Order, actor: Actor, now: datetime) -> CaseView:
    """Give a command to a case and return the case after it.

    The same `command_id` again has no second effect and gets the same answer. Raises CaseNotFound (also when it is
    not the actor's), StaleVersion, TransitionRefused, RoleNotPermitted, LegNotFound, OrganisationUnknown,
    CommandIdReused, Invalid.
    """
    try:
        async with db.transaction(actor.district):
            return await carry_out(case_id, order, actor, now)
    except UniqueViolationError as error:
        if error.constraint_name != "case_command_pkey":
            raise
    # Another case was given this id at the same moment; that is committed now.
    raise CommandIdReused(command_id=str(order.command_id))


async def carry_out(case_id: UUID, order: o.Order, actor: Actor, now: datetime) -> CaseView:
    """Do what `give` does in the caller's transaction (a phone's push, an alert that clears)."""
    if errors := checks.faults(order, now):
        raise Invalid(errors)
    await resolving.hold(case_id, order)
    locked = await store.lock(case_id)
    if locked is None:
        raise CaseNotFound
    case, legs = locked
    directory = await grid_facts.directory(now)
    _require(case, legs, order, actor, directory)
    if order.command_id is not None:
        earlier = await store.answered(order.command_id)
        if earlier is not None:
            return _same_answer(earlier, case_id, order)
    if order.version is not None and order.version != case.version:
        raise StaleVersion(version=case.version, state=case.state.value)
    catalogue = (await reference.present()).catalogue
    order = resolving.resolved(order, directory)
    case = _under(case, order, catalogue, now)
    s = standing.situation(case, legs, catalogue.version(case.item, case.item_version), actor, now, directory)
    s = replace(s, open_children=await store.open_children(case_id))
    s = replace(s, found=await resolving.found(s, order, catalogue, directory))
    steps = _decide_all(s, order)
    view = await _write(steps, order, directory)
    await _besides(steps[0], actor, now)
    return view


def _under(case: Case, order: o.Order, catalogue: Catalogue, now: datetime) -> Case:
    """Return the case under the version of its item in force when it is accepted; it keeps that one (cases.md §2)."""
    if not isinstance(order, o.Accept) or case.state is not State.RECEIVED:
        return case
    item = catalogue.at(case.item, now)
    return case if item is None else replace(case, item_version=item.version)


def _require(case: Case, legs: tuple[Leg, ...], order: o.Order, actor: Actor, directory: Directory) -> None:
    """Raise CaseNotFound unless the case is the actor's; a citizen may join what is public of others' cases."""
    if isinstance(order, o.JoinReporter) and actor.kind == "citizen":
        if case.looked_at is None or case.state in ENDED or case.complained_about:
            raise CaseNotFound
        return
    scope.require(actor, "case.read", standing.ownership(case, legs, directory), CaseNotFound())


async def _besides(done: Done, actor: Actor, now: datetime) -> None:
    """Do what a command does beside its case: open parts and findings, tell the other case of a merger, join."""
    order, case = done.order, done.change.case
    if isinstance(order, o.Split | o.Check):
        if reports := merging.children(done.before, order, done.change):
            await admission.open_all(reports, actor, now)
    elif isinstance(order, o.Merge):
        await _tell_other(order.into, o.TakeIn(case=case.id), actor, now)
    elif isinstance(order, o.Unmerge) and done.before.case.merged_into is not None:
        await _tell_other(done.before.case.merged_into, o.TakeIn(case=case.id, merged=False), actor, now)
    elif isinstance(order, o.Rule):
        await difficult_commands.learn(case, order, actor, now)
    elif isinstance(order, o.JoinReporter):
        citizen = actor.kind == "citizen"
        await store.join(
            store.JoinedRow(
                id=new_id(),
                case_id=case.id,
                kind="citizen" if citizen else "resident",
                reporter=actor.id if citizen else None,
                name=cipher.seal(order.name) if order.name else None,
                phone=cipher.seal(order.phone) if order.phone else None,
                joined_at=now,
            )
        )
    elif isinstance(order, o.Amend) and order.place is not None:
        await store.set_place(case.id, order.place)


async def _tell_other(case_id: UUID, order: o.TakeIn, actor: Actor, now: datetime) -> None:
    """Write a merger into the other case's trace; one that is over by now has no more steps."""
    with contextlib.suppress(TransitionRefused):
        await carry_out(case_id, order, system(actor.district, "merger"), now)


def _decide_all(s: Situation, order: o.Order) -> list[Done]:
    """Return the step of the command, and what the system does at once because of it."""
    aimed, _, change = decide(s, order)
    steps = [Done(before=aimed, order=order, change=change)]
    cleared = isinstance(order, o.Signal) and order.signal is Signal.CLEAR
    # somebody else was to look at it: who was named, or a sample of what was solved on the spot
    looked_at_by_people = s.item.verification or s.case.verifier is not None or s.case.solved_at_once
    if cleared and change.case.state is State.HANDLED and not looked_at_by_people and s.open_children == 0:
        # "done" was waiting for the signal alone (cases.md §1): crew and sensor agree now
        judge = replace(
            s, case=change.case, actor=system(s.actor.district, "router"), legs=journal.merged(s.legs, change.legs)
        )
        after, _, verified = decide(judge, o.Verify(passed=True))
        steps.append(Done(before=after, order=o.Verify(passed=True), change=verified))
    return steps


class Written(Struct, frozen=True, kw_only=True):
    """The steps of one case in one transaction, and its rows after them."""

    steps: Sequence[Done]
    case: Case
    changed: tuple[Leg, ...]
    legs: tuple[Leg, ...]
    sealed: Sealed


def sealed(steps: Sequence[Done]) -> Written:
    """Return the rows that one or more steps of a case leave, their events sealed."""
    first, last = steps[0].before, steps[-1].change
    made = journal.seal(trace.Head(first.case.trace_seq, first.case.trace_hash), steps, hashing.makers())
    changed = journal.merged((), [leg for step in steps for leg in step.change.legs])
    case = replace(last.case, trace_seq=made.head.seq, trace_hash=made.head.hash)
    return Written(steps=steps, case=case, changed=changed, legs=journal.merged(first.legs, changed), sealed=made)


async def write_all(several: Sequence[Written], directory: Directory, answers: Sequence[CommandRow] = ()) -> None:
    """Write everything the steps of several cases leave, set-wise, in the caller's transaction."""
    await store.save(
        [each.case for each in several],
        [leg for each in several for leg in each.changed],
        [row for each in several for row in each.sealed.events],
        [row for each in several for row in each.sealed.texts],
        answers,
    )
    told = [facts.latest([one for step in each.steps for one in facts.of(step, directory)]) for each in several]
    steps = (step for each in several for step in each.steps)
    news = (journal.news(each.case, each.steps[0].before.legs, each.legs, directory) for each in several)
    await announce(
        [each for some in told for each in some],
        [event for step in steps for event in journal.messages(step, new_id)],
        [draft for some in news for draft in some],
    )


async def _write(steps: list[Done], order: o.Order, directory: Directory) -> CaseView:
    """Write everything the steps leave, in one transaction, and return the case as its actor sees it now."""
    first, made = steps[0].before, sealed(steps)
    item = first.found.item or first.item
    parts = first.open_children + sum(len(step.change.opens) for step in steps if isinstance(step.order, o.Split))
    after = replace(first, case=made.case, legs=made.legs, leg=None, item=item, open_children=parts)
    view = standing.view_of(after, directory)
    answers: list[CommandRow] = []
    if order.command_id is not None:
        answer: dict[str, Any] = msgspec.to_builtins(view)
        request = _digest(made.case.id, order)
        answers.append(
            CommandRow(id=order.command_id, case_id=made.case.id, request=request, answer=answer, at=first.now)
        )
    await write_all([made], directory, answers)
    await evidence.declare(getattr(order, "evidence", ()), made.case, first.actor, first.now)
    return view


def _digest(case_id: UUID, order: o.Order) -> str:
    """Return what a command asked for, without the version it saw: a repeat may have seen a newer one."""
    plain = replace(order, version=None, command_id=None, **dict.fromkeys(order.personal))
    asked = msgspec.json.encode([case_id, type(order).__name__, plain], order="sorted")
    return hashlib.sha256(asked).hexdigest()


def _same_answer(earlier: CommandRow, case_id: UUID, order: o.Order) -> CaseView:
    if earlier.case_id != case_id or earlier.request != _digest(case_id, order):
        raise CommandIdReused(command_id=str(earlier.id))
    return msgspec.convert(earlier.answer, CaseView)
