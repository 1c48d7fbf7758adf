"""Keys of machines: shown once, stored hashed; a change is signed with the key's secret (HMAC-SHA-256)."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

WINDOW = timedelta(minutes=5)
"""How far the timestamp of a signed request may be from the server's clock."""

_SECONDS = re.compile("[0-9]{1,12}")
_NONCE = re.compile("[A-Za-z0-9._~-]{8,100}")


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


def request_text(method: str, target: str, body: bytes) -> bytes:
    """Return what of a request is signed: `METHOD LF path?query LF body`; the target as it is sent, percent-encoded."""
    return f"{method}\n{target}\n".encode() + body


def is_timely(timestamp: str, now: datetime) -> bool:
    """Whether a timestamp in Unix seconds is at most `WINDOW` before or after an instant."""
    if not _SECONDS.fullmatch(timestamp):
        return False
    return abs(int(timestamp) - now.timestamp()) <= WINDOW.total_seconds()


def is_nonce(nonce: str) -> bool:
    """Whether a nonce is 8 to 100 characters that need no encoding in an address."""
    return _NONCE.fullmatch(nonce) is not None


def sign(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the hex HMAC-SHA-256 over `timestamp LF nonce LF body`; of a request, `body` is its `request_text`."""
    return hmac.new(secret.encode(), f"{timestamp}\n{nonce}\n".encode() + body, hashlib.sha256).hexdigest()


def signature_fits(secret: str, timestamp: str, nonce: str, body: bytes, signature: str) -> bool:
    """Compare a signature in constant time."""
    # as bytes: the comparison of texts fails for characters beyond ASCII
    return hmac.compare_digest(sign(secret, timestamp, nonce, body).encode(), signature.lower().encode())
