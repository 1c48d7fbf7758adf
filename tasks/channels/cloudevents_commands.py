"""Taking CloudEvents: each has its effect once, whatever order and however often it is delivered."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, NotPermitted, Problem
from tasks.channels import entry_commands, push, push_commands
from tasks.channels import push_store as store
from tasks.channels.cloudevents import CloudEvent
from tasks.channels.push import PushAnswer, Row, Verdict
from tasks.channels.push_commands import Outcome, Refusal, Taking
from tasks.channels.push_problems import EventReused
from tasks.channels.source_commands import SEND


async def take(
    events: list[CloudEvent | Invalid],
    batch: bool,
    actor: Actor,
    channel: str | None,
    now: datetime,
    *,
    dry_run: bool,
    language: int,
) -> PushAnswer:
    """Take the events of a request for the source whose key signed it; a refused single one raises its problem.

    MappingUnknown when that source has no mapping.
    """
    if channel is None:
        raise NotPermitted(action=SEND)
    taking = await entry_commands.opened(channel, actor, channel, now, dry_run=dry_run, language=language)
    found = [await _one(index, event, taking) for index, event in enumerate(events)]
    if not batch and isinstance(found[0], Refusal):
        raise found[0].problem
    return push.answer([push_commands.told(each, taking) for each in found], dry_run=taking.dry_run)


async def _one(index: int, event: CloudEvent | Invalid, taking: Taking) -> Outcome:
    if isinstance(event, Invalid):
        return Refusal(row=Row(index=index, mapped=push.Mapped()), problem=event)
    types = taking.source.mapping.types
    if types and event.type not in types:
        known = "、".join(types)[:300]
        why = (f"没有这种事件的映射；可用：{known}", f"the mapping has no such type; there are: {known}")
        return Refusal(row=Row(index=index, mapped=push.Mapped()), problem=Invalid([FieldError("type", why)]))
    row = replace(push.read([event.record()], taking.source, taking.reader)[0], index=index)
    return await _once(row, event, taking)


async def _once(row: Row, event: CloudEvent, taking: Taking) -> Outcome:
    """Take an event, or answer what it was answered when it came first: with its effect in one transaction."""
    channel = taking.source.code
    async with db.transaction(taking.actor.district):
        before = await store.event(channel, event.source, event.id)
        if before is not None:
            if before[0] != event.digest:
                return Refusal(row=row, problem=EventReused(source=event.source, id=event.id))
            return replace(msgspec.convert(before[1], Verdict), index=row.index)
        outcome = (await push_commands.take([row], taking))[0]
        if isinstance(outcome, Refusal):
            return replace(outcome, problem=in_data(outcome.problem))
        if not taking.dry_run:
            kept: dict[str, Any] = msgspec.to_builtins(outcome)
            await store.keep_event(new_id(), channel, event.source, event.id, event.digest, kept, taking.now)
        return outcome


def in_data(problem: Problem) -> Problem:
    """Return a refusal of the record an event carries: its fields lie in `data`."""
    if not isinstance(problem, Invalid):
        return problem
    return Invalid([FieldError(f"data.{each.field}".rstrip("."), each.message) for each in problem.errors])
