"""Changes to the catalogue: one item, or a file of them; each change is a new version, nothing is deleted."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import Invalid, invalid
from tasks.cases import catalogue, catalogue_checks, catalogue_files, catalogue_store, reference
from tasks.cases.catalogue import BadRow, Catalogue, Draft, Item
from tasks.cases.problems import FileRefused, ItemNotFound


class Changed(Struct, frozen=True):
    """An item that says something else in `version`, and the fields in which it does; all of them for a new one."""

    code: str
    version: int
    fields: tuple[str, ...]


class Imported(Struct, frozen=True, kw_only=True):
    """What a file changes from `effective_from` on, or would (`dry_run`); `bad` rows keep it from being taken."""

    dry_run: bool
    effective_from: datetime
    rows: int
    added: tuple[Changed, ...] = ()
    changed: tuple[Changed, ...] = ()
    unchanged: int = 0
    bad: tuple[BadRow, ...] = ()


class Version(Struct, frozen=True, kw_only=True):
    """A version of an item: from when until when it holds, who wrote it and when; shipped ones have no author."""

    item: Item
    holds_from: datetime
    holds_until: datetime | None
    author: UUID | None
    written_at: datetime | None


def _since(wanted: datetime | None, now: datetime) -> datetime:
    """Return from when a change holds: what was is not rewritten."""
    if wanted is not None and wanted.tzinfo is None:
        raise invalid("effective_from", "时间缺少时区", "a time without its zone")
    if wanted is not None and wanted < now:
        raise invalid("effective_from", "不能早于现在", "must not lie in the past")
    return wanted or now


def _plan(drafts: Sequence[Draft], have: Catalogue, since: datetime) -> tuple[list[Item], list[Changed], list[Changed]]:
    """Return the new versions, and which of them are of new and of changed items."""
    new: list[Item] = []
    added: list[Changed] = []
    changed: list[Changed] = []
    for draft in drafts:
        before = have.at(draft.code, since)
        fields = catalogue.FIELDS if before is None else catalogue.changed(before, draft)
        if fields:
            version = have.next_version(draft.code)
            new.append(catalogue.versioned(draft, version, since))
            (added if before is None else changed).append(Changed(draft.code, version, fields))
    return new, added, changed


async def _write(new: Sequence[Item], actor: Actor, now: datetime) -> None:
    if new:
        await catalogue_store.add(new, [new_id() for _ in new], actor.id, new_id(), now)


async def import_file(
    content: bytes, actor: Actor, now: datetime, effective_from: datetime | None = None, dry_run: bool = False
) -> Imported:
    """Take a CSV or XLSX file into the catalogue, all or nothing; items it does not name stay as they are.

    FileRefused with every bad row; a dry run answers them instead, and changes nothing.
    """
    scope.require_any(actor, "item.manage")
    since = _since(effective_from, now)
    sheet = await asyncio.to_thread(catalogue_files.read, content)
    if sheet.bad and not dry_run:
        raise FileRefused([(each.row, each.column, each.why) for each in sheet.bad])
    async with db.transaction(actor.district):
        await catalogue_store.hold()
        new, added, changed = _plan(sheet.drafts, (await reference.present()).catalogue, since)
        if not dry_run:
            await _write(new, actor, now)
    return Imported(
        dry_run=dry_run,
        effective_from=since,
        rows=len(sheet.drafts) + len({each.row for each in sheet.bad}),
        added=tuple(added),
        changed=tuple(changed),
        unchanged=len(sheet.drafts) - len(new),
        bad=tuple(sheet.bad),
    )


async def change(draft: Draft, actor: Actor, now: datetime, effective_from: datetime | None = None) -> Item:
    """Add an item or say something else of it from a time on; the version in force if nothing is different. Invalid."""
    scope.require_any(actor, "item.manage")
    since = _since(effective_from, now)
    if faults := catalogue_checks.faults(draft):
        raise Invalid(faults)
    async with db.transaction(actor.district):
        await catalogue_store.hold()
        have = (await reference.present()).catalogue
        new, _, _ = _plan([draft], have, since)
        await _write(new, actor, now)
        return new[0] if new else _in_force(have, draft.code, since)


def _in_force(have: Catalogue, code: str, at: datetime) -> Item:
    found = have.at(code, at)
    if found is None:
        raise ItemNotFound(item=code)
    return found


async def retire(code: str, actor: Actor, now: datetime, at: datetime | None = None) -> Item:
    """End an item at a time, now if none is given: one more version that ends where it begins. ItemNotFound, Invalid.

    Cases that were accepted under it keep their version.
    """
    scope.require_any(actor, "item.manage")
    since = _since(at, now)
    async with db.transaction(actor.district):
        await catalogue_store.hold()
        have = (await reference.present()).catalogue
        last = _in_force(have, code, since)
        if any(item.effective_from > since for item in have.history(code)):
            raise invalid("at", "此后已定有新版本", "a later version is planned")
        ended = replace(last, version=have.next_version(code), effective_from=since, effective_to=since)
        await _write([ended], actor, now)
    return ended


async def history(code: str, actor: Actor) -> list[Version]:
    """Return every version of an item, also planned and past ones; ItemNotFound for a code that never was."""
    scope.require_any(actor, "item.read")
    async with db.transaction(actor.district):
        items = (await reference.present()).catalogue.history(code)
        authors = await catalogue_store.authors(code)
    if not items:
        raise ItemNotFound(item=code)
    ends = [*(item.effective_from for item in items[1:]), None]
    found: list[Version] = []
    for item, begun in zip(items, ends, strict=True):
        author, written = authors.get(item.version, (None, None))
        until = min((end for end in (begun, item.effective_to) if end is not None), default=None)
        found.append(
            Version(item=item, holds_from=item.effective_from, holds_until=until, author=author, written_at=written)
        )
    return found


async def export_file(xlsx: bool, actor: Actor, now: datetime) -> bytes:
    """Return the catalogue in force as CSV (UTF-8 with mark, as spreadsheets expect) or XLSX."""
    scope.require_any(actor, "item.manage")
    async with db.transaction(actor.district):
        items = (await reference.present()).catalogue.present(now)
    if xlsx:
        return await asyncio.to_thread(catalogue_files.write_xlsx, items)
    return catalogue_files.write_csv(items).encode("utf-8-sig")
