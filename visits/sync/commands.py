"""Pull and push: what a phone gets and what becomes of what it did."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from traceback import format_tb
from typing import Any
from uuid import UUID

import msgspec
from asyncpg.exceptions import (
    DeadlockDetectedError,
    LockNotAvailableError,
    QueryCanceledError,
    SerializationError,
)
from msgspec import Raw, Struct

from app.identity import commands as identity
from app.identity import scope
from app.identity.devices import DeviceState
from app.kernel import changes, db
from app.kernel.actor import Actor
from app.kernel.problem import FieldError, Invalid, Problem, StaleVersion, Unavailable
from grid import facts as grid_facts
from tasks.cases.problems import TransitionRefused
from visits import buckets, visit
from visits import store as visit_store
from visits.problems import (
    AppTooOld,
    DependencyMissing,
    DeviceRetired,
    ForeignDevice,
    OpIdReused,
    TooManyOps,
    UnknownOp,
)
from visits.sync import feed, store, upcast, verdict
from visits.sync.feed import Pull, PullAnswer
from visits.sync.handlers import HANDLERS, Context
from visits.sync.store import DeviceStanding, Known, Origin, Unsettled, Waiting
from visits.sync.verdict import Op, Push, PushAnswer, Ruling, Verdict

log = logging.getLogger("visits.sync")

PASSING = (DeadlockDetectedError, LockNotAvailableError, QueryCanceledError, SerializationError)
"""Database errors that a second try may not meet."""

ACKNOWLEDGED_FOR = timedelta(days=7)


async def pull(request: Pull, actor: Actor, now: datetime) -> PullAnswer:
    """Return the next changes of every bucket the person may see, up to `limit` ops in all.

    NotPermitted, AppTooOld (426) below the minimum schema, DeviceRetired, ForeignDevice.
    """
    scope.require_any(actor, "sync.use")
    if request.app_schema < upcast.MINIMUM_PULL:
        raise AppTooOld(minimum=upcast.MINIMUM_PULL)
    async with db.transaction(actor.district):  # its own transaction: the lock on the feed's head is held for moments
        await changes.assign_positions()
    async with db.transaction(actor.district):
        await _own_device(request.device_id, actor, allow_retired=False)
        epoch = str(await changes.epoch())
        cells = await visit_store.cells_below(scope.reach(actor, "household.read").areas, actor.id)
        squads = actor.organisations | await visit_store.squads_with_turns(actor.id)
        allowed = buckets.buckets_of(actor.id, squads, cells[: feed.MAX_CELLS])
        cursors, removed = feed.cursors(request, allowed, epoch)
        pages = await _pages(cursors, request.limit)
        acknowledged = await store.acknowledged(request.device_id, now - ACKNOWLEDGED_FOR)
        await store.note_pull(request.device_id, actor.id, request.app_schema, now)
    return PullAnswer(epoch=epoch, removed_buckets=removed, buckets=pages, server_time=now, acknowledged=acknowledged)


async def _pages(cursors: dict[str, int], limit: int) -> dict[str, feed.BucketPage]:
    summaries = await changes.summary(cursors)
    quiet = feed.unchanged(cursors, summaries)
    pages: dict[str, feed.BucketPage] = {}
    for name, cursor in cursors.items():
        found = [] if name in quiet else await changes.read(name, cursor, limit + 1)
        pages[name] = feed.page(cursor, found, limit, summaries.get(name, (0, 0)))
        limit -= len(pages[name].ops)
    return pages


async def _own_device(device_id: UUID, actor: Actor, *, allow_retired: bool) -> DeviceState:
    """The device's state; ForeignDevice when it is not the actor's, DeviceRetired when that is not allowed."""
    found = await identity.device(device_id)
    if found is None or found.account != actor.id or actor.device not in (None, device_id):
        raise ForeignDevice
    if found.state is not DeviceState.ACTIVE and not allow_retired:
        raise DeviceRetired
    return found.state


class _Batch(Struct, frozen=True, kw_only=True):
    """One push on its way. `known` is what is stored of its ops and of those they depend on; it grows as we go."""

    actor: Actor
    origin: Origin
    quarantine: bool
    known: dict[UUID, Known]


async def push(request: Push, actor: Actor, now: datetime) -> PushAnswer:
    """Deal with every op in a savepoint of its own and return one verdict each, in the order sent.

    What is answered `applied` is committed. A repeat of an op gets the stored verdict, byte for byte. NotPermitted and
    ForeignDevice refuse the push as a whole.
    """
    scope.require_any(actor, "sync.use")
    items = [_read(raw, n) for n, raw in enumerate(request.ops)]
    ids = {each for op in items if isinstance(op, Op) for each in (op.op_id, *op.depends_on)}
    async with db.transaction(actor.district):
        state = await _own_device(request.device_id, actor, allow_retired=True)
        await store.claim(ids)
        origin = Origin(
            person=actor.id,
            device=request.device_id,
            app_schema=request.app_schema,
            sent_at=visit.in_utc(request.sent_at, now),
            received_at=now,
        )
        quarantine = state is not DeviceState.ACTIVE
        batch = _Batch(actor=actor, origin=origin, quarantine=quarantine, known=await store.known(ids))
        answers = [item if isinstance(item, bytes) else await _deal_with(item, batch) for item in items]
        await _release(batch, now)
        await store.note_push(request.device_id, actor.id, request.app_schema, request.pending_after, now)
    # What is stored is looked up last: an op held at first may have been released by a later one.
    final = [answer if isinstance(answer, bytes) else batch.known[answer].verdict for answer in answers]
    return PushAnswer(verdicts=tuple(Raw(each) for each in final), server_time=now)


def _read(raw: Any, n: int) -> Op | bytes:
    """The op, or the verdict on what cannot be read as one or is too much for one push."""
    op_id: UUID | None = None
    try:
        op_id = msgspec.convert(raw, verdict.OpId).op_id
        op = msgspec.convert(raw, Op)
    except msgspec.ValidationError as error:
        problem = Invalid([FieldError(f"ops[{n}]", ("无法识别的操作", str(error)))])
        return verdict.to_bytes(verdict.refused(op_id, problem))
    if b"\\u0000" in msgspec.json.encode(op):  # PostgreSQL holds no NUL in a text
        return verdict.to_bytes(verdict.refused(op_id, Invalid([FieldError(f"ops[{n}]", ("含有空字符", "holds NUL"))])))
    if n >= verdict.MAX_OPS:
        return verdict.to_bytes(verdict.refused(op_id, TooManyOps(limit=verdict.MAX_OPS), Ruling.RETRY, op.entity_id))
    return op


async def _deal_with(op: Op, batch: _Batch) -> UUID | bytes:
    """Store a verdict on the op and return its id; or the bytes of a verdict that is not stored."""
    stored, digest = batch.known.get(op.op_id), verdict.digest(op)
    if stored is not None:
        if stored.digest == digest:
            return op.op_id
        return verdict.to_bytes(verdict.refused(op.op_id, OpIdReused(), entity_id=op.entity_id))
    when = verdict.moment(op, batch.origin.sent_at, batch.origin.received_at)
    missing = tuple(each for each in op.depends_on if not _settled(each, batch))
    try:
        async with db.transaction(batch.actor.district):
            if batch.quarantine:
                answer, state = verdict.held(op, DeviceRetired()), "quarantined"
            elif missing:
                answer, state = verdict.held(op, DependencyMissing(), missing), Ruling.HELD.value
            else:
                answer = await _apply(op, Context(batch.actor, batch.origin, when))
                state = answer.verdict.value
            if answer.verdict is not Ruling.RETRY:
                await store.add(op, digest, state, verdict.to_bytes(answer), batch.origin, when)
    except PASSING as error:
        log.warning("op of type %s to be retried: %s", op.type, type(error).__name__)
        answer, state = verdict.refused(op.op_id, Unavailable(), Ruling.RETRY, op.entity_id), ""
    content = verdict.to_bytes(answer)
    if answer.verdict is Ruling.RETRY:
        return content
    batch.known[op.op_id] = Known(op_id=op.op_id, digest=digest, state=state, verdict=content)
    return op.op_id


def _settled(op_id: UUID, batch: _Batch) -> bool:
    found = batch.known.get(op_id)
    return found is not None and found.state in store.SETTLED


async def _apply(op: Op, context: Context) -> Verdict:
    """Let the op's handler work in a savepoint; whatever it refuses or trips over leaves no trace but the verdict."""
    handler = HANDLERS.get(op.type)
    if handler is None:
        return verdict.refused(op.op_id, UnknownOp(op=op.type, known=sorted(HANDLERS)), entity_id=op.entity_id)
    current = msgspec.structs.replace(op, body=upcast.upcast(op.type, op.body, context.origin.app_schema))
    try:
        async with db.transaction(context.actor.district):
            return verdict.of_effect(op, await handler(current, context))
    except Problem as problem:
        ruling = Ruling.RETRY if problem.status >= 500 else Ruling.REJECTED
        if isinstance(problem, StaleVersion | TransitionRefused):  # others were there first: a person decides
            ruling = Ruling.CONFLICT
        return verdict.refused(op.op_id, problem, ruling, op.entity_id)
    except msgspec.ValidationError as error:
        problem = Invalid([FieldError("body", ("内容不符合格式", str(error)))])
        return verdict.refused(op.op_id, problem, entity_id=op.entity_id)
    except PASSING:
        raise
    except Exception as error:  # one op must never block the others: the phone keeps it and tries again
        # Messages of errors may quote personal data, their places do not.
        log.error("op of type %s failed: %s%s", op.type, type(error).__name__, "".join(format_tb(error.__traceback__)))
        return verdict.refused(op.op_id, Problem(), Ruling.RETRY, op.entity_id)


