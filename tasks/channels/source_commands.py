"""Sources: read, saved in versions, given keys; each in one transaction."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from app.identity import administration_commands as administration
from app.identity import scope
from app.identity.keys import NewKey
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, StaleVersion, invalid
from grid import facts as grid_facts
from tasks.cases import queries
from tasks.channels import mapping as mappings
from tasks.channels import source_store as store
from tasks.channels import sources
from tasks.channels.mapping import Mapping
from tasks.channels.push_problems import MappingUnknown
from tasks.channels.sources import NewSource, Source, SourceRow

SEND, REHEARSE = "push.send", "push.sandbox"
"""What a source's key may do; with a key of the second everything is a dry run."""


class SourceVersion(Struct, frozen=True, kw_only=True):
    """A mapping a source has or had."""

    version: int
    name: str
    mapping: Mapping
    author: UUID | None
    at: datetime


class SourceView(Struct, frozen=True, kw_only=True):
    """A source with its mapping in force and those before it, newest first."""

    code: str
    name: str
    organisation: UUID | None
    sandbox: bool
    version: int
    mapping: Mapping
    changed_at: datetime
    versions: tuple[SourceVersion, ...]


async def known(code: str) -> Source | None:
    """Return a source, the district's own before the shipped one, in the caller's transaction."""
    return await store.one(code) or sources.shipped().get(code)


async def required(code: str) -> Source:
    """Return a source in the caller's transaction; MappingUnknown when there is none."""
    found = await known(code)
    if found is None:
        raise MappingUnknown((f"没有来源 {code[:40]}", f"there is no source {code[:40]}"), source=code[:40])
    return found


async def list_all(actor: Actor) -> list[SourceRow]:
    """Return every source by code; NotPermitted."""
    scope.require_any(actor, "source.read")
    async with db.transaction(actor.district):
        own = {each.code: each for each in await store.all_of_them()}
    return [sources.row(each) for _, each in sorted((sources.shipped() | own).items())]


async def read(code: str, actor: Actor) -> SourceView:
    """Return a source with its versions; MappingUnknown, NotPermitted."""
    scope.require_any(actor, "source.read")
    async with db.transaction(actor.district):
        return await _view(await required(code))


async def save(code: str, new: NewSource, actor: Actor, now: datetime) -> SourceView:
    """Save a source; another mapping is another version.

    Invalid (every fault of the mapping, `mapping.fields.…`), StaleVersion when `version` is not the present one.
    """
    scope.require_any(actor, "source.manage")
    if code in sources.RESERVED:
        raise invalid("code", "这是本系统自己的渠道", "this is a channel of our own")
    async with db.transaction(actor.district):
        await store.hold(code)
        before = await known(code)
        if new.version is not None and new.version != (0 if before is None else before.version):
            raise StaleVersion(version=0 if before is None else before.version)
        mapping = await _checked(new, before, actor, now)
        if new.organisation is not None and (await grid_facts.directory(now)).get(new.organisation) is None:
            raise invalid("organisation", "没有这个单位", "there is no such organisation")
        version = 1 if before is None else before.version + (before.mapping != mapping)
        saved = Source(
            code=code,
            name=new.name,
            mapping=mapping,
            organisation=new.organisation,
            sandbox=new.sandbox,
            version=version,
            changed_at=now,
            changed_by=actor.id,
        )
        await store.save(new_id(), saved)
        if before is None or before.version != version:
            await store.add_version(new_id(), saved)
        return await _view(saved)


async def _checked(new: NewSource, before: Source | None, actor: Actor, now: datetime) -> Mapping:
    if new.mapping is not None and new.toml is not None:
        raise invalid("toml", "mapping 与 toml 只能给出一个", "is given instead of mapping, not beside it")
    told = new.mapping if new.toml is None else sources.read_toml(new.toml)
    if isinstance(told, FieldError):
        raise Invalid([told])
    if told is None and before is None:
        raise invalid("mapping", "请给出字段映射", "a mapping is needed")
    mapping = told if told is not None else before.mapping if before is not None else Mapping(fields={})
    await check(mapping, actor, now)
    return mapping


async def check(mapping: Mapping, actor: Actor, now: datetime) -> None:
    """Raise Invalid with every fault of a mapping, in the caller's transaction."""
    codes = {item.code for item in await queries.items(actor, now)}
    if faults := mappings.check(mapping, codes):
        raise Invalid([FieldError(f"mapping.{fault.field}", fault.message) for fault in faults])


async def _view(source: Source) -> SourceView:
    saved = [
        SourceVersion(version=version, name=name, mapping=mapping, author=author, at=at)
        for version, name, mapping, author, at in await store.versions(source.code)
    ]
    first = sources.shipped().get(source.code)
    if first is not None and all(each.version != first.version for each in saved):
        saved.append(SourceVersion(version=1, name=first.name, mapping=first.mapping, author=None, at=first.changed_at))
    return SourceView(
        code=source.code,
        name=source.name,
        organisation=source.organisation,
        sandbox=source.sandbox,
        version=source.version,
        mapping=source.mapping,
        changed_at=source.changed_at,
        versions=tuple(saved),
    )


async def make_key(code: str, sandbox: bool, expires_at: datetime | None, actor: Actor, now: datetime) -> NewKey:
    """Make a key of a source, to push or to try only; MappingUnknown, Invalid when it would end before it begins."""
    scope.require_any(actor, "source.manage")
    async with db.transaction(actor.district):
        source = await required(code)
        return await administration.make_key(actor, source.code, [REHEARSE if sandbox else SEND], now, expires_at)


def with_draft(source: Source, draft: Mapping | None) -> Source:
    """Return a source as it would be with another mapping."""
    return source if draft is None else replace(source, mapping=draft)
