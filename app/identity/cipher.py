"""Personal fields at rest: AES-256-GCM under a named key; every ciphertext names its algorithm and its key."""

import base64
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM = "aes256gcm"


class CannotOpen(ValueError):
    """The token is damaged, or sealed under a key or algorithm that is not configured."""


class _Keys(NamedTuple):
    current: str
    by_id: dict[str, bytes]


_keys = _Keys("", {})


def configure(current: str, by_id: dict[str, bytes]) -> None:
    """Set the keys (32 bytes each) and the id of the one that seals; the others only open."""
    global _keys
    if current not in by_id or any(len(key) != 32 for key in by_id.values()):
        raise ValueError("cipher keys: 32 bytes each, the current one among them")
    _keys = _Keys(current, dict(by_id))


def seal(plain: str) -> str:
    """Return `aes256gcm.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>`."""
    nonce = secrets.token_bytes(12)
    prefix = f"{ALGORITHM}.{_keys.current}"
    sealed = AESGCM(_keys.by_id[_keys.current]).encrypt(nonce, plain.encode(), prefix.encode())
    return f"{prefix}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def open_(token: str) -> str:
    """Return the plain text of a token made by `seal`; CannotOpen when it was changed or its key is gone."""
    algorithm, _, rest = token.partition(".")
    key_id, _, body = rest.partition(".")
    key = _keys.by_id.get(key_id)
    if algorithm != ALGORITHM or key is None:
        raise CannotOpen(f"sealed with {algorithm} under key {key_id!r}, which is not configured")
    try:
        raw = base64.urlsafe_b64decode(body)
        return AESGCM(key).decrypt(raw[:12], raw[12:], f"{algorithm}.{key_id}".encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("the sealed text was changed") from error


def mask(text: str) -> str:
    """Return the text with its middle hidden: `13800001234` → `138****1234`; short texts keep their first sign only."""
    if len(text) >= 8:
        return f"{text[:3]}****{text[-4:]}"
    return text[:1] + "*" * max(1, len(text) - 1)
