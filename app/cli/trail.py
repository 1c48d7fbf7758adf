"""`zjw trail`: is the trace of the cases whole?"""

import asyncio
from uuid import UUID

import click
import msgspec
from tqdm import tqdm

from app import reach, settings
from app.kernel import db
from app.settings import Settings
from tasks.cases import hashing, trail
from tasks.cases.trail import Checked


@click.group("trail")
def command() -> None:
    """The trace of cases (留痕), sealed step by step."""


@command.command("verify")
@click.option("--case", "case_id", type=click.UUID, default=None, help="One case only.")
@click.option("--district", default=None, help="District's code; default: the one of the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(case_id: UUID | None, district: str | None, as_json: bool) -> None:
    """Walk every chain and report the first link that does not hold. Exit code 1: broken, or no such case."""
    chosen = settings.load()
    with reach.database(chosen.database_url):
        found = asyncio.run(_verify(chosen, district or chosen.district, case_id))
    if found is None:
        raise click.ClickException(f"no such case 没有这个事件: {case_id}")
    click.echo(msgspec.json.encode(found).decode() if as_json else _told(found))
    if found.broken is not None:
        raise SystemExit(1)


async def _verify(chosen: Settings, district: str, case_id: UUID | None) -> Checked | None:
    db.configure(chosen.database_url)
    hashing.configure(chosen.trace_hash)  # of the root that is printed
    await db.start(1, 2)
    try:
        if case_id is not None:
            return await trail.verify_one(district, case_id)
        with tqdm(unit="case", delay=2, leave=False) as bar:
            return await trail.verify_all(district, bar.update)
    finally:
        await db.stop()


def _told(found: Checked) -> str:
    if found.broken is None:
        root = "" if found.root is None else f"\n根散列 root: {found.root}"
        return f"{found.cases} 个事件、{found.links} 步，全部完好 (all links hold){root}"
    zh, en = found.broken.why
    return f"断链 broken: case {found.broken.case} step {found.broken.seq}: {zh} ({en})"
