"""Queries of devices, machine keys and the access log; the caller opens the transaction."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from app.identity.devices import Device, DeviceState
from app.identity.keys import ApiKey
from app.kernel import db


class AccessView(Struct, frozen=True, kw_only=True):
    """One line of the access log."""

    id: UUID
    at: datetime
    actor: UUID
    kind: str
    action: str
    object: str
    reason: str | None


async def lock_device(device: UUID) -> Device | None:
    """Lock and return a device."""
    row = await db.fetchrow("select id, account, name, state from device where id = $1 for update", device)
    return None if row is None else msgspec.convert(dict(row), Device)


async def device(device_id: UUID) -> Device | None:
    """Return a device."""
    row = await db.fetchrow("select id, account, name, state from device where id = $1", device_id)
    return None if row is None else msgspec.convert(dict(row), Device)


async def devices_of(account_id: UUID) -> list[Device]:
    """Return the devices of a person."""
    rows = await db.fetch("select id, account, name, state from device where account = $1 order by id", account_id)
    return [msgspec.convert(dict(row), Device) for row in rows]


async def add_device(new: Device, now: datetime) -> None:
    """Register a device; one that is known stays as it is."""
    await db.execute(
        "insert into device (id, account, name, state, registered_at, changed_at) values ($1, $2, $3, $4, $5, $5)"
        " on conflict (id) do nothing",
        new.id,
        new.account,
        new.name,
        new.state.value,
        now,
    )


async def set_device_state(device_id: UUID, state: DeviceState, now: datetime) -> None:
    """Change what a device may do."""
    await db.execute("update device set state = $2, changed_at = $3 where id = $1", device_id, state.value, now)


async def name_device(device_id: UUID, name: str) -> None:
    """Call a device by another name."""
    await db.execute("update device set name = $2 where id = $1", device_id, name)


async def add_key(key: ApiKey, digest: str, sealed_secret: str) -> None:
    """Store a key's hash and its sealed secret."""
    await db.execute(
        "insert into api_key (id, digest, source, secret, scopes, created_at, expires_at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        key.id,
        digest,
        key.source,
        sealed_secret,
        key.scopes,
        key.created_at,
        key.expires_at,
    )


async def key_of(digest: str) -> tuple[ApiKey, str] | None:
    """Return a key and its sealed secret by the key's hash."""
    row = await db.fetchrow(
        "select id, source, scopes, created_at, expires_at, last_used_at, revoked_at, secret from api_key"
        " where digest = $1",
        digest,
    )
    if row is None:
        return None
    values = dict(row)
    secret = values.pop("secret")
    return msgspec.convert(values, ApiKey), secret


async def source_of_key(key: UUID) -> str | None:
    """Return the source a key in force was made for; None for no such key."""
    return await db.fetchval("select source from api_key where id = $1 and revoked_at is null", key)


async def keys() -> list[ApiKey]:
    """Return all keys (never the secrets)."""
    rows = await db.fetch(
        "select id, source, scopes, created_at, expires_at, last_used_at, revoked_at from api_key order by id"
    )
    return [msgspec.convert(dict(row), ApiKey) for row in rows]


async def touch_key(key: UUID, now: datetime) -> None:
    """Note that a key was used."""
    await db.execute("update api_key set last_used_at = $2 where id = $1", key, now)


async def revoke_key(key: UUID, now: datetime) -> bool:
    """Revoke a key; False when there is none of that id in force."""
    return await db.execute("update api_key set revoked_at = $2 where id = $1 and revoked_at is null", key, now) == 1


async def use_nonce(key: UUID, nonce: str, now: datetime) -> bool:
    """Claim a nonce; False when it came before."""
    claimed = await db.execute(
        "insert into used_nonce (api_key, nonce, used_at) values ($1, $2, $3) on conflict do nothing", key, nonce, now
    )
    return claimed == 1


async def forget_nonces(before: datetime) -> None:
    """Forget nonces so old that the timestamp alone refuses their replay."""
    await db.execute("delete from used_nonce where used_at < $1", before)


async def add_access(entry: AccessView) -> None:
    """Write one line of the access log."""
    await db.execute(
        "insert into access_log (id, at, actor, kind, action, object, reason) values ($1, $2, $3, $4, $5, $6, $7)",
        *msgspec.structs.astuple(entry),
    )


async def access_log(before: UUID | None, limit: int) -> list[AccessView]:
    """Return the newest lines of the access log before an id."""
    rows = await db.fetch(
        "select id, at, actor, kind, action, object, reason from access_log where $1::uuid is null or id < $1"
        " order by id desc limit $2",
        before,
        limit,
    )
    return [msgspec.convert(dict(row), AccessView) for row in rows]
