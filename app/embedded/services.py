"""Database and queue of one home folder together, started once however many processes ask."""

import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from msgspec import Struct

from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey


class Services(Struct, frozen=True):
    """What runs below one home folder."""

    home: Path
    postgres: Postgres
    valkey: Valkey

    @classmethod
    def at(cls, home: Path, *, durable: bool = True) -> Self:
        """The services of `home`, which is made if absent. Raises Trouble if PostGIS is not installed."""
        home = home.resolve()
        home.mkdir(parents=True, exist_ok=True)
        return cls(home, Postgres.at(home, durable=durable), Valkey.at(home, durable=durable))

    def start(self) -> None:
        """Starts both; of two starters one waits for the other. Raises Trouble."""
        with locked(self.home / "services.lock"):
            self.postgres.start()
            self.valkey.start()

    def stop(self) -> None:
        """Stops both cleanly."""
        with locked(self.home / "services.lock"):
            self.valkey.stop()
            self.postgres.stop()


def remove(home: Path) -> None:
    """Stops what runs below `home` and deletes the folder, also a cluster that lives outside of it."""
    if not home.exists():
        return
    services = Services.at(home, durable=False)
    services.valkey.stop()
    services.postgres.remove()
    shutil.rmtree(services.valkey.socket.parent, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Holds a lock file, so that of two starters one waits for the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
