"""Backup and restore of a deployment: the database as one snapshot, the media by their digests, and a new epoch after.

After a restore the feed may lie behind what phones have seen; the new epoch makes them fetch everything again, and they
keep what they have not sent.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec
from msgspec import Struct

from app.embedded import postgres
from app.kernel.db import schema_of
from app.kernel.ids import new_id
from app.trouble import Trouble
from migrations import runner

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, of how much."""

DUMP = "database.dump"
MEDIA = "media"
ABOUT = "backup.json"
FORMAT = 1


class File(Struct, frozen=True):
    """A file of the store: its path below the store's folder and its size in bytes; its name is its SHA-256."""

    path: str
    size: int


class Backup(Struct, frozen=True, kw_only=True):
    """What a backup holds; `dump_sha256` guards the database part, names guard the media."""

    format: int
    made_at: datetime
    migrations: list[str]
    dump_sha256: str
    files: list[File]


def make(folder: Path, database_url: str, media_root: Path, now: datetime, progress: Progress) -> Backup:
    """Write a backup into an empty folder. Trouble when it is not empty or a program fails."""
    if folder.exists() and any(folder.iterdir()):
        raise Trouble(f"{folder} is not empty: name a new folder for the backup.")
    folder.mkdir(parents=True, exist_ok=True)
    progress("database", 0, 1)
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(folder / DUMP), database_url)
    progress("database", 1, 1)
    # After the dump: every file a row of the snapshot names was kept before that row was committed.
    files = [File(str(path.relative_to(media_root)), path.stat().st_size) for path in _stored(media_root)]
    for done, file in enumerate(files, 1):
        _copy(media_root / file.path, folder / MEDIA / file.path)
        progress("media", done, len(files))
    backup = Backup(
        format=FORMAT,
        made_at=now,
        migrations=[each.id for each in runner.available()],
        dump_sha256=_digest(folder / DUMP),
        files=files,
    )
    (folder / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(backup)))
    return backup


def read(folder: Path) -> Backup:
    """Return what a folder holds, checked against damage. Trouble names what is missing or was changed."""
    about = folder / ABOUT
    if not about.is_file():
        raise Trouble(f"{folder} holds no whole backup ({ABOUT} is missing): name the folder of a finished one.")
    backup = msgspec.json.decode(about.read_bytes(), type=Backup)
    if backup.format != FORMAT:
        raise Trouble(f"The backup in {folder} has format {backup.format}: restore it with the version that made it.")
    unknown = set(backup.migrations) - {each.id for each in runner.available()}
    if unknown:
        raise Trouble(f"The backup is of a newer version (migrations {sorted(unknown)}): install that version first.")
    if _digest(folder / DUMP) != backup.dump_sha256:
        raise Trouble(f"{folder / DUMP} was changed since the backup was made: use another backup.")
    return backup


async def restore(folder: Path, database_url: str, media_root: Path, now: datetime, progress: Progress) -> Backup:
    """Replace database and media by a backup, run newer migrations and change the epoch of every district."""
    backup = read(folder)
    for done, file in enumerate(backup.files, 1):
        source = folder / MEDIA / file.path
        if not source.is_file() or _digest(source) != source.name:
            raise Trouble(f"{source} is missing or damaged: use another backup. Nothing was changed.")
        _copy(source, media_root / file.path)
        progress("media", done, len(backup.files))
    progress("database", 0, 1)
    await _drop_districts(database_url)
    # rights are given by the migrations below: the role they name may not be there yet
    _run("pg_restore", "--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--dbname",
         database_url, str(folder / DUMP))  # fmt: skip
    progress("database", 1, 1)
    await runner.migrate(database_url, now)
    await _new_epochs(database_url)
    return backup


async def _drop_districts(database_url: str) -> None:
    """Make room: also for districts the backup does not know."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("select nspname from pg_namespace where nspname ~ '^d[0-9]{6}$'")
        for row in rows:
            await connection.execute(f"drop schema {row['nspname']} cascade")
        await connection.execute("drop table if exists public.district")
    finally:
        await connection.close()


async def _new_epochs(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for row in await connection.fetch("select code from public.district"):
            await connection.execute(f"update {schema_of(row['code'])}.feed_head set epoch = $1", new_id())
    finally:
        await connection.close()


def _stored(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/files/*/*/*") if path.is_file() and not path.name.startswith("."))


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program) or str(postgres.binaries() / program)
    done = subprocess.run((found, *arguments), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"{program} failed: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}")
