"""Reading cases: one, its trace, its routing, lists by the filters a desk uses; each row only to whom it is."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.identity import cipher, scope
from app.identity import commands as identity
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import invalid
from grid import facts as grid_facts
from grid.organisations import Directory
from media import commands as media
from media import facts as media_facts
from tasks.cases import (
    claims,
    duplicates_store,
    listing,
    paging,
    publication,
    reading_store,
    reference,
    standing,
    store,
    views,
)
from tasks.cases.catalogue import Catalogue, Item
from tasks.cases.listing import Filter, Where
from tasks.cases.model import Case, Follower, Leg, Part
from tasks.cases.problems import CaseNotFound, ItemNotFound
from tasks.cases.views import CaseDetail, CaseRowView, CaseView, JoinedCase, RoutingView, StepView

Shown = TypeVar("Shown", CaseDetail, CaseRowView)


class Contact(Struct, frozen=True):
    """Name and phone of one more person, in clear text."""

    name: str | None
    phone: str | None


class ContactView(Struct, frozen=True):
    """Who reported, in clear text."""

    name: str | None
    phone: str | None
    others: tuple[Contact, ...] = ()
    """Those for whom it was reported, and those who joined."""


async def _seen(case_id: UUID, actor: Actor, now: datetime) -> tuple[Case, tuple[Leg, ...], Directory]:
    """Return a case the actor may see; CaseNotFound if there is none or it is not theirs."""
    found = await store.cases([case_id])
    directory = await grid_facts.directory(now)
    if not found:
        scope.require_any(actor, "case.read")
        raise CaseNotFound
    legs = await store.legs(case_id)
    scope.require(actor, "case.read", standing.ownership(found[0], legs, directory), CaseNotFound())
    return found[0], legs, directory


async def _claimed(found: list[Shown], actor: Actor, now: datetime) -> list[Shown]:
    """Return cases with the colleague who has each in hand; that is shown to staff alone."""
    if actor.kind != "staff" or not found:
        return found
    held = await reading_store.claims([each.id for each in found], now)
    return [replace(each, claimed_by=claims.seen(held.get(each.id), actor.id, now)) for each in found]


async def case(case_id: UUID, actor: Actor, now: datetime) -> CaseDetail:
    """Return one case with its legs, evidence and what the actor may do now."""
    async with db.transaction(actor.district):
        found, legs, directory = await _seen(case_id, actor, now)
        item = (await reference.present()).catalogue.version(found.item, found.item_version)
        parts = await store.open_children(case_id)
        view = standing.view_of(standing.situation(found, legs, item, actor, now, directory, parts), directory)
        row = await db.fetchrow("select description, attributes from cases where id = $1", case_id)
        evidence = (await media_facts.of([case_id]))[case_id]
        shown = tuple(msgspec.to_builtins(each) for each in evidence)
        opened = views.detail(view, row["description"] if row else "", row["attributes"] if row else {}, shown)
        return (await _claimed([opened], actor, now))[0]


async def steps(case_id: UUID, actor: Actor, now: datetime) -> list[StepView]:
    """Return the trace of a case with the texts beside it; the reporter reads the public ones only."""
    async with db.transaction(actor.district):
        found, legs, directory = await _seen(case_id, actor, now)
        item = (await reference.present()).catalogue.version(found.item, found.item_version)
        parts = standing.situation(found, legs, item, actor, now, directory).parts()
        public_only = actor.kind == "citizen" or parts == frozenset({Part.REPORTER})
        return await _steps(case_id, public_only, directory)


async def _steps(case_id: UUID, public_only: bool, directory: Directory) -> list[StepView]:
    texts: dict[UUID, dict[str, str]] = {}
    rows = await db.fetch("select event, field, text, public from case_text where case_id = $1", case_id)
    for row in rows:
        if row["public"] or not public_only:
            texts.setdefault(row["event"], {})[row["field"]] = row["text"]
    events = await db.fetch(
        "select id, seq, at, type, actor, organisation, body, hash, prev_hash, algorithm from case_event"
        " where case_id = $1 order by seq",
        case_id,
    )
    return [
        StepView(
            **{name: value for name, value in dict(row).items() if name != "id"},
            organisation_name=views.name_of(row["organisation"], directory),
            texts=texts.get(row["id"], {}),
        )
        for row in events
    ]


async def handled_with(case_id: UUID, actor: Actor, now: datetime) -> tuple[CaseView, list[StepView]] | None:
    """Return the case one of the actor's was merged into, at the end of the chain, with its steps; None if none.

    Of its words only those are given that an organisation says to whoever reported: never what another citizen wrote.
    """
    async with db.transaction(actor.district):
        found, _, directory = await _seen(case_id, actor, now)
        return None if found.merged_into is None else await _told_others(found, actor, now, directory)


async def _told_others(
    case: Case, actor: Actor, now: datetime, directory: Directory
) -> tuple[CaseView, list[StepView]]:
    """Return what a case came to, through every merger, and its steps with the words of organisations alone."""
    while case.merged_into is not None:  # ends: a case is never merged into a merged one
        case = (await store.cases([case.merged_into]))[0]
    legs = await store.legs(case.id)
    item = (await reference.present()).catalogue.version(case.item, case.item_version)
    steps = await _steps(case.id, True, directory)
    said = [each if each.organisation is not None else replace(each, texts={}) for each in steps]
    parts = await store.open_children(case.id)
    return standing.view_of(standing.situation(case, legs, item, actor, now, directory, parts), directory), said


async def joined(actor: Actor, limit: int) -> list[JoinedCase]:
    """Return up to `limit` cases of others that a citizen joined, the last joined first."""
    scope.require_any(actor, "request.follow")
    async with db.transaction(actor.district):
        rows = await duplicates_store.joined_by(actor.id, limit)
        catalogue = (await reference.present()).catalogue
    return [_joined(row, catalogue) for row in rows]


def _joined(row: duplicates_store.JoinedRow, catalogue: Catalogue) -> JoinedCase:
    return JoinedCase(
        id=row.case,
        number=row.number,
        item_name=catalogue.version(row.item, row.item_version).name,
        joined_at=row.joined_at,
        lon=None if row.lon is None else publication.rounded(row.lon),
        lat=None if row.lat is None else publication.rounded(row.lat),
        state=row.state,
        expected_by=row.expected_by,
    )


async def joined_case(case_id: UUID, actor: Actor, now: datetime) -> tuple[JoinedCase, CaseView, list[StepView]]:
    """Return a case of somebody else that a citizen joined, as others who reported it are told; CaseNotFound."""
    async with db.transaction(actor.district):
        scope.require_any(actor, "request.follow")
        rows = await duplicates_store.joined_by(actor.id, 1, case_id)
        if not rows:
            raise CaseNotFound
        [theirs] = await store.cases([case_id])
        view, said = await _told_others(theirs, actor, now, await grid_facts.directory(now))
        return _joined(rows[0], (await reference.present()).catalogue), view, said


async def followers(case_id: UUID) -> list[Follower]:
    """Return everybody who is kept informed of a case, in the caller's transaction."""
    return await store.reporters(case_id)


