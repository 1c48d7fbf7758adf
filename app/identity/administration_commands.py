"""What an administrator does to accounts, roles, keys and phones: each is written into the access log with its effect.

Nobody gives a role to themselves: whoever manages accounts gets no rights by it.
"""

from datetime import datetime
from uuid import UUID

from app.identity import commands
from app.identity.accounts import Account
from app.identity.devices import Device, DeviceState
from app.identity.keys import NewKey
from app.kernel import db
from app.kernel.actor import Actor, Membership
from app.kernel.problem import NotPermitted, invalid


async def make_account(actor: Actor, username: str, name: str, password: str, now: datetime) -> Account:
    """Make a staff account; raises what `commands.create_account` raises."""
    async with db.transaction(actor.district):
        made = await commands.create_account(actor.district, username, name, password, now)
        await commands.log_access(actor, "account.make", f"account:{made.id}", None, now)
    return made


async def give_role(actor: Actor, account: UUID, membership: Membership, now: datetime) -> UUID:
    """Give an account a role; NotPermitted for the actor's own, AccountNotFound for an unknown one."""
    if account == actor.id:
        raise NotPermitted(("不能给自己授权", "nobody gives a role to themselves"), action="account.manage")
    async with db.transaction(actor.district):
        given = await commands.add_membership(actor.district, account, membership, now)
        what = f"{membership.role.value} {membership.area} {membership.organisation or ''}".strip()
        await commands.log_access(actor, "account.give_role", f"account:{account}", what, now)
    return given


async def end_role(actor: Actor, account: UUID, membership: UUID, now: datetime) -> None:
    """Take a role away; AccountNotFound when the account does not hold it."""
    async with db.transaction(actor.district):
        await commands.end_membership(actor.district, account, membership, now)
        await commands.log_access(actor, "account.end_role", f"account:{account}", f"membership {membership}", now)


async def close_account(actor: Actor, account: UUID, now: datetime) -> None:
    """Close an account; its sessions end. AccountNotFound."""
    async with db.transaction(actor.district):
        await commands.disable_account(actor.district, account, now)
        await commands.log_access(actor, "account.close", f"account:{account}", None, now)


async def make_key(actor: Actor, source: str, scopes: list[str], now: datetime, expires_at: datetime | None) -> NewKey:
    """Make a machine's key and secret, returned here and never again; Invalid when it would end before it begins."""
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "须在将来", "lies in the future")
    async with db.transaction(actor.district):
        made = await commands.create_key(actor.district, source, scopes, now, expires_at)
        await commands.log_access(actor, "key.make", f"key:{made.id}", " ".join(scopes) or None, now)
    return made


async def end_key(actor: Actor, key: UUID, now: datetime) -> None:
    """Revoke a machine's key; KeyNotFound."""
    async with db.transaction(actor.district):
        await commands.revoke_key(actor.district, key, now)
        await commands.log_access(actor, "key.end", f"key:{key}", None, now)


async def change_device(actor: Actor, device: UUID, state: DeviceState, now: datetime) -> Device:
    """Change what a phone may do; DeviceNotFound."""
    async with db.transaction(actor.district):
        changed = await commands.set_device_state(actor.district, device, state, now)
        await commands.log_access(actor, "device.change", f"device:{device}", state.value, now)
    return changed
