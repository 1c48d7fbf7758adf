"""Every query of identity; the caller opens the transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from asyncpg.exceptions import UniqueViolationError
from msgspec import Struct

from app.identity.accounts import Account
from app.identity.devices import DeviceState
from app.identity.oidc import Attempt
from app.identity.problems import SsoSubjectTaken, UsernameTaken
from app.kernel import db
from app.kernel.actor import Membership

T = TypeVar("T")


class Credentials(Struct, frozen=True, kw_only=True):
    """What sign-in needs of an account."""

    id: UUID
    password_hash: str
    must_change: bool
    disabled_at: datetime | None


class SessionState(Struct, frozen=True, kw_only=True):
    """All that decides whether a session may act, and as whom."""

    subject: UUID
    kind: str
    revoked_at: datetime | None
    device: UUID | None
    device_state: DeviceState | None
    disabled: bool
    must_change: bool
    memberships: tuple[Membership, ...]


class Refresh(Struct, frozen=True, kw_only=True):
    """A refresh token with its session."""

    session: UUID
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    subject: UUID
    kind: str
    device_state: DeviceState | None


class SessionView(Struct, frozen=True, kw_only=True):
    """A session as its owner sees it."""

    id: UUID
    device: UUID | None
    created_at: datetime
    refreshed_at: datetime


def _as(rows: Sequence[Any], kind: type[T]) -> list[T]:
    return [msgspec.convert(dict(row), kind) for row in rows]


async def credentials(username: str) -> Credentials | None:
    """Return what sign-in needs, or None for an unknown username."""
    row = await db.fetchrow(
        "select id, password_hash, must_change, disabled_at from account where username = $1",
        username,
    )
    return None if row is None else msgspec.convert(dict(row), Credentials)


async def credentials_of(account: UUID) -> Credentials | None:
    """Return what a password change needs."""
    row = await db.fetchrow(
        "select id, password_hash, must_change, disabled_at from account where id = $1",
        account,
    )
    return None if row is None else msgspec.convert(dict(row), Credentials)


async def locked_until(guard: str) -> datetime | None:
    """Return until when a username (by its digest) has to wait."""
    return await db.fetchval("select locked_until from sign_in_failure where guard = $1", guard)


async def lock_failures(guard: str) -> datetime | None:
    """Lock a username's failures and return until when it has to wait."""
    return await db.fetchval("select locked_until from sign_in_failure where guard = $1 for update", guard)


async def count_failure(guard: str, now: datetime) -> int:
    """Add one wrong password and return how many there are in a row."""
    return await db.fetchval(
        "insert into sign_in_failure (guard, failures, at) values ($1, 1, $2)"
        " on conflict (guard) do update set failures = sign_in_failure.failures + 1, at = excluded.at"
        " returning failures",
        guard,
        now,
    )


async def set_lock(guard: str, until: datetime) -> None:
    """Make a username wait."""
    await db.execute("update sign_in_failure set locked_until = $2 where guard = $1", guard, until)


async def clear_failures(guard: str) -> None:
    """Forget wrong passwords after a right one."""
    await db.execute("delete from sign_in_failure where guard = $1", guard)


async def forget_failures(before: datetime) -> None:
    """Forget wrong passwords nobody added to since an instant."""
    await db.execute("delete from sign_in_failure where at < $1", before)


async def add_account(account: Account, password_hash: str, now: datetime) -> None:
    """Insert an account; UsernameTaken when there is one of that name."""
    try:
        await db.execute(
            "insert into account (id, username, name, password_hash, must_change, created_at)"
            " values ($1, $2, $3, $4, $5, $6)",
            account.id,
            account.username,
            account.name,
            password_hash,
            account.must_change,
            now,
        )
    except UniqueViolationError as error:
        raise UsernameTaken(username=account.username) from error


async def accounts(after: str, limit: int) -> list[Account]:
    """Return accounts by username, from `after` on."""
    return _as(
        await db.fetch(
            "select id, username, name, must_change, disabled_at is not null as disabled from account"
            " where username > $1 order by username limit $2",
            after,
            limit,
        ),
        Account,
    )


async def account(account_id: UUID) -> Account | None:
    """Return one account or None."""
    rows = await db.fetch(
        "select id, username, name, must_change, disabled_at is not null as disabled from account where id = $1",
        account_id,
    )
    return _as(rows, Account)[0] if rows else None


async def set_password(account_id: UUID, password_hash: str, must_change: bool) -> None:
    """Replace the password."""
    await db.execute(
        "update account set password_hash = $2, must_change = $3 where id = $1",
        account_id,
        password_hash,
        must_change,
    )


async def disable(account_id: UUID, now: datetime) -> None:
    """Close an account."""
    await db.execute("update account set disabled_at = $2 where id = $1 and disabled_at is null", account_id, now)


async def add_membership(membership_id: UUID, account_id: UUID, membership: Membership, valid_from: datetime) -> None:
    """Give an account a role from an instant on."""
    await db.execute(
        "insert into membership (id, account, role, organisation, area, valid_from) values ($1, $2, $3, $4, $5, $6)",
        membership_id,
        account_id,
        membership.role.value,
        membership.organisation,
        membership.area,
        valid_from,
    )


async def end_membership(membership_id: UUID, account_id: UUID, now: datetime) -> bool:
    """End a membership; False when the account has none of that id."""
    return (
        await db.execute(
            "update membership set valid_to = $3 where id = $1 and account = $2 and valid_to is null",
            membership_id,
            account_id,
            now,
        )
        == 1
    )