async def routing(case_id: UUID, actor: Actor, now: datetime) -> RoutingView:
    """Return why a case went where it went."""
    async with db.transaction(actor.district):
        await _seen(case_id, actor, now)
        return msgspec.convert(await db.fetchval("select routing from cases where id = $1", case_id), RoutingView)


async def contact(case_id: UUID, reason: str, actor: Actor, now: datetime) -> ContactView:
    """Return the reporter's name and phone in clear text; the reason goes into the access log.

    Who was complained about, and whoever the item hides the reporter from, gets CaseNotFound.
    """
    if len(reason.strip()) < 4 or "\x00" in reason:
        raise invalid("reason", "请写明查看理由", "say why you need it")
    async with db.transaction(actor.district):
        found, legs, directory = await _seen(case_id, actor, now)
        item = (await reference.present()).catalogue.version(found.item, found.item_version)
        here = standing.situation(found, legs, item, actor, now, directory)
        may_see = {Part.DESK, Part.CENTRE} | ({Part.LEAD, Part.ASSIGNER} if item.privacy == "handlers" else set[Part]())
        scope.require_any(actor, "case.contact")
        if here.complained_about or not here.parts() & may_see:
            raise CaseNotFound
        await identity.log_access(actor, "case.contact", f"case:{case_id}", reason, now)
        row = await db.fetchrow("select name, phone from case_contact where case_id = $1", case_id)
        others = await duplicates_store.contacts(case_id)
        return ContactView(*_opened(dict(row) if row else {}), tuple(Contact(*_opened(each)) for each in others))


