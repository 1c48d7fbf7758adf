"""`zjw migrate`: every district of the database to the newest state."""

import asyncio
from urllib.parse import unquote, urlsplit

import click
from tqdm import tqdm

from app import reach, settings
from app.kernel import clock
from app.settings import Settings
from app.trouble import Trouble
from migrations import roles, runner


@click.command("migrate")
@click.option("--check", is_flag=True, help="Only say what is missing; exit code 1 if anything is.")
def command(check: bool) -> None:
    """Bring every district schema to the newest state. Running it again changes nothing."""
    chosen = settings.load()
    address = chosen.database_owner_url
    with reach.database(address):
        if check:
            report_missing(address)
        else:
            codes = migrate(address)
            let_in(chosen)
            click.echo(f"{len(codes)} district(s) up to date: {', '.join(codes) or 'none yet (`zjw district add`)'}")


def migrate(address: str) -> list[str]:
    """Migrates with a progress bar if it takes more than 2 s; gives the codes of the districts."""
    with tqdm(desc="migrations", unit="step", delay=2, leave=False) as bar:

        def progress(schema: str, done: int, of: int) -> None:
            bar.set_postfix_str(f"{schema} {done}/{of}", refresh=False)
            bar.update()

        try:
            return asyncio.run(runner.migrate(address, clock.now(), progress))
        except runner.MigrationFailed as failed:
            raise Trouble(f"{failed}; mend the step and run `zjw migrate` again, which goes on there.") from None


def let_in(chosen: Settings) -> None:
    """Give the application's role the password that DATABASE_URL has for it."""
    asked = urlsplit(chosen.database_url)
    if chosen.database_url != chosen.database_owner_url and asked.username == roles.APPLICATION and asked.password:
        asyncio.run(roles.set_password(chosen.database_owner_url, unquote(asked.password)))


def report_missing(address: str) -> None:
    """Prints what `migrate` would do; ends with exit code 1 if that is anything."""
    lacks = asyncio.run(runner.missing(address))
    for schema, ids in lacks.items():
        click.echo(f"{schema} lacks {', '.join(ids)}")
    if lacks:
        raise Trouble("Migrations are missing: run `zjw migrate`.")
    click.echo("up to date")
