"""Reply templates: kept by organisations and by the district, filled for a case; one use case each."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct
from msgspec.structs import replace

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.ids import new_id
from app.kernel.problem import StaleVersion, invalid
from grid import facts as grid_facts
from tasks.cases import queries, reading_store, reference, replies
from tasks.cases.problems import ReplyTemplateNotFound
from tasks.cases.replies import Reply, Template
from tasks.cases.views import CaseDetail

READ, MANAGE = "template.read", "template.manage"
Title = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]
Body = Annotated[str, Meta(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]
Code = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00]*$")]


class NewTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template of an organisation; without one it is the district's, which the district centre alone writes."""

    title: Title
    body: Body
    organisation: UUID | None = None
    item: Code | None = None


class ChangedTemplate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template as it is from now on; `version` is the one that was read."""

    title: Title
    body: Body
    item: Code | None = None
    version: int | None = None


async def _readable(actor: Actor, now: datetime) -> list[UUID]:
    """Return the organisations whose templates the actor uses: their own, what these took over, and those above."""
    reach = scope.require_any(actor, READ)
    directory = await grid_facts.directory(now)
    if reach.everything:
        return sorted(directory.by_id)
    own = directory.line_of_all(reach.organisations)
    return sorted(directory.line_of_all(up for each in own for up in directory.ancestors(each)))


async def templates(item: str | None, actor: Actor, now: datetime) -> list[Template]:
    """Return the templates the actor may use; for an item, its own first and then those for every item."""
    async with db.transaction(actor.district):
        return await reading_store.templates(await _readable(actor, now), item)


async def template(template_id: UUID, actor: Actor, now: datetime) -> Template:
    """Return one template the actor may use; ReplyTemplateNotFound."""
    async with db.transaction(actor.district):
        organisations = await _readable(actor, now)
        found = await reading_store.template(template_id)
    if found is None or not (found.organisation is None or found.organisation in organisations):
        raise ReplyTemplateNotFound
    return found


async def add(new: NewTemplate, actor: Actor, now: datetime) -> Template:
    """Keep a template. Invalid for an unknown placeholder or item, or an organisation not the actor's."""
    reach = scope.require_any(actor, MANAGE)
    if not reach.everything and new.organisation not in reach.organisations:
        raise invalid("organisation", "请写明本单位", "is not an organisation of yours")
    async with db.transaction(actor.district):
        await _check(new)
        if new.organisation is not None and (await grid_facts.directory(now)).get(new.organisation) is None:
            raise invalid("organisation", "没有这个单位", "no such organisation")
        made = Template(
            id=new_id(),
            organisation=new.organisation,
            item=new.item,
            title=new.title,
            body=new.body,
            version=1,
            created_by=actor.id,
            created_at=now,
            changed_by=actor.id,
            changed_at=now,
        )
        await reading_store.add_template(made)
    return made


async def _check(said: NewTemplate | ChangedTemplate) -> None:
    if wrong := replies.faults(said.title) or replies.faults(said.body):
        known = "、".join(f"{{{name}}}" for name in replies.PLACEHOLDERS)
        raise invalid("body", f"没有占位符 {wrong[0]}，可用：{known}", f"no placeholder {wrong[0]}; there are {known}")
    if said.item is not None and not (await reference.present()).catalogue.history(said.item):
        raise invalid("item", "目录中没有这个事项", "no such item in the catalogue")


async def _held(template_id: UUID, actor: Actor, now: datetime) -> Template:
    """Lock a template the actor may change."""
    reach = scope.require_any(actor, MANAGE)
    mine = (await grid_facts.directory(now)).line_of_all(reach.organisations)
    held = await reading_store.template(template_id, lock=True)
    if held is None or not (reach.everything or held.organisation in mine):
        raise ReplyTemplateNotFound
    return held


async def change(template_id: UUID, changed: ChangedTemplate, actor: Actor, now: datetime) -> Template:
    """Write a template anew; ReplyTemplateNotFound, StaleVersion, Invalid."""
    async with db.transaction(actor.district):
        held = await _held(template_id, actor, now)
        if changed.version is not None and changed.version != held.version:
            raise StaleVersion(version=held.version)
        await _check(changed)
        after = replace(
            held,
            item=changed.item,
            title=changed.title,
            body=changed.body,
            version=held.version + 1,
            changed_by=actor.id,
            changed_at=now,
        )
        await reading_store.change_template(after)
    return after


async def remove(template_id: UUID, actor: Actor, now: datetime) -> None:
    """Delete a template; ReplyTemplateNotFound."""
    async with db.transaction(actor.district):
        await _held(template_id, actor, now)
        await reading_store.remove_template(template_id)


async def reply(case_id: UUID, template_id: UUID, actor: Actor, now: datetime) -> Reply:
    """Return a template filled for a case the actor may see; CaseNotFound, ReplyTemplateNotFound."""
    async with db.transaction(actor.district):
        found = await template(template_id, actor, now)
        seen = await queries.case(case_id, actor, now)
        values = _values(seen) | {"result": await reading_store.public_result(case_id)}
    title, no_title = replies.fill(found.title, values)
    text, missing = replies.fill(found.body, values)
    return Reply(template=found.id, title=title, text=text, missing=tuple(dict.fromkeys((*missing, *no_title))))


def _values(case: CaseDetail) -> dict[str, str | None]:
    return {
        "number": case.number,
        "item": case.item_name,
        "title": case.title,
        "state": case.state_text,
        "address": case.address,
        "organisation": case.lead_name,
        "received": replies.moment(case.received_at),
        "due": replies.moment(case.due_at or case.total_due),
    }
