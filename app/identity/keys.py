"""Keys of machines: shown once, stored hashed; a push is signed with the key's secret (HMAC-SHA-256)."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

WINDOW = timedelta(minutes=5)
"""How far the timestamp of a signed request may be from the server's clock."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """What is known of a key; the key itself is not."""

    id: UUID
    source: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class NewKey(Struct, frozen=True, kw_only=True):
    """A key as it is handed over, once."""

    id: UUID
    source: str
    key: str
    secret: str


def new_key() -> tuple[str, str]:
    """Return a fresh (key, secret): 192 and 256 random bits, recognisable by their prefixes."""
    return f"zjwk_{secrets.token_urlsafe(24)}", f"zjws_{secrets.token_urlsafe(32)}"


def sign(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the hex HMAC-SHA-256 over `timestamp LF nonce LF body`."""
    return hmac.new(secret.encode(), f"{timestamp}\n{nonce}\n".encode() + body, hashlib.sha256).hexdigest()


def signature_fits(secret: str, timestamp: str, nonce: str, body: bytes, signature: str) -> bool:
    """Compare a signature in constant time."""
    return hmac.compare_digest(sign(secret, timestamp, nonce, body), signature.lower())
