"""Somebody leaves: roles, sessions and phones end, the account is closed; who it is must be within reach."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import commands as identity
from app.identity import handover_store, identification, scope, store
from app.identity.problems import AccountNotFound
from app.identity.scope import Ownership, Reach
from app.kernel import db
from app.kernel.actor import Actor, Membership
from app.kernel.problem import invalid

ACTION = "person.handover"

forget_known = identification.forget_all


class Left(Struct, frozen=True, kw_only=True):
    """What ended with the account."""

    memberships: int
    sessions: int
    devices: int


async def account_of(district: str, username: str) -> UUID:
    """Return the account of a username; AccountNotFound."""
    async with db.transaction(district):
        found = await handover_store.account_of(username)
    if found is None:
        raise AccountNotFound(username=username)
    return found


async def require_both(leaver: UUID, heir: UUID, actor: Actor, now: datetime) -> None:
    """Lock both accounts in the caller's transaction.

    AccountNotFound when the leaver is not within the actor's reach with every role; Invalid when the heir is not, is
    closed, has no role, or is the leaver.
    """
    reach = scope.require_any(actor, ACTION)
    known = {account: await handover_store.lock_account(account) for account in sorted({leaver, heir})}
    if known[leaver] is None or not _within(reach, await handover_store.memberships(leaver, now)):
        raise AccountNotFound
    roles = await handover_store.memberships(heir, now)
    if leaver == heir or not known[heir] or not roles or not _within(reach, roles):
        raise invalid("to", "接手人须是辖区内另一名在岗人员", "somebody else in office, within your reach, is needed")


def _within(reach: Reach, roles: Sequence[Membership]) -> bool:
    """Whether all roles of somebody are within reach; who has none belongs to nobody's area."""
    if reach.everything:
        return True
    owned = [
        Ownership(area=m.area, organisations=frozenset([] if m.organisation is None else [m.organisation]))
        for m in roles
    ]
    return bool(owned) and all(reach.covers(each) for each in owned)


async def leave(leaver: UUID, heir: UUID, reason: str, actor: Actor, now: datetime) -> Left:
    """End all that lets somebody act and note why, in the caller's transaction; call `forget_known` when committed."""
    left = Left(
        memberships=await handover_store.end_memberships(leaver, now),
        sessions=await store.revoke_sessions(leaver, "handed over", now),
        devices=await handover_store.retire_devices(leaver, now),
    )
    await store.disable(leaver, now)
    await identity.log_access(actor, ACTION, f"account:{leaver} to account:{heir}", reason, now)
    return left
