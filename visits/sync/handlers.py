"""What each type of op does: the table the push goes by."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from app.kernel.actor import Actor
from app.kernel.crs import Place
from app.kernel.problem import invalid
from media.evidence import EvidenceRef
from tasks.cases import commands as cases
from tasks.cases import intake
from tasks.cases.model import Severity
from tasks.cases.orders import Add, Arrive, Attend, Order, Record, Reply, Return, SetHandler, Sign, Submit, name_of
from tasks.cases.report import Report, Reporter
from visits import demands, note_commands, visit, visit_commands
from visits.note_commands import NewNote
from visits.sync import household_commands
from visits.sync.store import Origin
from visits.sync.verdict import Effect, Op, Ruling
from visits.visit import Moment, VisitReport


class Context(Struct, frozen=True):
    """Who did it, from which push it comes, and when it really happened."""

    actor: Actor
    origin: Origin
    when: Moment


class CaseReport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A matter a worker saw in the street (随手报)."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    title: Annotated[str, Meta(max_length=100)] = ""
    item: str = demands.GENERAL_ITEM
    severity: Severity | None = None
    place: Place | None = None
    address: Annotated[str, Meta(max_length=200)] = ""
    evidence: Annotated[tuple[EvidenceRef, ...], Meta(max_length=30)] = ()


Handler = Callable[[Op, Context], Awaitable[Effect]]


async def record_visit(op: Op, context: Context) -> Effect:
    """`visit.record`: the visit (its id is the op's entity), its evidence, and a case of each demand."""
    report = msgspec.convert(op.body, VisitReport)
    actor = replace(context.actor, device=context.origin.device)
    made = await visit_commands.record_visit(op.entity_id, report, context.when, actor, context.origin.received_at)
    result: dict[str, object] = {
        "half": made.visit.half.value,
        "started_at": made.visit.started_at.isoformat(),
        "cases": [str(case) for case in made.visit.cases],
        "retry": None if made.retry is None else str(made.retry),
    }
    return Effect(version=1, flags=made.visit.flags, result=result)


async def amend_household(op: Op, context: Context) -> Effect:
    """`household.amend`: some fields of a household, merged with what others changed since `base_version`."""
    amended = await household_commands.amend_household(
        op.entity_id, op.body, op.base_version, context.actor, context.origin.received_at
    )
    ruling = Ruling.MERGED if amended.merged else Ruling.APPLIED
    return Effect(
        version=amended.household.version,
        ruling=Ruling.CONFLICT if amended.conflicts else ruling,
        conflicts=amended.conflicts,
    )


async def report_case(op: Op, context: Context) -> Effect:
    """`case.report`: a case a worker opens in the street; its id is the op's entity."""
    said = msgspec.convert(op.body, CaseReport)
    when = context.when
    report = Report(
        id=op.entity_id,
        source="worker",
        item=said.item,
        title=said.title,
        description=said.text,
        reporter=Reporter(kind="worker", id=context.actor.id),
        place=said.place,
        address=said.address,
        severity=said.severity,
        evidence=tuple(visit.corrected(each, when) for each in said.evidence),
        occurred_at=min(when.corrected_at, when.received_at),
    )
    case = await intake.open(report, context.actor, context.origin.received_at)
    result: dict[str, object] = {"number": case.number, "state": case.state.value}
    return Effect(version=case.version, flags=when.flags, result=result)


class SquadNote(NewNote, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note to the next shift, and of which squad."""

    squad: UUID


async def write_note(op: Op, context: Context) -> Effect:
    """`note.write`: a note to the squad's next shift; its id is the op's entity."""
    said = msgspec.convert(op.body, SquadNote)
    new = NewNote(text=said.text, hours=said.hours, id=op.entity_id)
    await note_commands.write(said.squad, new, context.actor, context.origin.received_at)
    return Effect(version=1, flags=context.when.flags)


OFFLINE: dict[str, type[Order]] = {
    name_of(order): order for order in (Sign, Return, Record, Arrive, Attend, Submit, SetHandler, Reply, Add)
}
"""The commands to a case that can be given without a network."""


async def command_case(op: Op, context: Context) -> Effect:
    """`case.command`: one of `OFFLINE`, named in the body's `command`, to the case that is the op's entity."""
    body = dict(op.body)
    name = body.pop("command", None)
    order = OFFLINE.get(name) if isinstance(name, str) else None
    if order is None:
        words = ", ".join(sorted(OFFLINE))
        raise invalid("body.command", f"离线只能：{words}", f"offline: one of {words}")
    given = replace(msgspec.convert(body, order), command_id=op.op_id, version=None)
    when = context.when
    if isinstance(given, Arrive | Attend):
        given = replace(given, at=when.corrected_at if given.at is None else visit.shift(given.at, when))
    if isinstance(given, Record | Submit | Add):
        given = replace(given, evidence=tuple(visit.corrected(each, when) for each in given.evidence))
    seen = await cases.carry_out(op.entity_id, given, context.actor, context.origin.received_at)
    return Effect(version=seen.version, flags=when.flags, result={"state": seen.state})


HANDLERS: dict[str, Handler] = {
    "visit.record": record_visit,
    "household.amend": amend_household,
    "note.write": write_note,
    "case.report": report_case,
    "case.command": command_case,
}
"""Op type → handler; each runs inside the op's savepoint."""
