"""Roles as other packages place them: a cell's roles follow its ground, a squad's members come and go."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from app.identity import commands, identification, placement_store
from app.identity.problems import AccountNotFound
from app.kernel import db
from app.kernel.actor import Actor, Membership
from app.kernel.ids import new_id
from app.kernel.problem import NotPermitted


async def follow_areas(heirs: Mapping[str, Sequence[str]], now: datetime) -> int:
    """End the roles over areas that are no more and give the same ones over those that took their place.

    Joins the caller's transaction, who has checked the right; returns how many roles ended.
    """
    standing = await placement_store.lock_roles_over(list(heirs), now)
    await placement_store.end([each.id for each in standing], now)
    await placement_store.add(
        [
            (new_id(), each.account, each.role, each.organisation, area, max(now, each.valid_from), each.valid_to)
            for each in standing
            for area in heirs[each.area]
        ]
    )
    db.after_commit(identification.forget_all)
    return len(standing)


async def join(account: UUID, membership: Membership, actor: Actor, now: datetime) -> bool:
    """Give somebody a role in an organisation, in the caller's transaction, who has checked the right to the area.

    False for somebody who has no account. NotPermitted: nobody gives a role to themselves.
    """
    if account == actor.id:
        raise NotPermitted(("不能给自己授权", "nobody gives a role to themselves"))
    try:
        await commands.add_membership(actor.district, account, membership, now)
    except AccountNotFound:
        return False
    what = f"{membership.role.value} {membership.area} {membership.organisation}"
    await commands.log_access(actor, "account.give_role", f"account:{account}", what, now)
    db.after_commit(identification.forget_all)
    return True


async def leave(account: UUID, organisation: UUID, actor: Actor, now: datetime) -> int:
    """End all roles somebody has in an organisation, in the caller's transaction; return how many."""
    ended = await placement_store.end_in(account, organisation, now)
    if ended:
        await commands.log_access(actor, "account.end_role", f"account:{account}", f"organisation {organisation}", now)
    db.after_commit(identification.forget_all)
    return ended
