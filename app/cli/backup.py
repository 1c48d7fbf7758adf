"""`zjw backup`: database and media saved while everything runs."""

from pathlib import Path

import click
import msgspec

from app import backup, settings
from app.cli.progress import bars
from app.kernel import clock
from app.trouble import Trouble


def media_root(chosen: settings.Settings) -> Path:
    """Return the local folder of the store; Trouble when it is a bucket."""
    if not chosen.media_url.startswith("file://"):
        raise Trouble("MEDIA_URL is not a local folder: back the bucket up with the store's own versioning.")
    return Path(chosen.media_url.removeprefix("file://"))


@click.command("backup")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON.")
def command(folder: Path, as_json: bool) -> None:
    """Save database and media into FOLDER (new or empty), while everything runs."""
    chosen = settings.load()
    made = backup.make(folder, chosen.database_owner_url, media_root(chosen), clock.now(), bars())
    tell(made, as_json, f"saved 已备份 in {folder}")


def tell(done: backup.Backup, as_json: bool, words: str) -> None:
    """Print what was saved or restored."""
    if as_json:
        click.echo(msgspec.json.encode({"made_at": done.made_at, "files": len(done.files), "sha256": done.dump_sha256}))
    else:
        click.echo(f"{words}: {len(done.files)} files, database {done.dump_sha256[:12]}, made {done.made_at:%F %T %Z}")
