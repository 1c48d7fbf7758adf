"""`zjw status`: what of this checkout runs."""

import click

from app import running, settings
from app.embedded.postgres import Postgres
from app.embedded.valkey import Valkey


@click.command("status")
def command() -> None:
    """Say whether server, worker and the private database and queue run. Exit code 1 if the server is not ready."""
    home = settings.read().home
    there = running.running(home)
    is_ready = there is not None and running.ready(there.url)
    click.echo(f"server and worker: {f'supervised by process {there.pid} at {there.url}' if there else 'not running'}")
    click.echo(f"ready: {'yes' if is_ready else 'no'}")
    database = (home / "postgres").exists() and Postgres.at(home).running()
    click.echo(f"private database: {'running' if database else 'not running'}")
    click.echo(f"private queue: {'running' if Valkey.at(home).running() else 'not running'}")
    if not is_ready:
        raise SystemExit(1)
