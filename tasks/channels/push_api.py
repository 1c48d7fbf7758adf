"""Platforms push records over HTTP; the district centre reads, saves and tries their field mappings."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from msgspec import Meta, Struct

from app.identity.keys import NewKey
from app.kernel.actor import Actor
from app.kernel.problem import language_of
from tasks.channels import entry_commands, source_commands
from tasks.channels.mapping import Mapping
from tasks.channels.push import MOST, PushAnswer
from tasks.channels.source_commands import SourceView
from tasks.channels.sources import NewSource, SourceRow

TAGS = ["push"]
SEND: dict[str, Any] = {"action": "push.send", "rehearsal": "push.sandbox", "streams": True}
READ: dict[str, Any] = {"action": "source.read"}
MANAGE: dict[str, Any] = {"action": "source.manage"}
LARGEST_PUSH = 10 * 1024 * 1024
Languages = Annotated[str, HeaderParameter(name="Accept-Language")]
SourceCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Instant = Annotated[datetime, Meta(tz=True)]


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records to try a mapping with: the source's, or a draft."""

    records: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MOST)]
    mapping: Mapping | None = None


class KeyWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key for a source; with `sandbox` everything sent with it is a dry run."""

    sandbox: bool = False
    expires_at: Instant | None = None


def channel_of(request: Request[Any, Any, Any]) -> str | None:
    """Return the source whose key signed the request."""
    key = request.scope["state"].get("api_key")
    return None if key is None else key.source


@post("/push/{source:str}", opt=SEND, tags=TAGS, status_code=200, request_max_body_size=LARGEST_PUSH)
async def push(
    source: FromPath[SourceCode],
    data: JSONBody[dict[str, Any]],
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    dry_run: FromQuery[bool] = False,
    languages: Languages = "",
) -> PushAnswer:
    """Push one record, or up to 5,000 as `records` (or where the mapping says the list lies), signed by the source.

    Of many, each gets its own verdict and the good ones are kept; a single bad one is a problem document. The same id
    again with the same content changes nothing, with other content it is added to the case. `dry_run=true`, or a
    sandbox key, answers what would happen and each record in our fields, and stores nothing.
    """
    return await entry_commands.push(
        source, data, actor, channel_of(request), now, dry_run=dry_run, language=language_of(languages)
    )


@get("/sources", opt=READ, tags=TAGS)
async def sources(actor: NamedDependency[Actor]) -> list[SourceRow]:
    """List the platforms that may push, by code: the district's own and those that come with the product."""
    return await source_commands.list_all(actor)


@get("/sources/{code:str}", opt=READ, tags=TAGS)
async def source(code: FromPath[SourceCode], actor: NamedDependency[Actor]) -> SourceView:
    """Show a source with its field mapping in force and every version before it."""
    return await source_commands.read(code, actor)


@put("/sources/{code:str}", opt=MANAGE, tags=TAGS)
async def save_source(
    code: FromPath[SourceCode],
    data: JSONBody[NewSource],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> SourceView:
    """Save a source and its field mapping (as an object, or as TOML); another mapping is another version.

    A mapping that cannot be used is refused with every fault: fields we do not have, items and severities that are not
    there, paths, time formats.
    """
    return await source_commands.save(code, data, actor, now)


@post("/sources/{code:str}/try", opt=MANAGE, tags=TAGS, status_code=200, request_max_body_size=LARGEST_PUSH)
async def try_mapping(
    code: FromPath[SourceCode],
    data: JSONBody[Trial],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    languages: Languages = "",
) -> PushAnswer:
    """Try records with the mapping of a source, or with a draft: what would become of each. Stores nothing."""
    return await entry_commands.rehearse(code, data.records, data.mapping, actor, now, language_of(languages))


@post("/sources/{code:str}/keys", opt=MANAGE, tags=TAGS)
async def make_key(
    code: FromPath[SourceCode],
    data: JSONBody[KeyWish],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> NewKey:
    """Make a key for a source, to push or (`sandbox`) to try only. Key and secret are shown here and never again."""
    return await source_commands.make_key(code, data.sandbox, data.expires_at, actor, now)


routes: list[Any] = [push, sources, source, save_source, try_mapping, make_key]