async def _release(batch: _Batch, now: datetime) -> None:
    """Deal with held ops of the person whose dependencies have landed by now, until none is left.

    One that fails stays held for the next push to try and blocks none of the others; nor is more than a push's worth
    dealt with at once, so that no transaction grows long.
    """
    tried: set[UUID] = set()
    while len(tried) < verdict.MAX_OPS and (waiting := await store.ready(batch.actor.id, tried)):
        for each in waiting:
            tried.add(each.op_id)
            await _let_go(each, batch, now)


async def _let_go(waiting: Waiting, batch: _Batch, now: datetime) -> None:
    """Deal with one op that waited, as of the push that brought it."""
    op = msgspec.convert(waiting.op, Op)
    origin = Origin(
        person=waiting.person,
        device=waiting.device,
        app_schema=waiting.app_schema,
        sent_at=waiting.sent_at,
        received_at=waiting.received_at,
    )
    when = verdict.moment(op, origin.sent_at, origin.received_at)
    try:
        async with db.transaction(batch.actor.district):
            answer = await _apply(op, Context(batch.actor, origin, when))
    except PASSING as error:
        log.warning("held op of type %s to be retried: %s", op.type, type(error).__name__)
        return
    if answer.verdict is Ruling.RETRY:
        return
    content = verdict.to_bytes(answer)
    await store.settle(op.op_id, answer.verdict.value, content, now)
    known = Known(op_id=op.op_id, digest=verdict.digest(op), state=answer.verdict.value, verdict=content)
    batch.known[op.op_id] = known


async def unsettled(actor: Actor, before: UUID | None, limit: int, now: datetime) -> list[Unsettled]:
    """Return what was held, quarantined, in conflict or rejected, of the people the actor watches over."""
    async with db.transaction(actor.district):
        return await store.unsettled(await _watched(actor, now), before, limit)


async def devices(actor: Actor, now: datetime) -> list[DeviceStanding]:
    """Return per device the last push and what was still on it, of the people the actor watches over."""
    async with db.transaction(actor.district):
        return await store.devices(await _watched(actor, now))


async def _watched(actor: Actor, now: datetime) -> Sequence[UUID] | None:
    """The people whose sync the actor sees; None: everybody's."""
    reach = scope.require_any(actor, "sync.watch")
    if reach.everything:
        return None
    persons = {actor.id}
    for organisation in sorted(reach.organisations):
        persons |= {each.id for each in await grid_facts.members(organisation, now)}
    return sorted(persons)
