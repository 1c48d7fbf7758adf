"""Routing rules over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel.actor import Actor
from tasks.cases import rules_commands as commands
from tasks.cases.rules_backtest import BackTest
from tasks.cases.rules_commands import ChangedDraft, DraftView, NewDraft, RulesView

READ: dict[str, Any] = {"action": "rule.read"}
MANAGE: dict[str, Any] = {"action": "rule.manage"}
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
MOST_VERSIONS = 1_000_000
MOST_TRIED = 20_000


class Tried(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Over how many of the newest cases a draft is tried."""

    last: Annotated[int, Meta(ge=1, le=MOST_TRIED)] = 10_000


class Reviewed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version of the draft that was reviewed."""

    version: int


@get("/routing/rules", opt=READ, tags=["routing"])
async def rules(actor: NamedDependency[Actor]) -> RulesView:
    """Show the routing rules in force, most recently published; version 0 is the set that was shipped."""
    scope.require_any(actor, "rule.read")
    return await commands.version(None, actor)


@get("/routing/rules/versions", opt=READ, tags=["routing"])
async def versions(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    limit: Limit = 50,
    before: Annotated[int | None, QueryParameter(ge=1, le=MOST_VERSIONS)] = None,
) -> Response[list[RulesView]]:
    """List published versions, newest first, with author and reviewer; their rules are left out."""
    scope.require_any(actor, "rule.read")
    found = await commands.versions(actor, before, limit)
    headers: dict[str, str] = {}
    if len(found) == limit:
        headers["Link"] = f'<{request.url.path}?before={found[-1].version}&limit={limit}>; rel="next"'
    return Response(found, headers=headers)


@get("/routing/rules/versions/{number:int}", opt=READ, tags=["routing"])
async def version(number: FromPath[int], actor: NamedDependency[Actor]) -> RulesView:
    """Show a version of the rules; versions are never changed."""
    scope.require_any(actor, "rule.read")
    return await commands.version(number, actor)


@get("/routing/rules/drafts", opt=READ, tags=["routing"])
async def drafts(actor: NamedDependency[Actor]) -> list[DraftView]:
    """List drafts, newest first; their rules are left out."""
    scope.require_any(actor, "rule.read")
    return await commands.drafts(actor)


@post("/routing/rules/drafts", opt=MANAGE, tags=["routing"])
async def write_draft(
    data: JSONBody[NewDraft], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> DraftView:
    """Begin a draft, of rules or of an old version to bring it back. Every rule that cannot be used is named."""
    scope.require_any(actor, "rule.manage")
    return await commands.write_draft(data, actor, now)


@get("/routing/rules/drafts/{draft_id:uuid}", opt=READ, tags=["routing"])
async def draft(draft_id: FromPath[UUID], actor: NamedDependency[Actor]) -> DraftView:
    """Show a draft with its rules."""
    scope.require_any(actor, "rule.read")
    return await commands.draft(draft_id, actor)


@put("/routing/rules/drafts/{draft_id:uuid}", opt=MANAGE, tags=["routing"])
async def change_draft(
    draft_id: FromPath[UUID],
    data: JSONBody[ChangedDraft],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> DraftView:
    """Write your draft anew."""
    scope.require_any(actor, "rule.manage")
    return await commands.change_draft(draft_id, data, actor, now)


@delete("/routing/rules/drafts/{draft_id:uuid}", opt=MANAGE, tags=["routing"])
async def discard(draft_id: FromPath[UUID], actor: NamedDependency[Actor]) -> None:
    """Throw your draft away."""
    scope.require_any(actor, "rule.manage")
    await commands.discard(draft_id, actor)


@post("/routing/rules/drafts/{draft_id:uuid}/backtest", opt=READ, tags=["routing"], status_code=200)
async def back_test(
    draft_id: FromPath[UUID], data: JSONBody[Tried], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> BackTest:
    """Try a draft on the newest cases: where each went and would go, as a matrix and a list of those that move."""
    scope.require_any(actor, "rule.read")
    return await commands.back_test(draft_id, data.last, actor, now)


@post("/routing/rules/drafts/{draft_id:uuid}/publish", opt=MANAGE, tags=["routing"], status_code=200)
async def publish(
    draft_id: FromPath[UUID], data: JSONBody[Reviewed], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> RulesView:
    """Publish somebody else's draft after review: from the next case on it is in force."""
    scope.require_any(actor, "rule.manage")
    return await commands.publish(draft_id, data.version, actor, now)


routes: list[Any] = [
    rules, versions, version, drafts, write_draft, draft, change_draft, discard, back_test, publish,
]  # fmt: skip
