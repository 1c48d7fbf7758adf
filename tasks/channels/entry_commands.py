"""Who may push what: the key of a source pushes for that source alone, a sandbox key stores nothing."""

from datetime import datetime
from typing import Any

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import NotPermitted
from tasks.channels import push as records
from tasks.channels import push_commands, source_commands
from tasks.channels.mapping import Mapping
from tasks.channels.push import PushAnswer
from tasks.channels.push_commands import Taking
from tasks.channels.push_problems import MappingUnknown
from tasks.channels.source_commands import REHEARSE, SEND


def may_store(actor: Actor) -> bool:
    """Whether what this key sends is kept; NotPermitted for one that may not send at all."""
    if REHEARSE in actor.scopes:
        return False
    scope.require_any(actor, SEND)
    return True


async def opened(
    code: str, actor: Actor, channel: str | None, now: datetime, *, dry_run: bool, language: int
) -> Taking:
    """Return what the records of a source share; MappingUnknown for one that is not, or not this key's."""
    if actor.kind != "machine" or channel is None:
        raise NotPermitted(action=SEND)
    rehearsal = dry_run or not may_store(actor)
    if channel != code:
        raise MappingUnknown((f"没有来源 {code}", f"there is no source {code}"), source=code)
    async with db.transaction(actor.district):
        source = await source_commands.required(code)
    return push_commands.of_source(source, actor.district, now, language, dry_run=rehearsal)


async def push(
    code: str,
    body: dict[str, Any],
    actor: Actor,
    channel: str | None,
    now: datetime,
    *,
    dry_run: bool,
    language: int,
) -> PushAnswer:
    """Take what a platform pushes; MappingUnknown, Invalid and whatever else keeps a single record out."""
    taking = await opened(code, actor, channel, now, dry_run=dry_run, language=language)
    return await push_commands.take_body(body, taking)


async def rehearse(
    code: str, told: list[dict[str, Any]], draft: Mapping | None, actor: Actor, now: datetime, language: int
) -> PushAnswer:
    """Say what would become of records, with the mapping of a source or a draft; MappingUnknown, Invalid."""
    scope.require_any(actor, "source.manage")
    async with db.transaction(actor.district):
        source = source_commands.with_draft(await source_commands.required(code), draft)
        if draft is not None:
            await source_commands.check(draft, actor, now)
    taking = push_commands.of_source(source, actor.district, now, language, dry_run=True)
    outcomes = await push_commands.take(records.read(told, source, taking.reader), taking)
    return records.answer([push_commands.told(each, taking) for each in outcomes], dry_run=True)
