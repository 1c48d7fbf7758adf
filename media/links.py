"""Short-lived links to evidence: signed by HMAC-SHA256, so that serving them needs no session; pure."""

import hashlib
import hmac
from uuid import UUID

VARIANTS = ("original", "1280", "320")


def sign(key: bytes, district: str, evidence: UUID, variant: str, expires: int) -> str:
    """The signature of a link that ends at `expires` (Unix seconds): 64 hexadecimal digits."""
    text = f"media-link|{district}|{evidence}|{variant}|{expires}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def path(key: bytes, district: str, evidence: UUID, variant: str, expires: int) -> str:
    """The path and query of a link, below the server's address."""
    signature = sign(key, district, evidence, variant, expires)
    return f"/v1/media/{district}/{evidence}/{variant}?expires={expires}&signature={signature}"


def holds(key: bytes, district: str, evidence: UUID, variant: str, expires: int, signature: str) -> bool:
    """Whether the signature is ours (compared in constant time)."""
    expected = sign(key, district, evidence, variant, expires)
    return hmac.compare_digest(expected.encode(), signature.encode())
