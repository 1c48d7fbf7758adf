"""Personal fields at rest, sealed under a named key; every ciphertext names its algorithm and its key."""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

AES256GCM = "aes256gcm"
SM4GCM = "sm4gcm"
"""GB/T 32907 in the mode of GB/T 36624 (GCM, as in RFC 8998)."""
_NONCE, _TAG = 12, 16


class CannotOpen(ValueError):
    """The token is damaged, or sealed under a key or algorithm that is not configured."""


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes: ...


class _Sm4Gcm:
    """SM4 has keys of 128 bits: one is derived, so that no key is ever used by two algorithms."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(HKDF(algorithm=SHA256(), length=16, salt=None, info=SM4GCM.encode()).derive(key))

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        encryptor = Cipher(self._key, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        if len(data) < _TAG:
            raise InvalidTag
        decryptor = Cipher(self._key, modes.GCM(nonce, data[-_TAG:])).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-_TAG]) + decryptor.finalize()


_MAKERS: Mapping[str, Callable[[bytes], _Aead]] = {AES256GCM: AESGCM, SM4GCM: _Sm4Gcm}
ALGORITHMS = tuple(_MAKERS)
"""Names of all algorithms; all of them open, the configured one seals."""


class _Keys(NamedTuple):
    algorithm: str
    current: str
    by_id: dict[str, bytes]


_keys = _Keys(AES256GCM, "", {})


def configure(current: str, by_id: dict[str, bytes], algorithm: str = AES256GCM) -> None:
    """Set the keys (32 bytes each), the id of the one that seals and by which algorithm; the others only open.

    ValueError for bad keys, an unknown algorithm, or one the installed OpenSSL does not offer.
    """
    global _keys
    if current not in by_id or any(len(key) != 32 for key in by_id.values()):
        raise ValueError("cipher keys: 32 bytes each, the current one among them")
    if algorithm not in _MAKERS:
        raise ValueError(f"cipher: no algorithm {algorithm!r}, there are {', '.join(ALGORITHMS)}")
    try:
        _MAKERS[algorithm](by_id[current]).encrypt(bytes(_NONCE), b"", b"")
    except UnsupportedAlgorithm as error:
        raise ValueError(f"cipher: the OpenSSL of this machine does not offer {algorithm}") from error
    _keys = _Keys(algorithm, current, dict(by_id))


def prefix() -> str:
    """Return how every token sealed now begins; one that begins otherwise is due for a change of key."""
    return f"{_keys.algorithm}.{_keys.current}."


def seal(plain: str) -> str:
    """Return `<algorithm>.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>`."""
    nonce = secrets.token_bytes(_NONCE)
    named = prefix()
    sealed = _MAKERS[_keys.algorithm](_keys.by_id[_keys.current]).encrypt(nonce, plain.encode(), named[:-1].encode())
    return named + base64.urlsafe_b64encode(nonce + sealed).decode()


def open_(token: str) -> str:
    """Return the plain text of a token made by `seal`; CannotOpen when it was changed or its key is gone."""
    algorithm, _, rest = token.partition(".")
    key_id, _, body = rest.partition(".")
    key, maker = _keys.by_id.get(key_id), _MAKERS.get(algorithm)
    if maker is None or key is None:
        raise CannotOpen(f"sealed with {algorithm} under key {key_id!r}, which is not configured")
    try:
        raw = base64.urlsafe_b64decode(body)
        return maker(key).decrypt(raw[:_NONCE], raw[_NONCE:], f"{algorithm}.{key_id}".encode()).decode()
    except (InvalidTag, UnsupportedAlgorithm, ValueError) as error:
        raise CannotOpen("the sealed text was changed, or its algorithm is not offered here") from error


def reseal(token: str | None) -> str | None:
    """Return the same text sealed under the present key and algorithm; None stays None. CannotOpen as `open_`."""
    return token if token is None or token.startswith(prefix()) else seal(open_(token))


def mask(text: str) -> str:
    """Return the text with its middle hidden: `13800001234` → `138****1234`; short texts keep their first sign only."""
    if len(text) >= 8:
        return f"{text[:3]}****{text[-4:]}"
    return text[:1] + "*" * max(1, len(text) - 1)
