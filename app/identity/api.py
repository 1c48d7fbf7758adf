"""Signing in and out, devices, accounts, keys and the access log, over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta, Struct

from app.identity import administration_commands as administration
from app.identity import commands, keystore, scope, store
from app.identity.accounts import Account
from app.identity.commands import Tokens
from app.identity.devices import Device, DeviceState
from app.identity.keys import ApiKey, NewKey
from app.identity.keystore import AccessView
from app.identity.matrix import ACTIONS
from app.identity.store import SessionView
from app.kernel import db
from app.kernel.actor import Actor, Membership
from app.kernel.problem import FieldError, Invalid

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Secret = Annotated[str, Meta(max_length=1000)]


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """用户名、密码，以及手机的设备号（可选）。"""

    username: Annotated[str, Meta(max_length=200)]
    password: Secret
    device_id: UUID | None = None


class RefreshToken(Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token of the last answer."""

    refresh_token: Secret


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The old password and the one to replace it."""

    old_password: Secret
    new_password: Secret


class NewDevice(Struct, frozen=True, forbid_unknown_fields=True):
    """A phone: the id it made for itself and a name people know it by."""

    id: UUID
    name: Annotated[str, Meta(max_length=100)] = ""


class DeviceChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The new state of a device."""

    state: DeviceState


class NewAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """A staff account to be made; the first password must be changed at the first sign-in."""

    username: Name
    name: Name
    password: Secret


class KeyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A machine key to be made: whose it is and which actions of the rights matrix it may do."""

    source: Name
    scopes: Annotated[list[str], Meta(max_length=len(ACTIONS))]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class Added(Struct, frozen=True):
    """The id of what was added."""

    id: UUID


class Me(Struct, frozen=True, kw_only=True):
    """Who I am to this platform."""

    id: UUID
    kind: str
    district: str
    memberships: tuple[Membership, ...]


PUBLIC: dict[str, Any] = {"public": True}
SIGNED_IN: dict[str, Any] = {"signed_in": True}


@post("/auth/login", opt=PUBLIC, tags=["auth"], status_code=200)
async def login(data: JSONBody[Login], district: NamedDependency[str], now: NamedDependency[datetime]) -> Tokens:
    """Sign in with username and password."""
    return await commands.login(district, data.username, data.password, data.device_id, now)


@post("/auth/refresh", opt=PUBLIC, tags=["auth"], status_code=200)
async def refresh(
    data: JSONBody[RefreshToken], district: NamedDependency[str], now: NamedDependency[datetime]
) -> Tokens:
    """Exchange a refresh token for fresh tokens; the old one is used up. Using one twice ends the session."""
    return await commands.refresh(district, data.refresh_token, now)


@get("/me", opt=SIGNED_IN, tags=["auth"])
async def me(actor: NamedDependency[Actor]) -> Me:
    """Tell who the bearer of the token is and what roles they hold."""
    return Me(id=actor.id, kind=actor.kind, district=actor.district, memberships=actor.memberships)


@get("/auth/sessions", opt={"action": "session.manage"}, tags=["auth"])
async def sessions(actor: NamedDependency[Actor]) -> list[SessionView]:
    """List my open sessions, the most recently used first."""
    scope.require_any(actor, "session.manage")
    return await commands.sessions(actor)


@delete("/auth/sessions/{session_id:uuid}", opt={"action": "session.manage"}, tags=["auth"])
async def end_session(
    session_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """End one of my sessions."""
    scope.require_any(actor, "session.manage")
    await commands.logout(actor, session_id, now)


@post("/auth/logout", opt={"action": "session.manage", "first_password": True}, tags=["auth"], status_code=204)
async def logout(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """End this session."""
    scope.require_any(actor, "session.manage")
    if actor.session is not None:
        await commands.logout(actor, actor.session, now)


@post("/auth/logout-everywhere", opt={"action": "session.manage"}, tags=["auth"], status_code=204)
async def logout_everywhere(actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """End all my sessions, this one too."""
    scope.require_any(actor, "session.manage")
    await commands.logout_everywhere(actor, now)


@post("/auth/password", opt={"signed_in": True, "first_password": True}, tags=["auth"], status_code=204)
async def change_password(
    data: JSONBody[PasswordChange], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """Replace my password; my other sessions end."""
    await commands.change_password(actor, data.old_password, data.new_password, now)


@post("/devices", opt={"action": "device.register"}, tags=["devices"])
async def register_device(
    data: JSONBody[NewDevice], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Device:
    """Register a phone to me."""
    scope.require_any(actor, "device.register")
    return await commands.register_device(actor, data.id, data.name, now)


@post("/devices/{device_id:uuid}/state", opt={"action": "device.manage"}, tags=["devices"], status_code=200)
async def change_device(
    device_id: FromPath[UUID],
    data: JSONBody[DeviceChange],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Device:
    """Retire a phone, or report it stolen: it then gets 401 and is told to wipe."""
    scope.require_any(actor, "device.manage")
    return await administration.change_device(actor, device_id, data.state, now)


@get("/accounts", opt={"action": "account.manage"}, tags=["accounts"])
async def list_accounts(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    after: FromQuery[str] = "",
    limit: FromQuery[int] = 100,
) -> Response[list[Account]]:
    """List staff accounts by username; `after` is the last username of the page before, `Link` names the next one."""
    scope.require_any(actor, "account.manage")
    most = max(1, min(limit, 500))
    async with db.transaction(actor.district):
        rows = await store.accounts(after, most)
    return _page(request, rows, most, {"after": rows[-1].username if rows else ""})


@post("/accounts", opt={"action": "account.manage"}, tags=["accounts"])
async def create_account(
    data: JSONBody[NewAccount], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Account:
    """Make a staff account."""
    scope.require_any(actor, "account.manage")
    return await administration.make_account(actor, data.username, data.name, data.password, now)


@post("/accounts/{account_id:uuid}/memberships", opt={"action": "account.manage"}, tags=["accounts"])
async def add_membership(
    account_id: FromPath[UUID],
    data: JSONBody[Membership],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Added:
    """Give an account a role in an organisation over an area."""
    scope.require_any(actor, "account.manage")
    if not (data.area.startswith(actor.district) and len(data.area) in (6, 9, 12, 15) and data.area.isdigit()):
        raise Invalid(
            [
                FieldError(
                    "area",
                    ("区域代码应为本区的 6、9、12 或 15 位", "An area code of this district has 6, 9, 12 or 15 digits"),
                )
            ]
        )
    return Added(await administration.give_role(actor, account_id, data, now))


@delete(
    "/accounts/{account_id:uuid}/memberships/{membership_id:uuid}", opt={"action": "account.manage"}, tags=["accounts"]
)
async def end_membership(
    account_id: FromPath[UUID],
    membership_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """Take a role away."""
    scope.require_any(actor, "account.manage")
    await administration.end_role(actor, account_id, membership_id, now)


@post("/accounts/{account_id:uuid}/disable", opt={"action": "account.manage"}, tags=["accounts"], status_code=204)
async def disable_account(
    account_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """Close an account; its sessions end."""
    scope.require_any(actor, "account.manage")
    await administration.close_account(actor, account_id, now)


@get("/keys", opt={"action": "key.manage"}, tags=["keys"])
async def list_keys(actor: NamedDependency[Actor]) -> list[ApiKey]:
    """List the keys of machines, without the keys themselves."""
    scope.require_any(actor, "key.manage")
    async with db.transaction(actor.district):
        return await keystore.keys()


@post("/keys", opt={"action": "key.manage"}, tags=["keys"])
async def create_key(
    data: JSONBody[KeyRequest], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> NewKey:
    """Make a machine's key. Key and secret are shown here and never again."""
    scope.require_any(actor, "key.manage")
    unknown = [
        FieldError(f"scopes[{n}]", ("未知的权限", "No such action"))
        for n, name in enumerate(data.scopes)
        if name not in ACTIONS
    ]
    if unknown:
        raise Invalid(unknown)
    return await administration.make_key(actor, data.source, data.scopes, now, data.expires_at)