async def session_state(session: UUID, now: datetime) -> SessionState | None:
    """Return everything that decides on a request of this session, in one query."""
    row = await db.fetchrow(
        "select s.subject, s.kind, s.revoked_at, s.device, d.state as device_state,"
        " coalesce(a.id, c.id) is null or a.disabled_at is not null or c.erased_at is not null as disabled,"
        " coalesce(a.must_change, false) as must_change,"
        " coalesce((select json_agg(json_build_object('role', m.role, 'organisation', m.organisation, 'area', m.area)"
        "   order by m.area, m.role) from membership m where m.account = s.subject and m.valid_from <= $2"
        "   and (m.valid_to is null or m.valid_to > $2)), '[]') as memberships"
        " from session s left join device d on d.id = s.device left join account a on a.id = s.subject"
        " left join citizen c on c.id = s.subject where s.id = $1",
        session,
        now,
    )
    return None if row is None else msgspec.convert(dict(row), SessionState)


async def add_session(session: UUID, subject: UUID, kind: str, device: UUID | None, now: datetime) -> None:
    """Open a session."""
    await db.execute(
        "insert into session (id, subject, kind, device, created_at, refreshed_at) values ($1, $2, $3, $4, $5, $5)",
        session,
        subject,
        kind,
        device,
        now,
    )


async def sessions(subject: UUID) -> list[SessionView]:
    """Return the open sessions of a subject, newest first."""
    rows = await db.fetch(
        "select id, device, created_at, refreshed_at from session where subject = $1 and revoked_at is null"
        " order by refreshed_at desc",
        subject,
    )
    return _as(rows, SessionView)


async def revoke_session(session: UUID, subject: UUID, why: str, now: datetime) -> bool:
    """Revoke one session of a subject; False when it has none of that id."""
    revoked = await db.execute(
        "update session set revoked_at = $3, revoked_why = $4 where id = $1 and subject = $2 and revoked_at is null",
        session,
        subject,
        now,
        why,
    )
    return revoked == 1


async def revoke_sessions(subject: UUID, why: str, now: datetime) -> int:
    """Revoke all sessions of a subject and return how many."""
    return await db.execute(
        "update session set revoked_at = $2, revoked_why = $3 where subject = $1 and revoked_at is null",
        subject,
        now,
        why,
    )


async def add_refresh(digest: str, session: UUID, issued_at: datetime, expires_at: datetime) -> None:
    """Store the hash of a refresh token."""
    await db.execute(
        "insert into refresh_token (digest, session, issued_at, expires_at) values ($1, $2, $3, $4)",
        digest,
        session,
        issued_at,
        expires_at,
    )


async def lock_refresh(digest: str) -> Refresh | None:
    """Lock a refresh token; None when it is not ours."""
    row = await db.fetchrow(
        "select r.session, r.expires_at, r.used_at, s.revoked_at, s.subject, s.kind, d.state as device_state"
        " from refresh_token r join session s on s.id = r.session left join device d on d.id = s.device"
        " where r.digest = $1 for update of r, s",
        digest,
    )
    return None if row is None else msgspec.convert(dict(row), Refresh)


async def use_refresh(digest: str, session: UUID, now: datetime) -> None:
    """Mark a refresh token as used."""
    await db.execute("update refresh_token set used_at = $2 where digest = $1", digest, now)
    await db.execute("update session set refreshed_at = $2 where id = $1", session, now)


async def forget_refresh(before: datetime) -> None:
    """Forget refresh tokens that expired before an instant; used ones stay as long, to reveal a theft."""
    await db.execute("delete from refresh_token where expires_at < $1", before)


async def citizen(openid_hash: str, new_id: UUID, now: datetime) -> UUID:
    """Return the citizen of an openid, made on first sight."""
    return await db.fetchval(
        "insert into citizen (id, openid_hash, created_at) values ($1, $2, $3)"
        " on conflict (openid_hash) do update set openid_hash = excluded.openid_hash returning id",
        new_id,
        openid_hash,
        now,
    )


async def credentials_of_sso(subject: str) -> Credentials | None:
    """Return what sign-in needs of the account linked to a person at the identity provider."""
    row = await db.fetchrow(
        "select id, password_hash, must_change, disabled_at from account where sso_subject = $1",
        subject,
    )
    return None if row is None else msgspec.convert(dict(row), Credentials)


async def link_sso(account_id: UUID, subject: str | None) -> None:
    """Link an account to a person at the identity provider; SsoSubjectTaken when another one is."""
    try:
        await db.execute("update account set sso_subject = $2 where id = $1", account_id, subject)
    except UniqueViolationError as error:
        raise SsoSubjectTaken from error


async def add_oidc_login(state_digest: str, attempt: Attempt, expires_at: datetime) -> None:
    """Keep a sign-in under way at the identity provider."""
    await db.execute(
        "insert into oidc_login (state_digest, browser, nonce, verifier, expires_at) values ($1, $2, $3, $4, $5)",
        state_digest,
        attempt.browser,
        attempt.nonce,
        attempt.verifier,
        expires_at,
    )


async def take_oidc_login(state_digest: str, state: str, now: datetime) -> Attempt | None:
    """Take a sign-in out, so that it is used once; None when there is none or it has expired."""
    row = await db.fetchrow(
        "delete from oidc_login where state_digest = $1 returning browser, nonce, verifier, expires_at", state_digest
    )
    if row is None or row["expires_at"] <= now:
        return None
    return Attempt(state=state, nonce=row["nonce"], verifier=row["verifier"], browser=row["browser"])


async def forget_oidc_logins(before: datetime) -> None:
    """Forget sign-ins that expired before an instant."""
    await db.execute("delete from oidc_login where expires_at < $1", before)
