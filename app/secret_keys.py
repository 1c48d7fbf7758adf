"""The keys of one installation: made once at random, kept in a file only its owner can read."""

import base64
import os
import re
import secrets
import tomllib
from pathlib import Path

from msgspec import Struct

from app.embedded.services import locked

FILE = "secrets.toml"


class Keys(Struct, frozen=True):
    """`jwt` signs access tokens (base64); `cipher` are `id:base64` keys of personal data, the first seals."""

    jwt: str
    cipher: tuple[str, ...]


def load_or_make(home: Path) -> Keys:
    """The keys in `home/secrets.toml` (mode 600), made if there are none. Losing the file loses the sealed data."""
    path = home / FILE
    with locked(home / "secrets.lock"):
        if not path.exists():
            _write(path, Keys(_random(), (f"k1:{_random()}",)))
    return _read(path)


def add(home: Path) -> str:
    """Make a key of personal data that seals from the next start on, keep all others for opening; return its id."""
    load_or_make(home)
    with locked(home / "secrets.lock"):
        keys = _read(home / FILE)
        numbers = [int(id_[1:]) for key in keys.cipher if re.fullmatch(r"k\d+", id_ := key.partition(":")[0])]
        fresh = f"k{max(numbers, default=0) + 1}"  # the newest is never dropped, so no id is used twice
        _write(home / FILE, Keys(keys.jwt, (f"{fresh}:{_random()}", *keys.cipher)))
    return fresh


def drop(home: Path, key_id: str) -> bool:
    """Forget a key that no longer seals; False when there is none of that id, or it is the one that seals."""
    load_or_make(home)
    with locked(home / "secrets.lock"):
        keys = _read(home / FILE)
        left = tuple(key for key in keys.cipher[1:] if key.partition(":")[0] != key_id)
        if len(left) == len(keys.cipher) - 1:
            return False
        _write(home / FILE, Keys(keys.jwt, (keys.cipher[0], *left)))
    return True


def _read(path: Path) -> Keys:
    text = tomllib.loads(path.read_text())
    return Keys(text["jwt"], tuple(text["cipher"]))


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _write(path: Path, keys: Keys) -> None:
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    quoted = ", ".join(f'"{key}"' for key in keys.cipher)
    text = f'# Keys of this installation. Keep a copy in a safe place.\njwt = "{keys.jwt}"\ncipher = [{quoted}]\n'
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    half.rename(path)
