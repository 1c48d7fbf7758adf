"""The library of difficult items over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel.actor import Actor
from tasks.cases import difficult_commands, queries
from tasks.cases.difficult import Entry, Kept
from tasks.cases.difficult_commands import Match

READ: dict[str, Any] = {"action": "difficult.read"}
MANAGE: dict[str, Any] = {"action": "difficult.manage"}
TAGS = ["difficult items"]
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Best = Annotated[int, QueryParameter(ge=1, le=50)]
Seen = Annotated[int, Meta(ge=0)]


class EntryChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that an entry is to say, and the version it replaces."""

    entry: Entry
    version: Seen


class EntryEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The version of the entry that goes out of use."""

    version: Seen


class Followed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case in which an entry was followed."""

    case: UUID


@get("/difficult-items", opt=READ, tags=TAGS)
async def entries(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    domain: Annotated[str | None, QueryParameter(max_length=40)] = None,
    limit: Limit = 50,
    after: FromQuery[UUID | None] = None,
) -> Response[list[Kept]]:
    """List the entries in use, oldest first; `Link: rel=next` when there may be more."""
    scope.require_any(actor, "difficult.read")
    if domain is not None and "\x00" in domain:
        return Response([])
    rows = await difficult_commands.page(domain, limit, after, actor)
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | {"after": str(rows[-1].id), "limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@get("/difficult-items/search", opt=READ, tags=TAGS)
async def search(
    actor: NamedDependency[Actor],
    text: Annotated[str, QueryParameter(min_length=1, max_length=1000)],
    limit: Best = difficult_commands.BEST,
) -> list[Match]:
    """Find the entries that fit a text best, in any words."""
    scope.require_any(actor, "difficult.read")
    return await difficult_commands.search(text, actor, limit)


@get("/difficult-items/{entry_id:uuid}", opt=READ, tags=TAGS)
async def entry(entry_id: FromPath[UUID], actor: NamedDependency[Actor]) -> Kept:
    """Show an entry, also one that is out of use."""
    scope.require_any(actor, "difficult.read")
    return await difficult_commands.read(entry_id, actor)


@post("/difficult-items", opt=MANAGE, tags=TAGS)
async def create(data: JSONBody[Entry], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Kept:
    """Keep a new entry."""
    return await difficult_commands.create(data, actor, now)


@put("/difficult-items/{entry_id:uuid}", opt=MANAGE, tags=TAGS)
async def change(
    entry_id: FromPath[UUID],
    data: JSONBody[EntryChange],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Kept:
    """Say something else in an entry."""
    return await difficult_commands.change(entry_id, data.version, data.entry, actor, now)


@post("/difficult-items/{entry_id:uuid}/retire", opt=MANAGE, tags=TAGS, status_code=200)
async def retire(
    entry_id: FromPath[UUID], data: JSONBody[EntryEnd], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Kept:
    """Take an entry out of use; it stays readable."""
    return await difficult_commands.retire(entry_id, data.version, actor, now)


@post("/difficult-items/{entry_id:uuid}/follow", opt=READ, tags=TAGS, status_code=200)
async def follow(
    entry_id: FromPath[UUID], data: JSONBody[Followed], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Kept:
    """Count that an entry was followed in a case you may see; once a case."""
    scope.require_any(actor, "difficult.read")
    await queries.case(data.case, actor, now)
    return await difficult_commands.follow(entry_id, data.case, actor, now)


@get("/cases/{case_id:uuid}/precedents", opt=READ, tags=TAGS)
async def precedents(
    case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> list[Match]:
    """Find the entries that fit a case you may see, rulings on the same matter among them."""
    scope.require_any(actor, "difficult.read")
    shown = await queries.case(case_id, actor, now)
    return await difficult_commands.search(f"{shown.title} {shown.description}", actor)


routes: list[Any] = [entries, search, entry, create, change, retire, follow, precedents]
