"""Queries about roles by area and by organisation; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from app.kernel import db


class Role(Struct, frozen=True, kw_only=True):
    """A role somebody has or will have."""

    id: UUID
    account: UUID
    role: str
    organisation: UUID | None
    area: str
    valid_from: datetime
    valid_to: datetime | None


_ROLE = ", ".join(Role.__struct_fields__)
_STANDING = "(valid_to is null or valid_to > ${})"


async def lock_roles_over(areas: Sequence[str], now: datetime) -> list[Role]:
    """Lock and return the roles over exactly these areas that are in force or will be, by id."""
    rows = await db.fetch(
        f"select {_ROLE} from membership where area = any($1::text[]) and {_STANDING.format(2)} order by id for update",
        list(areas),
        now,
    )
    return [msgspec.convert(dict(row), Role) for row in rows]


async def end(roles: Sequence[UUID], now: datetime) -> None:
    """End roles."""
    await db.execute("update membership set valid_to = $2 where id = any($1::uuid[])", list(roles), now)


async def end_in(account: UUID, organisation: UUID, now: datetime) -> int:
    """End all roles of somebody in an organisation and return how many."""
    sql = f"update membership set valid_to = $3 where account = $1 and organisation = $2 and {_STANDING.format(3)}"
    return await db.execute(sql, account, organisation, now)


async def add(
    roles: Sequence[tuple[UUID, UUID, str, UUID | None, str, datetime, datetime | None]],
) -> None:
    """Write roles, each as the fields of `Role`."""
    await db.copy("membership", Role.__struct_fields__, roles)
