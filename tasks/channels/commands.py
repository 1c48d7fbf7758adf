"""What comes through a channel, each in one transaction of its own."""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from app.identity import commands as identity
from app.identity import scope
from app.identity.commands import Tokens
from app.kernel import db
from app.kernel.actor import Actor
from tasks.cases import commands as cases
from tasks.cases import duplicates_commands, intake, near_commands, queries, suggestion_commands
from tasks.cases.listing import Filter
from tasks.cases.model import State
from tasks.cases.orders import Order
from tasks.channels import citizen, mini_program
from tasks.channels.citizen import JoinedRow, JoinedView, Request, RequestRow, RequestView
from tasks.channels.mini_program import Endpoint

_endpoint = Endpoint("", "", "")


def configure(endpoint: Endpoint) -> None:
    """Say which mini-program platform vouches for citizens."""
    global _endpoint
    _endpoint = endpoint


async def sign_in(district: str, code: str, now: datetime) -> Tokens:
    """Sign a citizen in by the mini-program's code; CodeRefused, Unavailable."""
    return await identity.login_citizen(district, await mini_program.openid_of(code, _endpoint), now)


async def submit(request: Request, actor: Actor, language: int, now: datetime) -> RequestView:
    """Open a case of a citizen's request; the same id again answers the one that was opened.

    So do, without an id, the same words of the citizen about the same place within ten minutes: a second tap.
    Without an item it gets the one its words leave no doubt about, else a clerk sorts it.
    """
    scope.require_any(actor, "request.submit")
    async with db.transaction(actor.district):
        if (tapped := await _tapped(request, actor, now)) is not None:
            return await follow(tapped, actor, language, now)
        if request.item is None:
            request = replace(request, item=await suggestion_commands.choose(request.text, actor, now))
        case = await intake.open(citizen.as_report(request, actor.id), actor, now)
        if request.on_behalf_of is not None and case.reporter == actor.id:
            await near_commands.speak_for(case.id, request.on_behalf_of.name, request.on_behalf_of.phone, now)
    return await follow(case.id, actor, language, now)


async def _tapped(request: Request, actor: Actor, now: datetime) -> UUID | None:
    """Return the case that was opened by the first of two taps; whoever is spoken for is never taken for another."""
    if request.id is not None or request.on_behalf_of is not None:
        return None
    report = citizen.as_report(request, actor.id)
    return await duplicates_commands.tapped_before(report, now, any_item=request.item is None)


async def follow(case_id: UUID, actor: Actor, language: int, now: datetime) -> RequestView:
    """Return one of the citizen's own requests; CaseNotFound for any other."""
    case = await queries.case(case_id, actor, now)
    steps = await queries.steps(case_id, actor, now)
    return citizen.view(case, steps, language, await queries.handled_with(case_id, actor, now))


async def mine(
    actor: Actor, language: int, now: datetime, limit: int, after: str | None = None
) -> tuple[list[RequestRow], str | None]:
    """Return up to `limit` of the citizen's requests, newest first, and the mark of the next page if there may be one.

    `after` is the mark of this page; Invalid when it is none.
    """
    rows = await queries.cases(Filter(), actor, now, limit, after, newest=True)
    shown = [
        RequestRow(
            id=row.id,
            number=row.number,
            state=row.state,
            state_text=citizen.STATES[State(row.state)][language],
            text=row.title,
            received_at=row.received_at,
            expected_by=row.due_at,
        )
        for row in rows
    ]
    return shown, queries.cursor_after(rows[-1], newest=True) if len(rows) == limit else None


async def joined(actor: Actor, language: int, limit: int) -> list[JoinedRow]:
    """Return up to `limit` requests of others that the citizen joined, the last joined first."""
    return [citizen.joined_row(each, language) for each in await queries.joined(actor, limit)]


async def follow_joined(case_id: UUID, actor: Actor, language: int, now: datetime) -> JoinedView:
    """Return a request of somebody else that the citizen joined; CaseNotFound for any other."""
    return citizen.joined_view(*await queries.joined_case(case_id, actor, now), language)


async def order(case_id: UUID, order_: Order, actor: Actor, language: int, now: datetime) -> RequestView:
    """Give one of the citizen's commands to a case of theirs."""
    scope.require_any(actor, "request.submit")
    await cases.give(case_id, order_, actor, now)
    return await follow(case_id, actor, language, now)
