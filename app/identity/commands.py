"""What identity does: each function one use case in one transaction; slow hashing happens outside of it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from app.identity import accounts, cipher, identification, keys, keystore, store, tokens
from app.identity.accounts import Account
from app.identity.devices import Device, DeviceState
from app.identity.keys import ApiKey, NewKey
from app.identity.keystore import AccessView
from app.identity.problems import (
    AccountLocked,
    AccountNotFound,
    DeviceNotFound,
    DeviceStolen,
    KeyNotFound,
    RefreshReused,
    SessionNotFound,
    SsoUnknownAccount,
    TokenExpired,
    WrongCredentials,
)
from app.kernel import db
from app.kernel.actor import Actor, Membership
from app.kernel.ids import new_id
from app.kernel.problem import FieldError, Invalid, NotPermitted

_hasher = PasswordHasher()  # argon2id with RFC 9106's low-memory parameters
NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""No password fits it. Checked for unknown usernames, so that they take as long to refuse as known ones."""

configure = identification.configure


class Tokens(Struct, frozen=True, kw_only=True):
    """The answer to a sign-in; `expires_in` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"
    must_change_password: bool = False


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def create_account(
    district: str, username: str, name: str, password: str, now: datetime, *, must_change: bool = True
) -> Account:
    """Make a staff account; Invalid for a weak password or bad username, UsernameTaken for a name in use."""
    return (await create_accounts(district, [(username, name)], password, now, must_change=must_change))[0]


async def create_accounts(
    district: str, people: Sequence[tuple[str, str]], password: str, now: datetime, *, must_change: bool = True
) -> list[Account]:
    """Make accounts (username, name) that begin with one password, hashed once; all or none, as `create_account`."""
    made = [
        Account(id=new_id(), username=username.strip().lower(), name=name, must_change=must_change)
        for username, name in people
    ]
    errors = [error for account in made for error in _account_errors(account, password)]
    if errors:
        raise Invalid(errors)
    password_hash = await asyncio.to_thread(_hasher.hash, password)
    async with db.transaction(district):
        for account in made:
            await store.add_account(account, password_hash, now)
    return made


def _account_errors(account: Account, password: str) -> list[FieldError]:
    errors = accounts.password_errors(password, account.username)
    if not 3 <= len(account.username) <= 64 or not account.username.isascii():
        errors.append(FieldError("username", ("用户名为 3–64 个英文字符", "A username has 3 to 64 ASCII characters")))
    if not account.name.strip():
        errors.append(FieldError("name", ("姓名不能为空", "A name is needed")))
    return errors


async def add_membership(district: str, account: UUID, membership: Membership, now: datetime) -> UUID:
    """Give an account a role in an organisation over an area; AccountNotFound for an unknown account."""
    membership_id = new_id()
    async with db.transaction(district):
        if await store.account(account) is None:
            raise AccountNotFound
        await store.add_membership(membership_id, account, membership, now)
    identification.forget_all()
    return membership_id


async def end_membership(district: str, account: UUID, membership: UUID, now: datetime) -> None:
    """Take a role away."""
    async with db.transaction(district):
        if not await store.end_membership(membership, account, now):
            raise AccountNotFound
    identification.forget_all()


async def disable_account(district: str, account: UUID, now: datetime) -> None:
    """Close an account and end all its sessions."""
    async with db.transaction(district):
        if await store.account(account) is None:
            raise AccountNotFound
        await store.disable(account, now)
        await store.revoke_sessions(account, "disabled", now)
    identification.forget_all()


async def login(district: str, username: str, password: str, device: UUID | None, now: datetime) -> Tokens:
    """Sign in; WrongCredentials, AccountLocked (with Retry-After) or DeviceStolen when refused.

    A username nobody has is refused in the same way, in the same time. A device seen for the first time is registered.
    """
    username = username.strip().lower()
    guard = tokens.digest(username)
    async with db.transaction(district):
        _refuse_locked(await store.locked_until(guard), now)
        found = await store.credentials(username)
    right = await asyncio.to_thread(_matches, found.password_hash if found else NO_PASSWORD, password)
    if found is None or not right or found.disabled_at is not None:
        await _count_wrong(district, guard, now)
        raise WrongCredentials
    async with db.transaction(district):
        _refuse_locked(await store.lock_failures(guard), now)  # by guesses made while this one was checked
        await store.clear_failures(guard)
        if device is not None:
            await _admit_device(found.id, device, None, now)
        return await _open_session(district, found.id, "staff", device, now, must_change=found.must_change)


async def _count_wrong(district: str, guard: str, now: datetime) -> None:
    async with db.transaction(district):
        until = accounts.locked_until(await store.count_failure(guard, now), now)
        if until is not None:
            await store.set_lock(guard, until)
    _refuse_locked(until, now)


def _refuse_locked(until: datetime | None, now: datetime) -> None:
    if until is not None and until > now:
        raise AccountLocked(headers={"Retry-After": str(max(1, ceil((until - now).total_seconds())))})


async def _admit_device(account: UUID, device: UUID, name: str | None, now: datetime) -> None:
    await keystore.add_device(Device(id=device, account=account, name=name or "", state=DeviceState.ACTIVE), now)
    known = await keystore.lock_device(device)
    if known is None or known.account != account:
        raise DeviceNotFound
    if known.state is DeviceState.STOLEN:
        raise DeviceStolen(wipe=True)
    if name is not None and name != known.name:
        await keystore.name_device(device, name)


async def _open_session(
    district: str, subject: UUID, kind: str, device: UUID | None, now: datetime, *, must_change: bool = False
) -> Tokens:
    session = new_id()
    await store.add_session(session, subject, kind, device, now)
    return await _issue(district, subject, session, kind, now, must_change=must_change)


async def _issue(
    district: str, subject: UUID, session: UUID, kind: str, now: datetime, *, must_change: bool = False
) -> Tokens:
    refresh = tokens.new_refresh_token()
    await store.add_refresh(tokens.digest(refresh), session, now, now + tokens.REFRESH_LIFE)
    expires = now + tokens.ACCESS_LIFE
    claims = tokens.Claims(
        subject=subject,
        session=session,
        district=district,
        kind="citizen" if kind == "citizen" else "staff",
        expires=int(expires.timestamp()),
    )
    return Tokens(
        access_token=identification.issue(claims),
        refresh_token=refresh,
        expires_in=int(tokens.ACCESS_LIFE.total_seconds()),
        must_change_password=must_change,
    )


async def login_citizen(district: str, openid: str, now: datetime) -> Tokens:
    """Sign in the citizen a mini-program vouches for; the first sign-in makes the citizen."""
    async with db.transaction(district):
        subject = await store.citizen(tokens.digest(openid), new_id(), now)
        return await _open_session(district, subject, "citizen", None, now)


async def login_sso(district: str, subject: str, now: datetime) -> Tokens:
    """Sign in the person an identity provider vouches for; SsoUnknownAccount unless an open account is linked."""
    async with db.transaction(district):
        found = await store.credentials_of_sso(subject)
        if found is None or found.disabled_at is not None:
            raise SsoUnknownAccount
        return await _open_session(district, found.id, "staff", None, now, must_change=found.must_change)


async def refresh(district: str, refresh_token: str, now: datetime) -> Tokens:
    """Rotate a refresh token; one that comes a second time revokes its session (RefreshReused)."""
    digest = tokens.digest(refresh_token)
    async with db.transaction(district):
        found = await store.lock_refresh(digest)
        if found is not None and found.device_state is DeviceState.STOLEN:
            raise DeviceStolen(wipe=True)
        if found is None or found.revoked_at is not None or found.expires_at <= now:
            raise TokenExpired
        if found.used_at is None:
            await store.use_refresh(digest, found.session, now)
            return await _issue(district, found.subject, found.session, found.kind, now)
        await store.revoke_session(found.session, found.subject, "refresh token reused", now)
    identification.forget_all()
    raise RefreshReused


async def sessions(actor: Actor) -> list[store.SessionView]:
    """Return the actor's open sessions."""
    async with db.transaction(actor.district):
        return await store.sessions(actor.id)


