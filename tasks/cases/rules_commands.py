"""Sets of routing rules: drafts, back-test, publishing by a second person, versions; one function = one transaction."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.identity import scope
from app.identity.scope import Ownership
from app.kernel import db, ids
from app.kernel.actor import Actor
from app.kernel.problem import Invalid, StaleVersion, invalid
from grid import facts as grid_facts
from grid.organisations import Directory
from tasks.cases import reference, rules_backtest, rules_checks, rules_files, rules_store
from tasks.cases.problems import OwnDraft, RulesNotFound
from tasks.cases.rules import Rule, RuleError
from tasks.cases.rules_backtest import BackTest, Progress
from tasks.cases.rules_compiled import MOST, RuleSet, compile_rules, rules_of
from tasks.cases.rules_store import Draft, Version

Note = Annotated[str, Meta(max_length=500)]
Rules = Annotated[tuple[Rule, ...], Meta(max_length=MOST)]


class NewDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft: `rules`, or with `from_version` those of an older version, to bring it back (0: those shipped)."""

    note: Note
    rules: Rules | None = None
    from_version: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class ChangedDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft written anew; `version` is the one it was made from."""

    version: int
    note: Note
    rules: Rules


class RulesView(Struct, frozen=True, kw_only=True):
    """A set of rules; version 0, without author, is the one shipped."""

    version: int
    rules: tuple[Rule, ...]
    note: str = ""
    author: UUID | None = None
    reviewer: UUID | None = None
    published_at: datetime | None = None
    restores: int | None = None


class DraftView(Struct, frozen=True, kw_only=True):
    """A draft with its rules; `behind`: another version was published since it was begun."""

    id: UUID
    version: int
    note: str
    rules: tuple[Rule, ...]
    author: UUID
    based_on: int
    restores: int | None
    behind: bool
    created_at: datetime
    changed_at: datetime


def _require(actor: Actor, action: str) -> None:
    scope.require(actor, action, Ownership(area=actor.district), RulesNotFound())


def _shown(found: Version) -> RulesView:
    return RulesView(
        version=found.version,
        rules=rules_of(found.document),
        note=found.note,
        author=found.author,
        reviewer=found.reviewer,
        published_at=found.published_at,
        restores=found.restores,
    )


SHIPPED = RulesView(version=0, rules=rules_of(rules_files.shipped()), note="随系统提供 shipped")


def _drafted(draft: Draft, newest: int) -> DraftView:
    return DraftView(
        id=draft.id,
        version=draft.version,
        note=draft.note,
        rules=rules_of(draft.document),
        author=draft.author,
        based_on=draft.based_on,
        restores=draft.restores,
        behind=draft.based_on != newest,
        created_at=draft.created_at,
        changed_at=draft.changed_at,
    )


async def version(number: int | None, actor: Actor) -> RulesView:
    """Return a version of the rules, the one in force if None; RulesNotFound."""
    _require(actor, "rule.read")
    async with db.transaction(actor.district):
        return await _version(await rules_store.newest() if number is None else number)


async def _version(number: int) -> RulesView:
    if number == 0:
        return SHIPPED
    found = await rules_store.version(number) if 0 < number < 2**31 else None
    if found is None:
        raise RulesNotFound()
    return _shown(found)


async def versions(actor: Actor, before: int | None, limit: int) -> list[RulesView]:
    """Return published versions, newest first, without their rules."""
    _require(actor, "rule.read")
    async with db.transaction(actor.district):
        return [replace(_shown(each), rules=()) for each in await rules_store.versions(before, limit)]


async def drafts(actor: Actor) -> list[DraftView]:
    """Return all drafts, newest first, without their rules."""
    _require(actor, "rule.read")
    async with db.transaction(actor.district):
        newest = await rules_store.newest()
        return [replace(_drafted(each, newest), rules=()) for each in await rules_store.drafts()]


async def draft(id_: UUID, actor: Actor) -> DraftView:
    """Return a draft; RulesNotFound."""
    _require(actor, "rule.read")
    async with db.transaction(actor.district):
        return _drafted(await _draft(id_), await rules_store.newest())


async def _draft(id_: UUID, *, lock: bool = False) -> Draft:
    found = await rules_store.draft(id_, lock=lock)
    if found is None:
        raise RulesNotFound()
    return found


async def _check(rules: Sequence[Rule], actor: Actor, now: datetime) -> RuleSet:
    """Return rules compiled; Invalid lists every rule that cannot be used or names what there is not."""
    try:
        compiled = compile_rules(rules)
    except RuleError as error:
        raise Invalid(rules_checks.errors_of(error.faults)) from error
    have, directory = await reference.present(), await grid_facts.directory(now)
    faults = rules_checks.unknown(rules, have.catalogue.present(now), directory, actor.district)
    if faults:
        raise Invalid(rules_checks.errors_of(faults))
    return compiled


async def write_draft(new: NewDraft, actor: Actor, now: datetime) -> DraftView:
    """Begin a draft; a rule that cannot be used is refused (Invalid), never skipped later."""
    _require(actor, "rule.manage")
    if (new.rules is None) == (new.from_version is None):
        raise invalid("rules", "rules 与 from_version 须填且只填一项", "give either rules or from_version")
    async with db.transaction(actor.district):
        rules = new.rules
        if rules is None:
            rules = (await _version(new.from_version or 0)).rules
        await _check(rules, actor, now)
        newest = await rules_store.newest()
        made = Draft(
            id=ids.new_id(),
            note=new.note,
            document=rules_files.document_of(rules),
            author=actor.id,
            based_on=newest,
            restores=new.from_version,
            version=1,
            created_at=now,
            changed_at=now,
        )
        await rules_store.add_draft(made)
        return _drafted(made, newest)


async def change_draft(id_: UUID, data: ChangedDraft, actor: Actor, now: datetime) -> DraftView:
    """Write a draft anew: its author only. It counts as based on the version in force now."""
    _require(actor, "rule.manage")
    async with db.transaction(actor.district):
        held = await _own(id_, data.version, actor)
        await _check(data.rules, actor, now)
        newest = await rules_store.newest()
        document = rules_files.document_of(data.rules)
        changed = replace(
            held,
            note=data.note,
            document=document,
            version=held.version + 1,
            changed_at=now,
            based_on=newest,
            restores=None,
        )
        await rules_store.change_draft(changed)
        return _drafted(changed, newest)


async def _own(id_: UUID, seen: int, actor: Actor) -> Draft:
    held = await _draft(id_, lock=True)
    if held.author != actor.id:
        raise OwnDraft(("草案只能由起草人修改；可另起一份", "only its author changes a draft; begin one of your own"))
    if held.version != seen:
        raise StaleVersion(version=held.version)
    return held


async def discard(id_: UUID, actor: Actor) -> None:
    """Remove a draft: its author only."""
    _require(actor, "rule.manage")
    async with db.transaction(actor.district):
        held = await _draft(id_, lock=True)
        await _own(id_, held.version, actor)
        await rules_store.remove_draft(id_)


async def publish(id_: UUID, seen: int, actor: Actor, now: datetime) -> RulesView:
    """Publish a draft as reviewer: somebody else than its author, and the version that was reviewed.

    Refused when another set was published since the draft was begun, unless it brings back an old one: it would undo
    changes nobody looked at.
    """
    _require(actor, "rule.manage")
    async with db.transaction(actor.district):
        newest = await rules_store.hold()
        held = await _draft(id_, lock=True)
        if held.author == actor.id:
            raise OwnDraft(("须由起草人以外的人复核发布", "somebody else than the author reviews and publishes"))
        if held.version != seen:
            raise StaleVersion(version=held.version)
        if held.based_on != newest and held.restores is None:
            raise StaleVersion(
                ("起草后已有新版规则发布，请另起草案", "other rules were published since: begin a new draft"),
                version=newest,
            )
        await _check(rules_of(held.document), actor, now)
        new = Version(
            id=ids.new_id(),
            document=held.document,
            author=held.author,
            reviewer=actor.id,
            published_at=now,
            note=held.note,
            restores=held.restores,
        )
        number = await rules_store.publish(new, ids.new_id())
        await rules_store.remove_draft(id_)
        return _shown(replace(new, version=number))


async def back_test(id_: UUID, last: int, actor: Actor, now: datetime) -> BackTest:
    """Route the last cases by a draft and compare with where they went."""
    _require(actor, "rule.read")
    async with db.transaction(actor.district):
        rules = compile_rules(rules_of((await _draft(id_)).document), published=True)
    return (await tried(rules, last, actor.district, now))[0]


async def tried(
    rules: RuleSet, last: int, district: str, now: datetime, progress: Progress | None = None
) -> tuple[BackTest, Directory]:
    """Back-test a set of rules over the last cases; with the organisations it names. The caller has checked the right.

    Windows and duty count as of each intake; the comparison runs beside the event loop.
    """
    async with db.transaction(district):
        past = await rules_store.past(last)
        have, directory = await reference.present(), await grid_facts.directory(now)
        if past:
            directory = directory.with_duty(await grid_facts.roster(past[-1].received_at, past[0].received_at))
    compared = await asyncio.to_thread(
        rules_backtest.compare, past, rules, have.catalogue, directory, have.calendar, progress
    )
    return compared, directory
