"""Files by their SHA-256 in a local folder; what is kept is on the disk before the call returns.

Four calls, so that an S3-compatible store can stand in later. All block: call them in a thread.
"""

import hashlib
import os
import secrets
import shutil
from pathlib import Path

_BLOCK = 1 << 20


def partial(root: Path, district: str, upload: str) -> Path:
    """Where an upload is collected until it is whole."""
    return root / district / "uploads" / upload


def begin(path: Path) -> None:
    """Make an empty partial file that survives a power cut."""
    _make_folder(path.parent)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    sync_folder(path.parent)


def where(root: Path, district: str, sha256: str) -> Path:
    """Where a kept file lies; the first digits spread files over folders."""
    return root / district / "files" / sha256[:2] / sha256[2:4] / sha256


def keep(root: Path, district: str, source: Path, sha256: str) -> Path:
    """Keep a whole file under its digest; `source` stays, so that a crash before the commit changes nothing."""
    target = where(root, district, sha256)
    if target.exists():
        sync_folder(target.parent)  # whoever kept it may have been killed before its name was on the disk
        return target
    _make_folder(target.parent)
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        half = _half(target)
        shutil.copyfile(source, half)
        _sync(half)
        half.replace(target)
    sync_folder(target.parent)
    return target


def put(root: Path, district: str, content: bytes) -> str:
    """Keep bytes (a derivative); return their SHA-256."""
    sha256 = hashlib.sha256(content).hexdigest()
    target = where(root, district, sha256)
    if not target.exists():
        _make_folder(target.parent)
        half = _half(target)
        half.write_bytes(content)
        _sync(half)
        half.replace(target)
        sync_folder(target.parent)
    return sha256


def digest(path: Path) -> str:
    """The SHA-256 of a file, read in blocks."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _half(target: Path) -> Path:
    """A name of its own for each writer: two may keep the same content at once."""
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}")


def _make_folder(folder: Path) -> None:
    """Make a folder and put its name on the disk, and those above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    _sync(folder)
