"""What a phone sends and what it is told: one verdict per op, the same bytes for the same op for ever."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from app.kernel.problem import Problem
from visits import visit

Aware = Annotated[datetime, Meta(tz=True)]

MAX_OPS = 200
"""Ops dealt with in one push; the rest are answered `retry`, so that no transaction grows long."""
CLOCKS_AGREE = timedelta(minutes=2)
"""How far the two ways of telling the time may differ."""


class Ruling(StrEnum):
    """What became of an op."""

    APPLIED = "applied"
    MERGED = "merged"
    CONFLICT = "conflict"
    HELD = "held"
    REJECTED = "rejected"
    RETRY = "retry"


SETTLED = frozenset({Ruling.APPLIED, Ruling.MERGED})
"""An op others may depend on."""


class Op(Struct, frozen=True, kw_only=True):
    """One thing done on a phone. Uptimes are seconds since the boot `boot_id`; times are the phone's."""

    op_id: UUID
    type: Annotated[str, Meta(min_length=1, max_length=60)]
    entity_id: UUID
    base_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    depends_on: Annotated[tuple[UUID, ...], Meta(max_length=50)] = ()
    captured_at: Aware
    captured_uptime: float | None = None
    sent_uptime: float | None = None
    boot_id: Annotated[str, Meta(max_length=100)] | None = None
    body: dict[str, Any] = {}


class OpId(Struct, frozen=True):
    """As much of an op as its verdict needs."""

    op_id: UUID


class Push(Struct, frozen=True, kw_only=True):
    """What a phone sends; each op is read by itself, so that a bad one spoils none of the others."""

    device_id: UUID
    app_schema: Annotated[int, Meta(ge=0, le=10_000)]
    sent_at: Aware
    pending_after: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    ops: Annotated[tuple[Any, ...], Meta(max_length=5_000)]


class PushAnswer(Struct, frozen=True, kw_only=True):
    """One verdict per op, in the order sent; each is the JSON of a `Verdict`."""

    verdicts: tuple[Raw, ...]
    server_time: datetime


class FieldConflict(Struct, frozen=True):
    """A field both sides changed: the server's value and the phone's."""

    field: str
    server: Any
    phone: Any


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer to one op; `version` is the entity's new one, `problem` says what was refused and why."""

    op_id: UUID | None
    verdict: Ruling
    entity_id: UUID | None = None
    version: int | None = None
    conflicts: tuple[FieldConflict, ...] = ()
    flags: tuple[str, ...] = ()
    waits_for: tuple[UUID, ...] = ()
    problem: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


class Effect(Struct, frozen=True, kw_only=True):
    """What a handler made of an op."""

    version: int
    ruling: Ruling = Ruling.APPLIED
    conflicts: tuple[FieldConflict, ...] = ()
    flags: tuple[str, ...] = ()
    result: dict[str, Any] | None = None


def digest(op: Op) -> bytes:
    """Return the SHA-256 of what the op says; what a repeat may change (sending time, dependencies) stays out."""
    said = (op.type, op.entity_id, op.base_version, op.captured_at, op.body)
    return sha256(msgspec.json.encode(said, order="deterministic")).digest()


def to_bytes(verdict: Verdict) -> bytes:
    """Return the verdict as the JSON that is stored and sent."""
    return msgspec.json.encode(verdict)


def of_effect(op: Op, effect: Effect) -> Verdict:
    """Return the verdict on an op that was dealt with."""
    return Verdict(
        op_id=op.op_id,
        verdict=effect.ruling,
        entity_id=op.entity_id,
        version=effect.version,
        conflicts=effect.conflicts,
        flags=effect.flags,
        result=effect.result,
    )


def held(op: Op, problem: Problem, waits_for: tuple[UUID, ...] = ()) -> Verdict:
    """Return the verdict on an op that waits, with what it waits for."""
    return Verdict(
        op_id=op.op_id,
        verdict=Ruling.HELD,
        entity_id=op.entity_id,
        waits_for=waits_for,
        problem=problem.document(0),
    )


def refused(
    op_id: UUID | None, problem: Problem, ruling: Ruling = Ruling.REJECTED, entity_id: UUID | None = None
) -> Verdict:
    """Return the verdict on an op refused with a problem; its words are Chinese first, the type never changes."""
    document = problem.document(0)
    return Verdict(op_id=op_id, verdict=ruling, entity_id=entity_id, problem=document)


def moment(op: Op, sent_at: datetime, received_at: datetime) -> visit.Moment:
    """Return when the op was captured, on the server's clock.

    skew = received − sent, corrected = captured + skew. The uptimes of one boot tell the time without any clock: where
    they disagree with it, the clock was set between capture and sending, and the uptimes win.
    """
    skew = received_at - sent_at
    by_clock = visit.moment(op.captured_at, skew, received_at)
    if op.captured_uptime is None or op.sent_uptime is None or op.boot_id is None:
        return msgspec.structs.replace(by_clock, flags=(*by_clock.flags, "time_unverified"))
    elapsed = op.sent_uptime - op.captured_uptime
    if not 0 <= elapsed < 400 * 86_400:  # the phone was restarted in between: nothing to compare with
        return msgspec.structs.replace(by_clock, flags=(*by_clock.flags, "time_unverified"))
    by_uptime = received_at - timedelta(seconds=elapsed)
    if abs(by_uptime - by_clock.corrected_at) <= CLOCKS_AGREE:
        return by_clock
    return msgspec.structs.replace(by_clock, corrected_at=by_uptime, flags=(*by_clock.flags, "clock_changed"))
