"""`zjw restore`: database and media replaced by a backup."""

import asyncio
import sys
from pathlib import Path

import click

from app import backup, settings
from app.cli.backup import media_root, tell
from app.cli.progress import bars
from app.kernel import clock
from app.running import running
from app.trouble import Trouble


@click.command("restore")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Replace the present database without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as JSON.")
def command(folder: Path, yes: bool, as_json: bool) -> None:
    """Replace database and media by the backup in FOLDER; phones fetch everything anew and keep what is unsent."""
    chosen = settings.load()
    if there := running(chosen.home):
        raise Trouble(f"Server and worker run at {there.url}: stop them with `make stop` before a restore.")
    if not yes and (not sys.stdin.isatty() or not click.confirm("Replace the present database?")):
        raise Trouble("Nothing was changed: say --yes to replace the present database.")
    restored = asyncio.run(backup.restore(folder, chosen.database_owner_url, media_root(chosen), clock.now(), bars()))
    tell(restored, as_json, f"restored 已恢复 from {folder}")
