"""OpenID Connect, the part without a network: where to send a person, and whom an ID token vouches for.

Sources: OpenID Connect Core 1.0 (3.1.2.1, 3.1.3.7), Discovery 1.0; RFC 7636 (PKCE); RFC 9700 (state bound to browser).
"""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from app.identity import tokens

ALGORITHMS = ["RS256", "ES256"]
"""Signatures taken: asymmetric ones only, so that nobody signs with what is public."""
LOGIN_LIFE = timedelta(minutes=10)
"""How long a person has at the provider."""
LEEWAY = timedelta(seconds=60)
"""How far the provider's clock may be from ours."""


class Client(Struct, frozen=True, kw_only=True):
    """What the provider knows us as; `redirect_uri` is where it sends people back to."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


class Discovery(Struct, frozen=True, kw_only=True):
    """The part of a provider's discovery document that is used; the default is the standard's."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Attempt(Struct, frozen=True, kw_only=True):
    """A sign-in under way: `state` names it, `browser` is the cookie of the browser that began it."""

    state: str
    nonce: str
    verifier: str
    browser: str


class Claims(Struct, frozen=True):
    """The claims of an ID token that decide; times in unix seconds."""

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: float
    iat: float
    nonce: str
    azp: str | None = None


class BadIdToken(ValueError):
    """The ID token is damaged, forged, expired, or meant for another client or another sign-in."""


class UnknownKey(BadIdToken):
    """The key that signed the ID token is not in the set: the provider may have changed its keys."""


def new_attempt(district: str) -> Attempt:
    """Return a fresh attempt; every secret has 256 bits. The state begins with the district it is for."""
    secret = tokens.new_refresh_token
    return Attempt(state=f"{district}.{secret()}", nonce=secret(), verifier=secret(), browser=secret())


def district_of(state: str) -> str:
    """Return the district a state says it is for, unchecked."""
    return state.partition(".")[0]


def challenge(verifier: str) -> str:
    """Return the S256 code challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization_url(discovery: Discovery, client: Client, attempt: Attempt) -> str:
    """Return where the browser goes to sign in."""
    query = urlencode(
        {
            "response_type": "code",
            "scope": "openid",
            "client_id": client.client_id,
            "redirect_uri": client.redirect_uri,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge(attempt.verifier),
            "code_challenge_method": "S256",
        }
    )
    separator = "&" if urlsplit(discovery.authorization_endpoint).query else "?"
    return f"{discovery.authorization_endpoint}{separator}{query}"


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ."""
    return secrets.compare_digest(one.encode(), other.encode())


def subject_of(id_token: str, keys: KeySet, client: Client, nonce: str, now: datetime) -> str:
    """Return the provider's name of the person (`sub`); BadIdToken when anything of Core 3.1.3.7 does not hold."""
    try:
        claims = msgspec.convert(jwt.decode(id_token, keys, algorithms=ALGORITHMS).claims, Claims)
    except InvalidKeyIdError as error:
        raise UnknownKey("signed by an unknown key") from error
    except (JoseError, ValueError, TypeError) as error:
        raise BadIdToken("not a token of the provider") from error
    fault = _fault(claims, client, nonce, now)
    if fault is not None:
        raise BadIdToken(fault)
    return claims.sub


def _fault(claims: Claims, client: Client, nonce: str, now: datetime) -> str | None:
    audience = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    several = len(audience) > 1 or claims.azp is not None
    instant, leeway = now.timestamp(), LEEWAY.total_seconds()
    faults = (
        (claims.iss != client.issuer, "of another issuer"),
        (client.client_id not in audience, "for another client"),
        (several and claims.azp != client.client_id, "asked for by another client"),
        (claims.exp + leeway <= instant, "expired"),
        (claims.iat - leeway > instant, "of the future"),
        (not same(claims.nonce, nonce), "of another sign-in"),
        (not 1 <= len(claims.sub) <= 255, "for nobody"),
    )
    return next((text for wrong, text in faults if wrong), None)
