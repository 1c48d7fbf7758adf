"""What desks read and keep beside the list, over HTTP: queues, claims, reply templates, export, figures."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, delete, get, post, put
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import Receive, Send
from msgspec import Meta

from app.identity import scope
from app.kernel.actor import Actor
from app.kernel.problem import invalid, language_of
from tasks.cases import claim_commands, export_commands, figure_commands, queue_commands, reply_commands
from tasks.cases.claim_commands import ClaimOrder
from tasks.cases.claims import ClaimView
from tasks.cases.export_commands import CSV, XLSX
from tasks.cases.figures import Asked, FiguresOf
from tasks.cases.listing import Filter
from tasks.cases.queue_commands import ChangedQueue, NewQueue, QueueCount
from tasks.cases.reading_store import Queue
from tasks.cases.replies import Reply, Template
from tasks.cases.reply_commands import ChangedTemplate, NewTemplate

READ_QUEUES: dict[str, Any] = {"action": "queue.read"}
WRITE_QUEUES: dict[str, Any] = {"action": "queue.write"}
CLAIM: dict[str, Any] = {"action": claim_commands.ACTION}
READ_TEMPLATES: dict[str, Any] = {"action": reply_commands.READ}
WRITE_TEMPLATES: dict[str, Any] = {"action": reply_commands.MANAGE}
EXPORT: dict[str, Any] = {"action": export_commands.ACTION, "answers": (CSV, XLSX)}
FIGURES: dict[str, Any] = {"action": figure_commands.ACTION}
VERSIONED: dict[str, Any] = {"versioned": True, "version_required": True}
PATIENCE_SECONDS = 20.0
"""How long a reader may leave what is sent to it lying; the database ends a transaction that idles 30 s."""
Instant = Annotated[datetime, Meta(tz=True)]
Area = Annotated[str | None, QueryParameter(pattern=r"^[0-9]{0,15}$")]
Word = Annotated[str | None, QueryParameter(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100)]


# ---- queues


@get("/cases/queues", opt=READ_QUEUES, tags=["queues"])
async def queues(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[Queue]:
    """List the saved queues of your organisations and your own, in their order."""
    scope.require_any(actor, "queue.read")
    return await queue_commands.queues(actor, now)


@get("/cases/queues/counts", opt=READ_QUEUES, tags=["queues"])
async def queue_counts(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> list[QueueCount]:
    """Count the cases you may see in each of your queues, in one call; counting stops at 1,000 (`more`)."""
    scope.require_any(actor, "queue.read")
    return await queue_commands.counts(actor, now)


@post("/cases/queues", opt=WRITE_QUEUES, tags=["queues"])
async def add_queue(data: JSONBody[NewQueue], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Queue:
    """Keep a filter of the list under a name: for yourself, or with `organisation` for all who work there."""
    scope.require_any(actor, "queue.write")
    return await queue_commands.add(data, actor, now)


@get("/cases/queues/{queue_id:uuid}", opt=READ_QUEUES | {"versioned": True}, tags=["queues"])
async def queue(queue_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Queue:
    """Show a queue."""
    scope.require_any(actor, "queue.read")
    return await queue_commands.queue(queue_id, actor, now)


@put("/cases/queues/{queue_id:uuid}", opt=WRITE_QUEUES | VERSIONED, tags=["queues"])
async def change_queue(
    queue_id: FromPath[UUID],
    data: JSONBody[ChangedQueue],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Queue:
    """Write a queue anew: its name, its filter, its place."""
    scope.require_any(actor, "queue.write")
    return await queue_commands.change(queue_id, data, actor, now)


@delete("/cases/queues/{queue_id:uuid}", opt=WRITE_QUEUES, tags=["queues"])
async def remove_queue(queue_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Throw a queue away; its cases are not touched."""
    scope.require_any(actor, "queue.write")
    await queue_commands.remove(queue_id, actor, now)


# ---- claims


