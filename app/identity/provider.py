"""The OpenID provider over HTTP: its discovery document and keys (kept for an hour), and the exchange of a code."""

from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from app.identity.oidc import Client, Discovery
from app.identity.problems import SsoRefused
from app.kernel.problem import Unavailable

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0
KEEP = timedelta(hours=1)
"""How long a provider's addresses and keys are believed; keys also change as soon as an unknown one appears."""


class _Answer(Struct, frozen=True):
    id_token: str


class Provider:
    """One provider as this process knows it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._discovery: tuple[datetime, Discovery] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    async def discovery(self, now: datetime) -> Discovery:
        """Return the discovery document; Unavailable when the provider does not answer or is another one."""
        if self._discovery is None or self._discovery[0] <= now:
            content = await _fetch(f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration")
            found = _decode(content, Discovery)
            if found.issuer != self.client.issuer:  # Discovery 4.3
                raise _unavailable()
            self._discovery = (now + KEEP, found)
        return self._discovery[1]

    async def keys(self, now: datetime, *, afresh: bool = False) -> KeySet:
        """Return the keys that sign ID tokens; `afresh` asks the provider again."""
        if afresh or self._keys is None or self._keys[0] <= now:
            content = await _fetch((await self.discovery(now)).jwks_uri)
            try:
                self._keys = (now + KEEP, KeySet.import_key_set(msgspec.json.decode(content)))
            except (JoseError, msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
                raise _unavailable() from error
        return self._keys[1]

    async def id_token(self, code: str, verifier: str, now: datetime) -> str:
        """Exchange a code for an ID token; SsoRefused when the provider refuses it, Unavailable when it is away."""
        discovery = await self.discovery(now)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": verifier,
        }
        auth: httpx.BasicAuth | None = None
        if "client_secret_basic" in discovery.token_endpoint_auth_methods_supported:
            # RFC 6749 2.3.1: both are form-encoded first
            auth = httpx.BasicAuth(quote(self.client.client_id, ""), quote(self.client.client_secret, ""))
        else:
            form |= {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, auth=auth) as http:
                answer = await http.post(discovery.token_endpoint, data=form)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unavailable() from error
        if answer.status_code == 400:
            raise SsoRefused(reason="code")
        if answer.status_code != 200:
            raise _unavailable()
        return _decode(answer.content, _Answer).id_token


async def _fetch(url: str) -> bytes:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
            answer = await http.get(url)
            answer.raise_for_status()
            return answer.content
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unavailable() from error


def _decode(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable(("统一身份认证平台暂时无法访问", "The identity provider does not answer"))