async def logout(actor: Actor, session: UUID, now: datetime) -> None:
    """End one session of the actor's own."""
    async with db.transaction(actor.district):
        if not await store.revoke_session(session, actor.id, "logout", now):
            raise SessionNotFound
    identification.forget_all()


async def logout_everywhere(actor: Actor, now: datetime) -> int:
    """End all sessions of the actor and return how many."""
    async with db.transaction(actor.district):
        ended = await store.revoke_sessions(actor.id, "logout everywhere", now)
    identification.forget_all()
    return ended


async def change_password(actor: Actor, old: str, new: str, now: datetime) -> None:
    """Replace the actor's password; all sessions but the present one end. Wrong old ones count as at sign-in."""
    async with db.transaction(actor.district):
        found = await store.credentials_of(actor.id)
        account = await store.account(actor.id)
        if found is None or account is None:
            raise WrongCredentials
        guard = tokens.digest(account.username)
        _refuse_locked(await store.locked_until(guard), now)
    if not await asyncio.to_thread(_matches, found.password_hash, old):
        await _count_wrong(actor.district, guard, now)
        raise WrongCredentials
    errors = accounts.password_errors(new, account.username, "new_password")
    if new == old:
        errors.append(FieldError("new_password", ("新密码不能与旧密码相同", "The new password is the old one")))
    if errors:
        raise Invalid(errors)
    password_hash = await asyncio.to_thread(_hasher.hash, new)
    async with db.transaction(actor.district):
        await store.set_password(actor.id, password_hash, must_change=False)
        await store.clear_failures(guard)
        for other in await store.sessions(actor.id):
            if other.id != actor.session:
                await store.revoke_session(other.id, actor.id, "password changed", now)
    identification.forget_all()


