"""`zjw run`: what `make demo` does once the packages are there."""

import os
import socket
import subprocess
import sys

import click

from app import running, settings
from app.cli import COMMANDS
from app.cli.migrate import let_in, migrate
from app.embedded.postgres import APPLICATION, Postgres
from app.embedded.valkey import Valkey
from app.listening import listen
from app.programs import DEMO_APP
from app.reach import database
from app.settings import Settings
from app.supervisor import Supervisor


@click.command("run")
@click.option("--demo", type=click.Choice(["small", "month"]), help="Load the demo district if it is not there.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the server, instead of ZJW_PORT.")
@click.option("--detach", is_flag=True, help="Return when the server is ready; `zjw stop` ends it.")
@click.option("--supervise", type=int, hidden=True, help="Number of the open listening socket.")
def command(demo: str | None, port: int | None, detach: bool, supervise: int | None) -> None:
    """Start all that one machine needs and keep it running: database and queue (unless given), server, worker."""
    environment = dict(os.environ)
    if port is not None:
        environment["ZJW_PORT"] = str(port)
    if supervise is not None:
        _supervise(settings.load(environment), supervise, environment, announce=False)
        return
    asked = settings.read(environment)
    if there := running.running(asked.home):
        click.echo(f"Server and worker already run at {there.url}; `make stop` ends them.")
        return
    given = _prepare(asked, environment, demo)
    with listen(given.host, given.port) as listener:
        if detach:
            _detach(given, listener, environment)
        else:
            _supervise(given, listener.fileno(), environment, announce=True)


def _prepare(asked: Settings, environment: dict[str, str], demo: str | None) -> Settings:
    # An occupied port is said before anything is started.
    listen(asked.host, asked.port).close()
    click.echo("database and queue …")
    asked.home.mkdir(parents=True, exist_ok=True)
    running.start_services(asked.home, environment)
    if demo is not None and not environment.get("ZJW_MINI_PROGRAM_APP_ID"):
        environment |= _mini_program()
    given = settings.load(environment)
    environment |= _addresses(given)
    with database(given.database_owner_url):
        migrate(given.database_owner_url)
        let_in(given)
    if demo is not None and "demo" in COMMANDS:
        click.echo("demo district …")
        words = (sys.executable, "-m", "app", "demo", "load", "--kind", demo)
        owning = environment | {"DATABASE_OWNER_URL": given.database_owner_url}
        if code := subprocess.run(words, env=owning, check=False).returncode:
            sys.exit(code)
    environment.pop("DATABASE_OWNER_URL", None)  # server and worker do without
    return given


def _addresses(given: Settings) -> dict[str, str]:
    return {"DATABASE_URL": given.database_url, "REDIS_URL": given.redis_url, "MEDIA_URL": given.media_url}


def _mini_program() -> dict[str, str]:
    """The demo's citizens sign in through a stand-in on a free port of this machine."""
    with listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    return {"ZJW_MINI_PROGRAM_APP_ID": DEMO_APP, "ZJW_MINI_PROGRAM_URL": f"http://127.0.0.1:{port}"}


def _detach(given: Settings, listener: socket.socket, environment: dict[str, str]) -> None:
    process = running.detach(given, listener.fileno(), environment)
    log = given.home / "log" / "supervisor.log"
    running.wait_until_ready(given.base_url, lambda: process.poll() is None, log)
    _announce(given)
    click.echo("`make stop` ends it.")


def _supervise(given: Settings, listener_fd: int, environment: dict[str, str], *, announce: bool) -> None:
    held = running.hold(given.home, given.base_url)
    told = not announce

    def look() -> None:
        nonlocal told
        if not told and running.ready(given.base_url):
            told = True
            _announce(given)
            click.echo("Ctrl-C ends it.")

    try:
        Supervisor(running.processes(given, listener_fd, environment), click.echo).run(look)
        click.echo("server and worker stopped")
    finally:
        _stop_private(given)
        os.close(held)


def _stop_private(given: Settings) -> None:
    home = given.home
    if (home / "postgres").exists() and given.database_url == Postgres.at(home).url(user=APPLICATION):
        Postgres.at(home).stop()
    if given.redis_url == Valkey.at(home).url():
        Valkey.at(home).stop()


def _announce(given: Settings) -> None:
    click.echo(f"\n综警网 runs at {given.base_url}")
    click.echo(f"  API docs   {given.base_url}/docs\n  logs       {given.home / 'log'}")
    from app.demo import accounts  # only here: the demo's modules load the whole house

    if told := accounts.read(given.home):
        click.echo(f"  accounts   {given.home / accounts.FILE} ({len(told.accounts)} accounts, of which:)")
        one_each = {account.role: account for account in reversed(told.accounts)}
        for role, account in sorted(one_each.items()):
            click.echo(f"    {role:<16} {account.username:<24} {account.password}  {account.organisation_name}")
