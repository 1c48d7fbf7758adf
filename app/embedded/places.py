"""Where a private server keeps its files and sockets, and as whom it runs."""

import hashlib
import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.trouble import Trouble

SERVER_USER = "postgres"
"""PostgreSQL refuses to run as root, so root hands the cluster to this user (Debian's package creates it)."""

OUTSIDE = Path("/var/lib")
"""For clusters of a checkout that the server's user cannot reach, such as one below /root."""

SOCKET_PATH_LIMIT = 100
"""Bytes; the kernel allows 107 for the address of a unix socket (unix(7), sun_path)."""


def is_root() -> bool:
    """Whether this process may act as any user."""
    return os.geteuid() == 0


def as_server_user(command: Sequence[str | Path]) -> list[str]:
    """The command, run as the server's user when we are root and as ourselves otherwise."""
    words = [str(word) for word in command]
    return ["runuser", "-u", SERVER_USER, "--", *words] if is_root() else words


def digest(folder: Path) -> str:
    """A short name for a folder, the same every time."""
    return hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]


def cluster_folder(home: Path) -> Path:
    """The folder of the cluster of `home`: `home/postgres`, or outside if the server's user cannot get there.

    An outside folder is named after the checkout's path, so that a copied checkout never opens the original's data.
    """
    inside = home / "postgres"
    if not is_root() or _reachable(home):
        return inside
    outside = OUTSIDE / f"zjw-{digest(home)}"
    if inside.is_symlink() and inside.readlink() != outside:
        inside.unlink()
    if not inside.is_symlink():
        inside.symlink_to(outside)
    return outside


def make_private(folder: Path) -> None:
    """Creates the folder for the server's user alone (mode 700). Raises Trouble if it is somebody else's."""
    claim(folder)
    if is_root():
        entry = _server_user()
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o700)


def socket_folder(folder: Path, socket_name: str) -> Path:
    """The name of a folder for unix sockets: `folder/socket`, or a short one if the kernel would refuse the address."""
    inside = folder / "socket"
    if len(os.fsencode(inside / socket_name)) <= SOCKET_PATH_LIMIT:
        return inside
    return Path("/run" if is_root() else "/tmp") / f"zjw-{os.geteuid()}-{digest(folder)}"


def claim(folder: Path) -> None:
    """Creates the folder for us alone (mode 700) unless it is there. Raises Trouble if it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = folder.stat().st_uid
    ours = owner == os.geteuid() or (is_root() and pwd.getpwuid(owner).pw_name == SERVER_USER)
    if folder.is_symlink() or not ours:
        raise Trouble(f"The folder {folder} belongs to somebody else: remove it, or use a checkout with another path.")


def _server_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        raise Trouble(
            f"There is no system user `{SERVER_USER}`, as whom the database would run:"
            " install PostgreSQL with `apt-get install postgresql-15-postgis-3`, or do not run as root."
        ) from None


def _reachable(home: Path) -> bool:
    _server_user()
    test = subprocess.run(as_server_user(["test", "-x", home]), cwd="/", capture_output=True, check=False)
    return test.returncode == 0
