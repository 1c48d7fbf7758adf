"""`zjw services`: private database and queue without server and worker."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from app import running, settings
from app.embedded.services import remove


@click.group("services")
def command() -> None:
    """The private database and queue of this checkout."""


@command.command("start")
def start() -> None:
    """Start them and print their addresses."""
    home = settings.read().home
    home.mkdir(parents=True, exist_ok=True)
    running.start_services(home, dict(os.environ))
    given = settings.load()
    click.echo(f"export DATABASE_URL='{given.database_url}'\nexport DATABASE_OWNER_URL='{given.database_owner_url}'")
    click.echo(f"export REDIS_URL='{given.redis_url}'")


@command.command("stop")
def stop() -> None:
    """Stop them."""
    running.stop_services(settings.read().home)


@command.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True)
def test(words: tuple[str, ...]) -> None:
    """Run a command (the tests) with ZJW_TEST_HOME set to a new folder, and remove all that was started in it."""
    with tempfile.TemporaryDirectory(prefix="zjw-") as folder:
        os.chmod(folder, 0o755)  # the database's own user must get through
        home = Path(folder) / "home"
        try:
            done = subprocess.run(words, env=os.environ | {"ZJW_TEST_HOME": str(home)}, check=False)
        finally:
            remove(home)
    sys.exit(done.returncode)