def _opened(sealed: dict[str, str | None]) -> tuple[str | None, str | None]:
    name, phone = sealed.get("name"), sealed.get("phone")
    return (cipher.open_(name) if name else None, cipher.open_(phone) if phone else None)


async def evidence_link(case_id: UUID, evidence_id: UUID, variant: str, actor: Actor, now: datetime) -> str:
    """Return a short-lived link to a piece of the case's evidence."""
    async with db.transaction(actor.district):
        await _seen(case_id, actor, now)
        if evidence_id not in {each.id for each in (await media_facts.of([case_id]))[case_id]}:
            raise CaseNotFound
        try:
            return media.signed_url(evidence_id, variant, now)
        except ValueError as error:
            raise invalid("variant", "没有这种尺寸", "no such variant") from error


def cursor_after(row: CaseRowView, *, newest: bool = False) -> str:
    """Return the mark of the page that follows a row, in the order the list was read."""
    if row.due_at is None or newest:
        return paging.Mark(False, row.received_at, row.id).text()
    return paging.Mark(True, row.due_at, row.id).text()


async def cases(
    asked: Filter, actor: Actor, now: datetime, limit: int, after: str | None = None, *, newest: bool = False
) -> list[CaseRowView]:
    """Return cases the actor may see: overdue and nearest due first, those without a due newest first.

    `newest`: newest first, whatever is due. `after` is the mark of the page before. Invalid names what cannot be asked.
    """
    async with db.transaction(actor.district):
        reach, directory = scope.require_any(actor, "case.read"), await grid_facts.directory(now)
        mark = None if after is None else paging.mark(after)
        rows = await paging.page(paging.Query(asked, reach, directory, now, limit, not newest, mark))
        shown = [CaseRowView(**row, overdue=row["due_at"] is not None and row["due_at"] < now) for row in rows]
        return await _claimed(shown, actor, now)


async def visible(ids: Sequence[UUID], action: str, actor: Actor, now: datetime) -> set[UUID]:
    """Return, in the caller's transaction, those of these cases that are within the actor's reach of an action."""
    where = Where()
    where.add("c.id = any({}::uuid[])", list(ids))
    seen = listing.visible(where, scope.require_any(actor, action), await grid_facts.directory(now))
    rows = await db.fetch(f"select c.id from cases c where {where.all(seen)}", *where.arguments)
    return {row["id"] for row in rows}


async def counts(actor: Actor, now: datetime) -> dict[str, int]:
    """Return how many open cases the actor may see stand in each state, and how many are overdue; one statement."""
    async with db.transaction(actor.district):
        where = Where()
        where.conditions.append(f"c.state not in ({listing.ENDED_SQL})")
        seen = listing.visible(where, scope.require_any(actor, "case.read"), await grid_facts.directory(now))
        late = where.bind("c.due_at < {}", now)
        rows = await db.fetch(
            f"select c.state, count(*) as n, count(*) filter (where {late}) as late from cases c"
            f" where {where.all(seen)} group by c.state",
            *where.arguments,
        )
        found = {row["state"]: int(row["n"]) for row in rows}
        return found | {"overdue": sum(int(row["late"]) for row in rows)}


async def items(actor: Actor, now: datetime) -> list[Item]:
    """Return the catalogue in force; a citizen gets the items citizens may choose."""
    async with db.transaction(actor.district):
        found = (await reference.present()).catalogue.present(now)
    return [item for item in found if item.citizen] if actor.kind == "citizen" else found


async def item(code: str, actor: Actor, now: datetime) -> Item:
    """Return one item of the catalogue in force; ItemNotFound."""
    found = next((each for each in await items(actor, now) if each.code == code), None)
    if found is None:
        raise ItemNotFound(item=code)
    return found