@delete("/keys/{key_id:uuid}", opt={"action": "key.manage"}, tags=["keys"])
async def revoke_key(key_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> None:
    """Revoke a machine's key."""
    scope.require_any(actor, "key.manage")
    await administration.end_key(actor, key_id, now)


@get("/access-log", opt={"action": "access_log.read"}, tags=["audit"])
async def access_log(
    request: Request[Any, Any, Any],
    actor: NamedDependency[Actor],
    before: FromQuery[UUID | None] = None,
    limit: FromQuery[int] = 100,
) -> Response[list[AccessView]]:
    """Read who looked at what and why, newest first; `before` is the last id of the page before, `Link` the next."""
    scope.require_any(actor, "access_log.read")
    most = max(1, min(limit, 500))
    async with db.transaction(actor.district):
        rows = await keystore.access_log(before, most)
    return _page(request, rows, most, {"before": str(rows[-1].id) if rows else ""})


def _page(request: Request[Any, Any, Any], rows: list[Any], limit: int, mark: dict[str, str]) -> Response[Any]:
    """The rows, with a Link to the next page when there may be one (RFC 8288)."""
    headers: dict[str, str] = {}
    if len(rows) == limit:
        following = dict(request.query_params.items()) | mark | {"limit": str(limit)}
        headers["Link"] = f'<{request.url.path}?{urlencode(following)}>; rel="next"'
    return Response(rows, headers=headers)


routes = [
    login, refresh, me, sessions, end_session, logout, logout_everywhere, change_password, register_device,
    change_device, list_accounts, create_account, add_membership, end_membership, disable_account, list_keys,
    create_key, revoke_key, access_log,
]  # fmt: skip