async def use_nonce(key: UUID, nonce: str, now: datetime) -> bool:
    """Claim a signed request's nonce in the caller's transaction; False when it is a replay."""
    return await keystore.use_nonce(key, nonce, now)


async def register_device(actor: Actor, device: UUID, name: str, now: datetime) -> Device:
    """Register a phone to the actor; the same again changes nothing; DeviceNotFound when it is another person's."""
    if actor.kind != "staff":
        raise NotPermitted(action="device.register")
    async with db.transaction(actor.district):
        await _admit_device(actor.id, device, name, now)
        found = await keystore.device(device)
    if found is None:
        raise DeviceNotFound
    return found


async def device(device_id: UUID) -> Device | None:
    """Return a device in the caller's transaction."""
    return await keystore.device(device_id)


async def set_device_state(district: str, device_id: UUID, state: DeviceState, now: datetime) -> Device:
    """Change what a device may do; a stolen one loses its sessions at once."""
    async with db.transaction(district):
        found = await keystore.lock_device(device_id)
        if found is None:
            raise DeviceNotFound
        await keystore.set_device_state(device_id, state, now)
    identification.forget_all()
    return Device(id=found.id, account=found.account, name=found.name, state=state)


async def create_key(
    district: str, source: str, scopes: list[str], now: datetime, expires_at: datetime | None = None
) -> NewKey:
    """Make a machine's key and signing secret; they are returned here and never again."""
    key, secret = keys.new_key()
    data = ApiKey(id=new_id(), source=source, scopes=scopes, created_at=now, expires_at=expires_at)
    async with db.transaction(district):
        await keystore.add_key(data, tokens.digest(key), cipher.seal(secret))
    return NewKey(id=data.id, source=source, key=key, secret=secret)


async def key_source(key: UUID) -> str | None:
    """Return, in the caller's transaction, the source a machine's key in force was made for, else None."""
    return await keystore.source_of_key(key)


async def revoke_key(district: str, key: UUID, now: datetime) -> None:
    """Revoke a machine's key."""
    async with db.transaction(district):
        if not await keystore.revoke_key(key, now):
            raise KeyNotFound


async def log_access(actor: Actor, action: str, object_: str, reason: str | None, now: datetime) -> None:
    """Write who looked at what and why, in the caller's transaction."""
    await keystore.add_access(
        AccessView(id=new_id(), at=now, actor=actor.id, kind=actor.kind, action=action, object=object_, reason=reason)
    )


async def tidy(district: str, now: datetime) -> None:
    """Delete what nobody asks for any more: old wrong passwords, nonces, used or expired refresh tokens."""
    async with db.transaction(district):
        await store.forget_failures(now - accounts.FORGET_AFTER)
        await store.forget_refresh(now - timedelta(days=1))
        await store.forget_oidc_logins(now)
        await keystore.forget_nonces(now - 2 * keys.WINDOW)
