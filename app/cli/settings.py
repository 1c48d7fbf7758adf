"""`zjw settings`: every setting with its present value."""

import click

from app import settings


@click.command("settings")
@click.option("--reference", is_flag=True, help="Print the settings reference in Markdown.")
def command(reference: bool) -> None:
    """Print the settings in force; keys and passwords are hidden."""
    if reference:
        click.echo(settings.reference(), nl=False)
        return
    for variable, value in settings.shown(settings.load()).items():
        click.echo(f"{variable}={value}")
