"""Claiming a case against double work: take it in hand, let go, take over from a colleague; one use case each."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from app.identity import scope
from app.kernel import db
from app.kernel.actor import Actor
from tasks.cases import claims, queries, reading_store
from tasks.cases.claims import MINUTES, MOST_MINUTES, ClaimView
from tasks.cases.problems import CaseClaimed, RoleNotPermitted

ACTION = "case.claim"


class ClaimOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long, and whether also from a colleague."""

    minutes: Annotated[int, Meta(ge=1, le=MOST_MINUTES)] = MINUTES
    take_over: bool = False


async def claim(case_id: UUID, order: ClaimOrder, actor: Actor, now: datetime) -> ClaimView:
    """Take a case in hand for some minutes; once more goes on from now.

    Only for staff who may do something to the case now: CaseNotFound, RoleNotPermitted; CaseClaimed (with the
    colleague's claim) while a colleague has it, unless it is taken over.
    """
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        seen = await queries.case(case_id, actor, now)
        if actor.kind != "staff" or not seen.allowed:
            raise RoleNotPermitted(needs=[])
        mine = claims.made(case_id, actor.id, min(actor.organisations, default=None), order.minutes, now)
        if not await reading_store.claim(mine, now, take_over=order.take_over):
            held = (await reading_store.claims([case_id], now)).get(case_id)
            raise CaseClaimed(claimed_by=None if held is None else str(held.person))
        view = claims.seen(mine, actor.id, now)
    assert view is not None
    return view


async def release(case_id: UUID, actor: Actor, now: datetime) -> None:
    """Let go of a case; of a colleague's claim, or none, nothing changes. CaseNotFound."""
    scope.require_any(actor, ACTION)
    async with db.transaction(actor.district):
        await queries.case(case_id, actor, now)
        await reading_store.release(case_id, actor.id)


async def warning(case_id: UUID, actor: Actor, now: datetime) -> dict[str, str]:
    """Return the header for the answer to a command that `actor` gave: whether a colleague has the case in hand."""
    if actor.kind != "staff":
        return {}
    async with db.transaction(actor.district):
        held = (await reading_store.claims([case_id], now)).get(case_id)
    return claims.warning(claims.seen(held, actor.id, now))


async def tidy(district: str, now: datetime) -> None:
    """Delete claims that have ended."""
    async with db.transaction(district):
        await reading_store.forget_claims(now)
