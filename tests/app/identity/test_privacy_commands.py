"""What identity holds of people goes when its time is over, is noted when it goes, and never before six months."""

from datetime import datetime, timedelta

import pytest

from app.identity import commands as identity
from app.identity import keystore, privacy_commands, tokens
from app.identity.keystore import AccessView
from app.identity.problems import TokenExpired
from app.kernel import clock, db
from app.kernel.actor import Role
from app.kernel.ids import new_id
from tests.tools import people

NOW = clock.now()


async def line(at: datetime) -> None:
    await keystore.add_access(
        AccessView(id=new_id(), at=at, actor=new_id(), kind="staff", action="x", object="y", reason=None)
    )


async def noted() -> list[tuple[str, str]]:
    rows = await db.fetch("select action, object from access_log where kind = 'system' order by id")
    return [(row[0], row[1]) for row in rows]


async def test_old_lines_of_the_access_log_go_in_batches_and_that_is_noted(district: str) -> None:
    async with db.transaction(district):
        for days in (400, 390, 380, 300, 1):
            await line(NOW - timedelta(days=days))
    before = NOW - timedelta(days=365)
    assert [await privacy_commands.forget_accesses(district, before, 2, NOW) for _ in range(3)] == [2, 1, 0]
    async with db.transaction(district):
        assert await db.fetchval("select count(*) from access_log where kind = 'staff'") == 2
        assert await noted() == [("access_log.expire", "lines:2"), ("access_log.expire", "lines:1")]


async def test_nobody_deletes_lines_of_the_last_six_months(district: str) -> None:
    with pytest.raises(ValueError, match="at least six months"):
        await privacy_commands.forget_accesses(district, NOW - timedelta(days=180), 10, NOW)


async def test_sessions_nobody_used_for_a_year_go_with_their_tokens(district: str) -> None:
    old = await identity.login_citizen(district, "old", NOW - timedelta(days=400))
    new = await identity.login_citizen(district, "new", NOW)
    before = NOW - timedelta(days=365)
    assert await privacy_commands.forget_sessions(district, before, 10, NOW) == 1
    assert await privacy_commands.forget_sessions(district, before, 10, NOW) == 0
    async with db.transaction(district):
        kept = [row[0] for row in await db.fetch("select digest from refresh_token")]
        assert kept == [tokens.digest(new.refresh_token)]
        assert tokens.digest(old.refresh_token) not in kept
        assert await noted() == [("session.expire", "sessions:1")]


async def test_an_erased_citizen_is_signed_out_and_the_openid_leads_nowhere(district: str) -> None:
    signed_in = await identity.login_citizen(district, "openid of wang", NOW)
    async with db.transaction(district):
        citizen = await db.fetchval("select id from citizen")
        await db.execute("update citizen set contact = 'sealed'")
        assert await privacy_commands.erase_citizen(citizen, NOW) is True
        assert await privacy_commands.erase_citizen(citizen, NOW) is False
        assert await privacy_commands.citizen_data(citizen) is None
        row = await db.fetchrow("select openid_hash, contact from citizen where id = $1", citizen)
        assert row is not None
        assert tuple(row) == (f"erased:{citizen}", None)
    with pytest.raises(TokenExpired):
        await identity.refresh(district, signed_in.refresh_token, NOW)
    await identity.login_citizen(district, "openid of wang", NOW)
    async with db.transaction(district):
        assert await db.fetchval("select count(*) from citizen") == 2


async def test_somebody_who_is_no_citizen_is_not_erased(district: str) -> None:
    clerk = await people.sign_in(district, Role.STATION)
    async with db.transaction(district):
        assert await privacy_commands.erase_citizen(clerk.actor.id, NOW) is False
