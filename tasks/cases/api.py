"""Cases over HTTP: decode, call, encode."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from app.identity import scope
from app.kernel.actor import Actor, Role
from app.kernel.crs import Place
from media.evidence import EvidenceRef
from tasks.cases import claim_commands, commands, intake, listing, queries
from tasks.cases import orders as o
from tasks.cases.catalogue import Item
from tasks.cases.listing import Filter
from tasks.cases.model import Severity
from tasks.cases.queries import ContactView
from tasks.cases.report import Report, Reporter
from tasks.cases.views import CaseDetail, CaseRowView, CaseView, RoutingView, StepView

READ: dict[str, Any] = {"action": "case.view"}
ACT: dict[str, Any] = {"action": "case.act", "versioned": True, "version_required": True}
DESK_ROLES = frozenset({Role.STATION, Role.TOWN_CENTRE, Role.DEPARTMENT, Role.DISTRICT_CENTRE})
Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Instant = Annotated[datetime, Meta(tz=True)]
Line = Annotated[str, Meta(max_length=200)]
BOX = r"^-?[0-9]{1,3}(\.[0-9]{1,15})?(,-?[0-9]{1,3}(\.[0-9]{1,15})?){3}$"


class Caller(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The resident a clerk types for; encrypted and kept apart."""

    name: Annotated[str, Meta(max_length=60)] | None = None
    phone: Annotated[str, Meta(max_length=30)] | None = None


class NewCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A matter typed by a desk or reported by a field worker. The same `id` again answers the same case."""

    item: Annotated[str, Meta(min_length=1, max_length=40)]
    id: UUID | None = None
    title: Line = ""
    description: Annotated[str, Meta(max_length=10_000)] = ""
    caller: Caller | None = None
    place: Place | None = None
    address: Annotated[str, Meta(max_length=500)] = ""
    severity: Severity | None = None
    attributes: dict[str, Any] = {}
    evidence: Annotated[tuple[EvidenceRef, ...], Meta(max_length=30)] = ()
    parent: UUID | None = None
    occurred_at: Instant | None = None
    complained_about: Annotated[tuple[UUID, ...], Meta(max_length=20)] = ()
    """Organisations and persons the matter is about: they take no part in it and do not see who reported it."""
    checklist: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...], Meta(max_length=100)] = ()
    """The points of a joint inspection (联合检查)."""


class Link(Struct, frozen=True):
    """A link that works for some minutes."""

    url: str


class Reason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why personal data is needed; it is written into the access log."""

    reason: Annotated[str, Meta(min_length=4, max_length=500)]


def _report(data: NewCase, actor: Actor) -> Report:
    """Return the report of a clerk (for a resident, or for their own organisation) or of a field worker."""
    desk = bool(actor.roles & DESK_ROLES)
    sender = min(actor.organisations, default=None)
    if data.caller is not None:
        reporter = Reporter(kind="resident", name=data.caller.name, phone=data.caller.phone)
    else:
        reporter = Reporter(kind="organisation" if desk else "worker", id=actor.id)
    return Report(
        source="desk" if desk else "field",
        item=data.item,
        id=data.id,
        title=data.title,
        description=data.description,
        reporter=reporter,
        place=data.place,
        address=data.address,
        severity=data.severity,
        attributes=data.attributes,
        evidence=data.evidence,
        parent=data.parent,
        occurred_at=data.occurred_at,
        complained_about=data.complained_about,
        checklist=data.checklist,
        sender=sender,
    )