@post("/cases/{case_id:uuid}/claim", opt=CLAIM, tags=["cases"], status_code=200)
async def claim(
    case_id: FromPath[UUID],
    data: JSONBody[ClaimOrder],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ClaimView:
    """Take a case in hand for some minutes, so that no colleague does the same work; claim again to go on.

    It ends by itself. Commands of others are not stopped: their answers carry `Claimed-By`. While a colleague has the
    case, 409 `case-claimed` names them; `take_over` takes it all the same.
    """
    return await claim_commands.claim(case_id, data, actor, now)


@delete("/cases/{case_id:uuid}/claim", opt=CLAIM, tags=["cases"])
async def release(case_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Let go of a case; a colleague's claim stays."""
    await claim_commands.release(case_id, actor, now)


# ---- reply templates


@get("/reply-templates", opt=READ_TEMPLATES, tags=["reply templates"])
async def templates(actor: NamedDependency[Actor], now: NamedDependency[datetime], item: Word = None) -> list[Template]:
    """List the reply templates of your organisations, of those above them and of the district.

    With `item`, those written for it come first, then those for every item.
    """
    scope.require_any(actor, reply_commands.READ)
    return await reply_commands.templates(item, actor, now)


@post("/reply-templates", opt=WRITE_TEMPLATES, tags=["reply templates"])
async def add_template(
    data: JSONBody[NewTemplate], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Template:
    """Keep a reply template of your organisation, or of the district.

    Placeholders: `{number}` `{item}` `{title}` `{state}` `{address}` `{organisation}` `{received}` `{due}` `{result}`;
    `{{` and `}}` write braces. An unknown one is refused.
    """
    scope.require_any(actor, reply_commands.MANAGE)
    return await reply_commands.add(data, actor, now)


@get("/reply-templates/{template_id:uuid}", opt=READ_TEMPLATES | {"versioned": True}, tags=["reply templates"])
async def template(
    template_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Template:
    """Show a reply template."""
    scope.require_any(actor, reply_commands.READ)
    return await reply_commands.template(template_id, actor, now)


@put("/reply-templates/{template_id:uuid}", opt=WRITE_TEMPLATES | VERSIONED, tags=["reply templates"])
async def change_template(
    template_id: FromPath[UUID],
    data: JSONBody[ChangedTemplate],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Write a reply template anew."""
    scope.require_any(actor, reply_commands.MANAGE)
    return await reply_commands.change(template_id, data, actor, now)


@delete("/reply-templates/{template_id:uuid}", opt=WRITE_TEMPLATES, tags=["reply templates"])
async def remove_template(
    template_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """Throw a reply template away."""
    scope.require_any(actor, reply_commands.MANAGE)
    await reply_commands.remove(template_id, actor, now)


@get("/cases/{case_id:uuid}/replies/{template_id:uuid}", opt=READ_TEMPLATES, tags=["reply templates"])
async def reply(
    case_id: FromPath[UUID],
    template_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Reply:
    """Fill a reply template for a case; `missing` names what the case has no value for. Nothing is sent."""
    scope.require_any(actor, reply_commands.READ)
    return await reply_commands.reply(case_id, template_id, actor, now)


# ---- export


class Download(ASGIStreamingResponse):
    """A file made while it is sent, by the task of the request itself: its transaction belongs to that task."""

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send what the iterator gives until it ends or the reader is gone or too slow; then let go of all it holds."""
        gone = asyncio.create_task(_disconnected(receive))
        chunks: Any = self.iterator
        try:
            async for chunk in chunks:
                if gone.done():
                    return
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            await chunks.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@get(
    "/cases/export",
    opt=EXPORT,
    tags=["cases"],
    media_type=CSV,
    response_headers=[ResponseHeader(name="Content-Disposition", documentation_only=True)],
    responses={200: ResponseSpec(data_container=str, media_type=CSV, description="The file, as it is made")},
)
async def export(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: Annotated[Literal["csv", "xlsx"], QueryParameter(name="format")] = "csv",
    wanted: Annotated[str | None, QueryParameter(name="state")] = None,
    item: FromQuery[str | None] = None,
    source: FromQuery[str | None] = None,
    severity: FromQuery[str | None] = None,
    area: Area = None,
    organisation: FromQuery[UUID | None] = None,
    handler: FromQuery[UUID | None] = None,
    overdue: FromQuery[bool | None] = None,
    text: Text = None,
    since: FromQuery[Instant | None] = None,
    until: FromQuery[Instant | None] = None,
    box: Annotated[str | None, QueryParameter(max_length=200)] = None,
    parent: FromQuery[UUID | None] = None,
) -> Download:
    """Export the cases you may see, by the filters of the list, as CSV (UTF-8 for Excel) or XLSX; newest first.

    The columns are in the language you accept, times on the district's clock. Reporters are not in it; numbers of
    phones and identity cards in titles and addresses are masked. The export is noted in the access log.
    """
    asked = Filter(
        state=tuple(part for part in (wanted or "").split(",") if part),
        item=item,
        source=source,
        severity=severity,
        area=area,
        organisation=organisation,
        handler=handler,
        overdue=overdue,
        text=text,
        since=since,
        until=until,
        box=_box(box),
        parent=parent,
    )
    language = language_of(request.headers.get("accept-language", ""))
    made = await export_commands.begin(asked, kind, language, actor, now)
    chunks: AsyncGenerator[bytes] = made.chunks
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"}
    return Download(iterator=chunks, media_type=made.media_type, headers=headers)


def _box(text: str | None) -> tuple[float, float, float, float] | None:
    """Read `west,south,east,north` in degrees (WGS-84); Invalid for anything else."""
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise invalid("box", "范围写作西,南,东,北", "a box is west,south,east,north") from error
    return west, south, east, north


# ---- figures


@get("/figures/cases", opt=FIGURES, tags=["figures"])
async def figures(
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    group_by: FromQuery[Literal["item", "town", "organisation", "source", "month"]] = "month",
    since: FromQuery[Instant | None] = None,
    until: FromQuery[Instant | None] = None,
    item: Word = None,
    source: Word = None,
    severity: Word = None,
    area: Area = None,
    lead: FromQuery[UUID | None] = None,
) -> FiguresOf:
    """Figures of the cases received in a period (by month: the last 366 days, else the last 31), of those you may see.

    Handling time runs from receiving to handing in, in wall-clock hours, without what was solved on the spot: mean,
    median, 90th percentile. `on_time_share`: of the lead's turns handed in, or due by now and not handed in, those
    handed in by their due. Returns, reworks after verification, redos after call-back and reopenings are counts.
    """
    scope.require_any(actor, figure_commands.ACTION)
    to = now if until is None else _bounded("until", until)
    default = timedelta(days=366 if group_by == "month" else 31)
    asked = Asked(
        group_by=group_by,
        since=to - default if since is None else _bounded("since", since),
        until=to,
        item=item,
        source=source,
        severity=severity,
        area=area,
        lead=lead,
    )
    return await figure_commands.measure(asked, actor, now)


def _bounded(name: str, at: datetime) -> datetime:
    if at.tzinfo is None:
        raise invalid(name, "时间应带时区", "a time needs its zone")
    if not 1972 < at.year < 9999:
        raise invalid(name, "年份超出范围", "lies outside of the years 1973 to 9998")
    return at


routes: list[Any] = [
    queues, queue_counts, add_queue, queue, change_queue, remove_queue, claim, release, templates, add_template,
    template, change_template, remove_template, reply, export, figures,
]  # fmt: skip
