"""The district's own rules of visiting: shown, written, kept in versions; one function = one transaction."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import StaleVersion
from visits import rule_store
from visits.households import Rules


class ChangedRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules written anew; `version` is the one they were made from (0: none of the district's own yet)."""

    version: Annotated[int, Meta(ge=0, le=1_000_000)]
    rules: Rules


class RulesView(Struct, frozen=True, kw_only=True):
    """The rules as they hold; version 0: those that come with the product."""

    version: int
    rules: Rules
    author: UUID | None = None
    published_at: datetime | None = None


async def show(actor: Actor) -> RulesView:
    """Return the rules as they hold now."""
    scope.require_any(actor, "visit_rule.read")
    async with db.transaction(actor.district):
        return _view(await rule_store.newest())


async def write(changed: ChangedRules, actor: Actor, now: datetime) -> RulesView:
    """Write the rules as the next version; they hold for what is planned and reported from now on. StaleVersion."""
    scope.require_any(actor, "visit_rule.manage")
    async with db.transaction(actor.district):
        had = _view(await rule_store.newest())
        if changed.version != had.version:
            raise StaleVersion(version=had.version)
        if changed.rules == had.rules:
            return had
        document: Any = msgspec.to_builtins(changed.rules)
        try:
            async with db.transaction(actor.district):
                await rule_store.publish(new_id(), had.version + 1, document, actor.id, now)
        except UniqueViolationError as raced:
            raise StaleVersion(version=had.version + 1) from raced
        return _view(await rule_store.newest())


async def rules() -> Rules:
    """Return the rules as they hold now, in the caller's transaction."""
    return _view(await rule_store.newest()).rules


def _view(row: rule_store.Published | None) -> RulesView:
    if row is None:
        return RulesView(version=0, rules=Rules())
    return RulesView(
        version=row.version,
        rules=msgspec.convert(row.document, Rules),
        author=row.author,
        published_at=row.published_at,
    )
