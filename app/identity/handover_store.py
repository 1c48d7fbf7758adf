"""Queries about a leaver's roles and phones; the caller opens the transaction."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.kernel import db
from app.kernel.actor import Membership


async def lock_account(account: UUID) -> bool | None:
    """Lock an account; return whether it is open, None when there is none."""
    row = await db.fetchrow("select disabled_at is null from account where id = $1 for update", account)
    return None if row is None else row[0]


async def account_of(username: str) -> UUID | None:
    """Return the id of an account by its username."""
    return await db.fetchval("select id from account where username = $1", username.strip().lower())


async def memberships(account: UUID, now: datetime) -> list[Membership]:
    """Return the roles somebody holds or will hold."""
    rows = await db.fetch(
        "select role, organisation, area from membership where account = $1 and (valid_to is null or valid_to > $2)"
        " order by id",
        account,
        now,
    )
    return [msgspec.convert(dict(row), Membership) for row in rows]


async def end_memberships(account: UUID, now: datetime) -> int:
    """End all roles of somebody and return how many."""
    return await db.execute(
        "update membership set valid_to = $2 where account = $1 and (valid_to is null or valid_to > $2)", account, now
    )


async def retire_devices(account: UUID, now: datetime) -> int:
    """Retire all active phones of somebody and return how many; what was reported stolen stays so."""
    return await db.execute(
        "update device set state = 'retired', changed_at = $2 where account = $1 and state = 'active'", account, now
    )
