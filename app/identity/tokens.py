"""Access tokens (signed, short-lived, checked without the database) and refresh tokens (random, rotated, hashed)."""

import hashlib
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from app.kernel.actor import ActorKind

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=30)
ALGORITHM = "HS256"


_SHORT = {"subject": "sub", "session": "sid", "district": "dst", "kind": "knd", "expires": "exp"}


class Claims(Struct, frozen=True, kw_only=True):
    """What an access token says: whose it is, of which session, in which district, until when (unix seconds)."""

    subject: UUID
    session: UUID
    district: str
    kind: ActorKind
    expires: int


class BadToken(ValueError):
    """The access token is damaged, forged or expired."""


def issue(claims: Claims, key: bytes) -> str:
    """Return a compact JWS (HS256) of the claims."""
    content = msgspec.to_builtins(claims)
    return jwt.encode(
        {"alg": ALGORITHM}, {short: content[name] for name, short in _SHORT.items()}, OctKey.import_key(key)
    )


def read(token: str, key: bytes, now: datetime) -> Claims:
    """Return the claims of a token that is whole and not expired at `now`; BadToken otherwise."""
    claims = _signed(token, key)
    if claims.expires <= now.timestamp():
        raise BadToken("expired")
    return claims


@lru_cache(maxsize=20_000)
def _signed(token: str, key: bytes) -> Claims:
    """Return the claims of a token whose signature fits; the same token is not reckoned again with every request."""
    try:
        found = jwt.decode(token, OctKey.import_key(key), algorithms=[ALGORITHM]).claims
        return msgspec.convert({name: found[short] for name, short in _SHORT.items()}, Claims)
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise BadToken("not a token of ours") from error


def new_refresh_token() -> str:
    """Return a random refresh token (256 bits)."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the hash under which a random secret is stored: `sha256:<hex>`. It has 256 bits, so no salt is needed."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()
