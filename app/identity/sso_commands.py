"""Sign-in by the government's identity provider: begin, finish, and which account a person there has here.

Nothing is made by signing in: an administrator links the account first.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from app.identity import commands, identification, oidc, store, tokens
from app.identity.commands import Tokens
from app.identity.problems import AccountNotFound, SsoOff, SsoRefused, SsoStateRefused
from app.identity.provider import Provider
from app.kernel import db
from app.kernel.actor import Actor

_provider: Provider | None = None


class Beginning(Struct, frozen=True):
    """Where the browser goes next, and the secret it keeps as a cookie until it is back."""

    url: str
    browser: str
    secure: bool


def configure(client: oidc.Client | None) -> None:
    """Set the provider, or none: then every sign-in by it is refused with SsoOff."""
    global _provider
    _provider = None if client is None else Provider(client)


def _on() -> Provider:
    if _provider is None:
        raise SsoOff
    return _provider


async def begin(district: str, now: datetime) -> Beginning:
    """Begin a sign-in; SsoOff when there is no provider, Unavailable when it does not answer."""
    provider = _on()
    discovery = await provider.discovery(now)
    attempt = oidc.new_attempt(district)
    async with db.transaction(district):
        await store.add_oidc_login(tokens.digest(attempt.state), attempt, now + oidc.LOGIN_LIFE)
    return Beginning(
        url=oidc.authorization_url(discovery, provider.client, attempt),
        browser=attempt.browser,
        secure=provider.client.redirect_uri.startswith("https:"),
    )


async def finish(state: str, code: str, browser: str, now: datetime) -> Tokens:
    """Finish the sign-in of a state, once, in the browser that began it.

    SsoStateRefused for a state that is unknown, used, expired or another browser's; SsoRefused when the provider does
    not vouch for anybody; SsoUnknownAccount for somebody without an account here; Unavailable when it does not answer.
    """
    provider = _on()
    district = oidc.district_of(state)
    if district not in await db.districts():
        raise SsoStateRefused
    async with db.transaction(district):  # used up, whatever comes of it
        attempt = await store.take_oidc_login(tokens.digest(state), state, now)
    if attempt is None or not oidc.same(attempt.browser, browser):
        raise SsoStateRefused
    if not code:  # the person declined, or the provider did
        raise SsoRefused(reason="declined")
    id_token = await provider.id_token(code, attempt.verifier, now)
    return await commands.login_sso(district, await _subject(provider, id_token, attempt.nonce, now), now)


async def _subject(provider: Provider, id_token: str, nonce: str, now: datetime) -> str:
    try:
        try:
            return oidc.subject_of(id_token, await provider.keys(now), provider.client, nonce, now)
        except oidc.UnknownKey:
            keys = await provider.keys(now, afresh=True)
            return oidc.subject_of(id_token, keys, provider.client, nonce, now)
    except oidc.BadIdToken as error:
        raise SsoRefused(reason="id_token") from error


async def link(actor: Actor, account: UUID, subject: str | None, now: datetime) -> None:
    """Say who at the provider the account belongs to, or (None) nobody; its sessions end, the access log tells who did.

    A first password that was never changed ends with the link: the provider vouches for the person from now on.
    AccountNotFound, SsoSubjectTaken.
    """
    async with db.transaction(actor.district):
        found = await store.account(account)
        if found is None:
            raise AccountNotFound
        await store.link_sso(account, subject)
        if subject is not None and found.must_change:
            await store.set_password(account, commands.NO_PASSWORD, must_change=False)
        await store.revoke_sessions(account, "sign-in by the provider changed", now)
        await commands.log_access(actor, "account.manage", f"account:{account}", "sso", now)
    identification.forget_all()
