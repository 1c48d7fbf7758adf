"""Commands to cases: lock the row, decide in pure code, write case, legs, trace, facts and messages at once."""

import hashlib
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.exceptions import UniqueViolationError
from msgspec.structs import replace

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import changes, db, fact, outbox
from app.kernel.actor import Actor, system
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, StaleVersion
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import checks, deadlines, evidence, facts, journal, lifecycle, reference, store, trace
from tasks.cases import orders as o
from tasks.cases.catalogue import Item
from tasks.cases.effects import decide
from tasks.cases.journal import Done
from tasks.cases.model import Case, Leg, Signal, State
from tasks.cases.problems import CaseNotFound, CommandIdReused, OrganisationUnknown
from tasks.cases.situation import Situation
from tasks.cases.store import CommandRow
from tasks.cases.views import CaseView, case_view

COUNTS_CHILDREN = (o.Submit, o.Verify, o.Rate, o.Close, o.CloseUnrated)
"""Commands that may close, and so look at the children."""

_algorithm = trace.SHA256


def configure(hash_: str) -> None:
    """Set the hash of the trace from now on, by its name in hashlib; ValueError where this machine cannot."""
    global _algorithm
    offered = {trace.ALGORITHMS[name]: name for name in trace.available()}
    if hash_ not in offered:
        raise ValueError(f"trace: the OpenSSL of this machine does not offer the hash {hash_!r}")
    _algorithm = offered[hash_]


def makers() -> journal.Makers:
    """Return the makers of ids and salts used outside tests, with the hash in force."""
    return journal.Makers(new_id, lambda: secrets.token_hex(8), _algorithm)


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
    locked = await store.lock(case_id)
    if locked is None:
        raise CaseNotFound
    case, legs = locked
    directory = await grid_facts.directory(now)
    scope.require(actor, "case.read", ownership(case, legs, directory), CaseNotFound())
    if order.command_id is not None:
        earlier = await store.answered(order.command_id)
        if earlier is not None:
            return _same_answer(earlier, case_id, order)
    if order.version is not None and order.version != case.version:
        raise StaleVersion(version=case.version, state=case.state.value)
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    order = _resolved(order, directory)
    s = situation(case, legs, item, actor, now, directory)
    if isinstance(order, COUNTS_CHILDREN):
        s = replace(s, open_children=await store.open_children(case_id))
    steps = _decide_all(s, order)
    return await _write(steps, order, directory)


def ownership(case: Case, legs: tuple[Leg, ...], directory: Directory) -> Ownership:
    """Return whose a case is: of its place, of every organisation that has or had a turn, of whoever reported it."""
    organisations = {leg.organisation for leg in legs} | ({case.desk} if case.desk else set[UUID]())
    above = {up for each in organisations for up in directory.ancestors(each)}
    persons = frozenset[UUID]() if case.reporter is None else frozenset({case.reporter})
    return Ownership(area=case.area, organisations=frozenset(organisations | above), persons=persons)


def situation(
    case: Case, legs: tuple[Leg, ...], item: Item, actor: Actor, now: datetime, directory: Directory
) -> Situation:
    """Return what deciding on a case looks at."""
    last = None if case.last_lead is None else directory.current(case.last_lead)
    return Situation(
        case=case,
        legs=legs,
        item=item,
        actor=actor,
        now=now,
        calendar=deadlines.national(),
        fresh=new_id,
        last_lead_now=None if last is None else last.id,
    )


def _fit(organisation: UUID, directory: Directory) -> UUID:
    """Return who does an organisation's work today; OrganisationUnknown for nobody."""
    found = directory.current(organisation)
    if found is None:
        raise OrganisationUnknown(organisation=str(organisation))
    return found.id


def _resolved(order: o.Order, directory: Directory) -> o.Order:
    """Return the command with organisations that ended replaced by their successors."""
    if isinstance(order, o.Assign | o.Rule):
        others = tuple(_fit(each, directory) for each in order.assistants)
        return replace(order, to=_fit(order.to, directory), assistants=others)
    if isinstance(order, o.Delegate | o.AskAssist):
        return replace(order, to=_fit(order.to, directory))
    return order


def _decide_all(s: Situation, order: o.Order) -> list[Done]:
    """Return the step of the command, and what the system does at once because of it."""
    aimed, _, change = decide(s, order)
    steps = [Done(before=aimed, order=order, change=change)]
    cleared = isinstance(order, o.Tell) and order.signal is Signal.CLEAR
    if cleared and change.case.state is State.HANDLED and not s.item.verification:
        # "done" was waiting for the signal alone (cases.md §1): crew and sensor agree now
        judge = replace(
            s, case=change.case, actor=system(s.actor.district, "router"), legs=journal.merged(s.legs, change.legs)
        )
        after, _, verified = decide(judge, o.Verify(passed=True))
        steps.append(Done(before=after, order=o.Verify(passed=True), change=verified))
    return steps


async def _write(steps: list[Done], order: o.Order, directory: Directory) -> CaseView:
    """Write everything the steps leave, in one transaction, and return the case as its actor sees it now."""
    first, last = steps[0].before, steps[-1].change
    made = journal.seal(trace.Head(first.case.trace_seq, first.case.trace_hash), steps, makers())
    case = replace(last.case, trace_seq=made.head.seq, trace_hash=made.head.hash)
    changed = journal.merged((), [leg for step in steps for leg in step.change.legs])
    legs = journal.merged(first.legs, changed)
    view = view_of(replace(first, case=case, legs=legs, leg=None), directory)
    answers: list[CommandRow] = []
    if order.command_id is not None:
        answer: dict[str, Any] = msgspec.to_builtins(view)
        answers.append(
            CommandRow(
                id=order.command_id, case_id=case.id, request=_digest(case.id, order), answer=answer, at=first.now
            )
        )
    await store.save(case, changed, made.events, made.texts, answers)
    await fact.append(facts.latest([each for step in steps for each in facts.of(step, directory)]))
    await outbox.emit(*(event for step in steps for event in journal.messages(step, new_id)))
    await changes.append_many(journal.news(case, first.legs, legs))
    refs = getattr(order, "evidence", ())
    await evidence.declare(refs, case, first.actor, first.now)
    return view


def view_of(s: Situation, directory: Directory) -> CaseView:
    """Return the case as the actor of the situation sees it."""
    allowed = tuple(lifecycle.possible(s))
    return case_view(s.case, s.legs, s.item, directory, allowed)


def _digest(case_id: UUID, order: o.Order) -> str:
    """Return what a command asked for, without the version it saw: a repeat may have seen a newer one."""
    plain = replace(order, version=None, command_id=None)
    asked = msgspec.json.encode([case_id, type(order).__name__, plain], order="sorted")
    return hashlib.sha256(asked).hexdigest()


def _same_answer(earlier: CommandRow, case_id: UUID, order: o.Order) -> CaseView:
    if earlier.case_id != case_id or earlier.request != _digest(case_id, order):
        raise CommandIdReused(command_id=str(earlier.id))
    return msgspec.convert(earlier.answer, CaseView)