@post("/cases", opt={"action": "case.create"}, tags=["cases"])
async def create(data: JSONBody[NewCase], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> CaseView:
    """Open a case. Where the rules decide it is accepted and assigned at once, else it waits at its desk."""
    scope.require_any(actor, "case.create")
    return await intake.create(_report(data, actor), actor, now)


@get("/cases", opt=READ, tags=["cases"])
async def cases(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    wanted: Annotated[str | None, QueryParameter(name="state")] = None,
    item: FromQuery[str | None] = None,
    source: FromQuery[str | None] = None,
    area: Annotated[str | None, QueryParameter(pattern=r"^[0-9]{0,15}$")] = None,
    organisation: FromQuery[UUID | None] = None,
    handler: FromQuery[UUID | None] = None,
    overdue: FromQuery[bool | None] = None,
    text: Annotated[str | None, QueryParameter(min_length=1, max_length=100)] = None,
    since: FromQuery[Instant | None] = None,
    until: FromQuery[Instant | None] = None,
    parent: FromQuery[UUID | None] = None,
    severity: FromQuery[Severity | None] = None,
    box: Annotated[str | None, QueryParameter(pattern=BOX, description="west,south,east,north in degrees")] = None,
    sort: FromQuery[Literal["due", "newest"]] = "due",
    limit: Limit = 50,
    after: FromQuery[str | None] = None,
) -> Response[list[CaseRowView]]:
    """List the cases you may see: overdue first, then by the nearest due, those without a due newest first.

    `state` takes several, separated by commas; `text` looks for words in title, address and description, or a number.
    """
    scope.require_any(actor, "case.view")
    states = tuple(part for part in (wanted or "").split(",") if part)
    asked = Filter(
        state=states,
        item=item,
        source=source,
        area=area,
        organisation=organisation,
        handler=handler,
        overdue=overdue,
        text=text,
        since=since,
        until=until,
        parent=parent,
        severity=severity,
        box=None if box is None else listing.box_of(box),
    )
    newest = sort == "newest"
    rows = await queries.cases(asked, actor, now, limit, after, newest=newest)
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | {
            "after": queries.cursor_after(rows[-1], newest=newest),
            "limit": str(limit),
        }
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


@get("/cases/counts", opt=READ, tags=["cases"])
async def counts(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> dict[str, int]:
    """Count the open cases you may see by state, and those overdue."""
    scope.require_any(actor, "case.view")
    return await queries.counts(actor, now)


@get("/cases/{case_id:uuid}", opt=READ | {"versioned": True}, tags=["cases"])
async def case(case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> CaseDetail:
    """Show a case with its legs, its evidence and what you may do with it now."""
    scope.require_any(actor, "case.view")
    return await queries.case(case_id, actor, now)


@get("/cases/{case_id:uuid}/trace", opt=READ, tags=["cases"])
async def steps(
    case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> list[StepView]:
    """Show every step of a case with its hash; texts that were erased are missing, their hashes stay."""
    scope.require_any(actor, "case.view")
    return await queries.steps(case_id, actor, now)


@get("/cases/{case_id:uuid}/routing", opt=READ, tags=["cases"])
async def routing(
    case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> RoutingView:
    """Explain why the case went where it went: every rule looked at, in words."""
    scope.require_any(actor, "case.view")
    return await queries.routing(case_id, actor, now)


@post("/cases/{case_id:uuid}/contact", opt={"action": "case.contact"}, tags=["cases"], status_code=200)
async def contact(
    case_id: FromPath[UUID],
    data: JSONBody[Reason],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ContactView:
    """Show who reported, in clear text, for a reason that is written into the access log."""
    return await queries.contact(case_id, data.reason, actor, now)


@get("/cases/{case_id:uuid}/evidence/{evidence_id:uuid}", opt=READ, tags=["cases"])
async def evidence(
    case_id: FromPath[UUID],
    evidence_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    variant: FromQuery[str] = "1280",
) -> Link:
    """Give a short-lived link to a photo of the case: `original`, `1280` or `320`."""
    scope.require_any(actor, "case.view")
    return Link(await queries.evidence_link(case_id, evidence_id, variant, actor, now))


@get("/items", opt={"action": "item.read"}, tags=["catalogue"])
async def items(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[Item]:
    """List the catalogue in force; citizens get what they may choose."""
    scope.require_any(actor, "item.read")
    return await queries.items(actor, now)


@get("/items/{code:str}", opt={"action": "item.read"}, tags=["catalogue"])
async def item(code: FromPath[str], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Item:
    """Show one item of the catalogue in force."""
    scope.require_any(actor, "item.read")
    return await queries.item(code, actor, now)


def _route(order: type[o.Order]) -> Any:
    """Return the route of one command: POST /cases/{id}/{command}."""

    async def give(
        case_id: FromPath[UUID], data: Any, actor: NamedDependency[Actor], now: NamedDependency[datetime]
    ) -> Response[CaseView]:
        scope.require_any(actor, "case.act")
        after = await commands.give(case_id, data, actor, now)
        return Response(after, headers=await claim_commands.warning(case_id, actor, now))

    give.__annotations__["data"] = JSONBody[order]
    give.__name__ = f"case_{o.name_of(order).replace('-', '_')}"
    zh, en = order.words
    give.__doc__ = f"{zh} ({en}): {(order.__doc__ or '').strip()}"
    path = f"/cases/{{case_id:uuid}}/{o.name_of(order)}"
    return post(path, opt=ACT, tags=["case commands"], status_code=200, operation_id=give.__name__)(give)


_SYSTEMS = (o.CloseUnrated, o.Signal, o.TakeIn, o.Recompute, o.Remind, o.Notify)
COMMANDS = tuple(each for each in (*o.CASE_ORDERS, *o.LEG_ORDERS) if each not in _SYSTEMS)
"""Commands people give; the others are the system's alone."""

routes: list[Any] = [
    create, cases, counts, case, steps, routing, contact, evidence, items, item, *(_route(order) for order in COMMANDS),
]  # fmt: skip
