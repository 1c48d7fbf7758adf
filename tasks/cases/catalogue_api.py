"""The catalogue over HTTP: versions, changes, files, and which item a text is about."""

from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta, Struct

from app.kernel.actor import Actor
from tasks.cases import catalogue_commands, suggestion_commands
from tasks.cases.catalogue import Draft, Item
from tasks.cases.catalogue_commands import Imported, Version
from tasks.cases.export_commands import CSV, XLSX
from tasks.cases.suggestion import Suggestion

READ: dict[str, Any] = {"action": "item.read"}
MANAGE: dict[str, Any] = {"action": "item.manage"}
TAGS = ["catalogue"]
LARGEST = 5 * 1024 * 1024
Instant = Annotated[datetime, Meta(tz=True)]
MEDIA = {"csv": CSV, "xlsx": XLSX}


class Wording(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody writes of a matter."""

    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class ItemChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is said of an item, from `effective_from` on (from now if left out)."""

    item: Draft
    effective_from: Instant | None = None


class Ending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an item ends; now if left out."""

    at: Instant | None = None


@post("/items/suggest", opt=READ, tags=TAGS, status_code=200)
async def suggest(
    data: JSONBody[Wording], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> list[Suggestion]:
    """Suggest up to five items for a text, the best first, with a score and the words that speak for it.

    None where nothing fits well: then a clerk sorts it.
    """
    return await suggestion_commands.suggest(data.text, actor, now)


@get("/items/{code:str}/versions", opt=READ, tags=TAGS)
async def versions(code: FromPath[str], actor: NamedDependency[Actor]) -> list[Version]:
    """List every version of an item, past and planned ones too, with who wrote it."""
    return await catalogue_commands.history(code, actor)


@post("/items", opt=MANAGE, tags=TAGS)
async def change(data: JSONBody[ItemChange], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Item:
    """Add an item or change it: a new version from a time on. Cases keep the version they were accepted under."""
    return await catalogue_commands.change(data.item, actor, now, data.effective_from)


@post("/items/{code:str}/retire", opt=MANAGE, tags=TAGS, status_code=200)
async def retire(
    code: FromPath[str], data: JSONBody[Ending], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Item:
    """End an item; its versions stay, and so do the cases under them."""
    return await catalogue_commands.retire(code, actor, now, data.at)


@get("/items/export", opt=MANAGE | {"answers": (CSV, XLSX)}, tags=TAGS)
async def export(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    form: FromQuery[Literal["csv", "xlsx"]] = "csv",
) -> Response[bytes]:
    """Get the catalogue in force as a file that can be changed and imported again."""
    content = await catalogue_commands.export_file(form == "xlsx", actor, now)
    headers = {"Content-Disposition": f'attachment; filename="items.{form}"'}
    return Response(content, media_type=MEDIA[form], headers=headers)


@post("/items/import", opt=MANAGE, tags=TAGS, status_code=200, request_max_body_size=LARGEST)
async def import_(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    dry_run: FromQuery[bool] = False,
    effective_from: FromQuery[Instant | None] = None,
) -> Imported:
    """Import items from a CSV or XLSX file, sent as the body, all or nothing.

    With `dry_run` it is only told what would change and which rows are bad. Otherwise a file with a bad row is refused.
    """
    return await catalogue_commands.import_file(await request.body(), actor, now, effective_from, dry_run)


routes: list[Any] = [suggest, versions, change, retire, export, import_]
