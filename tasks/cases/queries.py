"""Reading cases: one, its trace, its routing, lists by the filters a desk uses; each row only to whom it is."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from app.identity import cipher, scope
from app.identity import commands as identity
from app.identity.scope import Reach
from app.kernel import db
from app.kernel.actor import Actor
from app.kernel.problem import invalid
from grid import facts as grid_facts
from grid.organisations import Directory
from media import commands as media
from media import facts as media_facts
from tasks.cases import claims, reading_store, reference, standing, store, views
from tasks.cases.catalogue import Item
from tasks.cases.model import ENDED, Case, Follower, Leg, Part, State
from tasks.cases.problems import CaseNotFound, ItemNotFound
from tasks.cases.views import CaseDetail, CaseRowView, RoutingView, StepView

Shown = TypeVar("Shown", CaseDetail, CaseRowView)
_ENDED = tuple(state.value for state in ENDED)


class Filter(Struct, frozen=True, kw_only=True):
    """What a desk asks a list for; everything left out is not asked."""

    state: tuple[str, ...] = ()
    item: str | None = None
    source: str | None = None
    area: str | None = None
    organisation: UUID | None = None
    handler: UUID | None = None
    overdue: bool | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    box: tuple[float, float, float, float] | None = None
    parent: UUID | None = None


class ContactView(Struct, frozen=True):
    """Who reported, in clear text."""

    name: str | None
    phone: str | None


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
        view = standing.view_of(standing.situation(found, legs, item, actor, now, directory), directory)
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
        sealed = dict(row) if row else {}
        return ContactView(*(None if not sealed.get(f) else cipher.open_(sealed[f]) for f in ("name", "phone")))


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


def _cursor(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, case_id = base64.urlsafe_b64decode(text.encode()).decode().partition("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("naive")
        return moment, UUID(case_id)
    except (ValueError, binascii.Error) as error:
        raise invalid("after", "翻页标记无效", "not a page mark") from error


def cursor_after(row: CaseRowView) -> str:
    """Return the mark of the page that follows a row."""
    return base64.urlsafe_b64encode(f"{row.received_at.isoformat()}|{row.id}".encode()).decode()


class _Where:
    """Conditions and their arguments, in step."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.arguments: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """Add a condition with `{}` for each of its values."""
        first = len(self.arguments) + 1
        self.arguments += values
        self.conditions.append(condition.format(*(f"${first + n}" for n in range(len(values)))))


_HAS_LEG = "exists (select from case_leg l where l.case_id = c.id and {})"


def _within(where: _Where, reach: Reach, directory: Directory) -> None:
    """Leave only rows within reach: of its areas, of its organisations and those below, of the person."""
    if reach.everything:
        return
    organisations = sorted({below for each in reach.organisations for below in directory.below(each)})
    conditions = ["c.area like {} || '%'"] * len(reach.areas)
    values: list[Any] = [*reach.areas]
    if organisations:
        conditions.append("c.desk = any({}::uuid[])")
        conditions.append(_HAS_LEG.format("l.organisation = any({}::uuid[])"))
        values += [organisations, organisations]
    if reach.person is not None:
        conditions.append("c.reporter = {}")
        values.append(reach.person)
    where.add("(" + " or ".join(conditions) + ")" if conditions else "false", *values)


_OPEN_LEG = "l.state in ('unsigned', 'signed', 'submitted')"
_LATE = _HAS_LEG.format("l.state in ('unsigned', 'signed') and l.handle_due < {}")
_SIMPLE = {
    "item": "c.item = {}",
    "source": "c.source = {}",
    "area": "c.area like {} || '%'",
    "since": "c.received_at >= {}",
    "until": "c.received_at < {}",
    "parent": "c.parent = {}",
    "organisation": _HAS_LEG.format(f"{_OPEN_LEG} and l.organisation = {{}}"),
    "handler": _HAS_LEG.format(f"{_OPEN_LEG} and l.handler = {{}}"),
}


def _asked(where: _Where, asked: Filter, now: datetime) -> None:
    for name, condition in _SIMPLE.items():
        value = getattr(asked, name)
        if value is not None:
            where.add(condition, value)
    if asked.state:
        where.add("c.state = any({}::text[])", list(asked.state))
    if asked.overdue is not None:
        where.add(_LATE if asked.overdue else f"not {_LATE}", now)
    if asked.text:
        like = asked.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.add("(c.number = {} or c.title like {})", asked.text, f"%{like}%")
    if asked.box is not None:
        west, south, east, north = asked.box
        where.add("c.lon between {} and {} and c.lat between {} and {}", west, east, south, north)


async def cases(asked: Filter, actor: Actor, now: datetime, limit: int, after: str | None = None) -> list[CaseRowView]:
    """Return cases newest first, only those the actor may see; `after` is the mark of the page before."""
    wrong = [state for state in asked.state if state not in list(State)]
    if wrong:
        raise invalid("state", f"没有这种状态：{wrong[0]}", f"no such state: {wrong[0]}")
    for name in ("item", "source", "text", "area"):
        if "\x00" in (getattr(asked, name) or ""):
            raise invalid(name, "含有无法查询的字符", "holds a character that cannot be looked for")
    for name in ("since", "until"):
        moment: datetime | None = getattr(asked, name)
        if moment is not None and moment.tzinfo is None:
            raise invalid(name, "时间应带时区", "a time needs its zone")
    if asked.area and not (asked.area.isascii() and asked.area.isdigit() and len(asked.area) <= 15):
        raise invalid("area", "区域代码为至多 15 位数字", "the code of an area has up to 15 digits")
    async with db.transaction(actor.district):
        where = _Where()
        _within(where, scope.require_any(actor, "case.read"), await grid_facts.directory(now))
        _asked(where, asked, now)
        if after is not None:
            where.add("(c.received_at, c.id) < ({}, {})", *_cursor(after))
        where.add("true")
        n = len(where.arguments)
        rows = await db.fetch(
            "select c.id, c.number, c.version, c.state, c.title, c.address, c.item, c.severity, c.source, c.area,"
            " c.town, c.cell, c.lon, c.lat, c.last_lead as lead, c.received_at, c.closed_at, d.due_at,"
            f" coalesce(d.due_at < ${n + 1}, false) as overdue from cases c left join lateral (select min(l.handle_due)"
            " as due_at from case_leg l where l.case_id = c.id and l.state in ('unsigned', 'signed')) d on true"
            f" where {' and '.join(where.conditions)} order by c.received_at desc, c.id desc limit ${n + 2}",
            *where.arguments,
            now,
            limit,
        )
        return await _claimed([CaseRowView(**dict(row)) for row in rows], actor, now)


async def visible(ids: Sequence[UUID], action: str, actor: Actor, now: datetime) -> set[UUID]:
    """Return, in the caller's transaction, those of these cases that are within the actor's reach of an action."""
    where = _Where()
    where.add("c.id = any({}::uuid[])", list(ids))
    _within(where, scope.require_any(actor, action), await grid_facts.directory(now))
    rows = await db.fetch(f"select c.id from cases c where {' and '.join(where.conditions)}", *where.arguments)
    return {row["id"] for row in rows}


async def counts(actor: Actor, now: datetime) -> dict[str, int]:
    """Return how many cases the actor may see stand in each state, and how many are overdue."""
    async with db.transaction(actor.district):
        where = _Where()
        _within(where, scope.require_any(actor, "case.read"), await grid_facts.directory(now))
        where.add("c.state <> all({}::text[])", list(_ENDED))
        rows = await db.fetch(
            f"select c.state, count(*) as n from cases c where {' and '.join(where.conditions)} group by c.state",
            *where.arguments,
        )
        found = {row["state"]: int(row["n"]) for row in rows}
        where.add(_LATE, now)
        found["overdue"] = await db.fetchval(
            f"select count(*) from cases c where {' and '.join(where.conditions)}", *where.arguments
        )
        return found


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
