"""`zjw demo`: the demo district, loaded once and kept."""

import asyncio
import time
from datetime import datetime

import click
import httpx
import msgspec
from msgspec import Struct

from app import reach, settings, wiring
from app.cli.progress import bars
from app.demo import accounts, load, mini_program, story
from app.demo.accounts import DemoFile
from app.demo.district.places import DISTRICT
from app.kernel import clock, db
from app.settings import Settings
from app.trouble import Trouble
from migrations import runner


class Summary(Struct, frozen=True, kw_only=True):
    """What `zjw demo load` did."""

    kind: str
    fresh: bool
    activity: bool
    seconds: float
    file: str


@click.group("demo")
def command() -> None:
    """The demo district (示范区): real divisions of Xiaoshan, everything else made up."""


@command.command("load")
@click.option("--kind", type=click.Choice(load.KINDS), default="small", show_default=True, help="How much activity.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def load_demo(kind: str, as_json: bool) -> None:
    """Load the demo district and its activity; what is loaded already is kept."""
    chosen = settings.load()
    for address in (chosen.database_owner_url, chosen.database_url):
        asyncio.run(reach.check(address))
    started = time.monotonic()
    loaded, with_activity = asyncio.run(_load(chosen, kind, clock.now()))
    file = chosen.home / accounts.FILE
    summary = Summary(
        kind=kind,
        fresh=loaded.fresh,
        activity=with_activity,
        seconds=round(time.monotonic() - started, 1),
        file=str(file),
    )
    if as_json:
        click.echo(msgspec.json.encode(summary))
        return
    click.echo(
        f"{'loaded 已加载' if loaded.fresh else 'kept 已保留'} in {summary.seconds} s; accounts and keys: {file}"
    )


async def _load(chosen: Settings, kind: str, now: datetime) -> tuple[load.Loaded, bool]:
    wiring.configure(chosen)
    db.configure(chosen.database_url)
    progress = bars()
    await runner.add_district(chosen.database_owner_url, DISTRICT, "萧山区", now)
    await db.start(1, 4)
    try:
        loaded = await load.district(kind, now, progress, lambda fresh: _keep(chosen, kind, fresh))
        told = _tell(chosen)
        with_activity = await load.activity(told.kind, now, progress)
    finally:
        await db.stop()
    return loaded, with_activity


def _keep(chosen: Settings, kind: str, loaded: load.Loaded) -> None:
    """Write the file of a fresh district."""
    sensors = loaded.sensors or []
    accounts.write(
        chosen.home,
        DemoFile(
            base_url=chosen.base_url,
            district=DISTRICT,
            kind=kind,
            accounts=loaded.accounts or [],
            api_keys=loaded.keys or {},
            devices={str(sensor.id): sensor.key for sensor in sensors},
            device_codes={sensor.code: str(sensor.id) for sensor in sensors},
        ),
    )


def _tell(chosen: Settings) -> DemoFile:
    """Bring up to date what may have changed since the file was written: address and ports."""
    known = accounts.read(chosen.home)
    if known is None:
        raise Trouble(
            f"The demo district is loaded, but {chosen.home / accounts.FILE} with its keys is gone:"
            " put it back, or run `make clean` and `make demo`."
        )
    ports = {name: value for name in ("mqtt", "jt808") if (value := getattr(chosen, f"{name}_port", 0))}
    told = msgspec.structs.replace(known, base_url=chosen.base_url, ports=known.ports | ports)
    accounts.write(chosen.home, told)
    return told


@command.command("story")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON at the end.")
def story_command(as_json: bool) -> None:
    """Play the whole mission over HTTP on the running demo; exit code 0 only if every effect was seen."""
    demo = accounts.read(settings.read().home)
    if demo is None:
        raise Trouble("There is no demo here: run `make demo` first.")
    try:
        played = story.play(demo, clock.now(), lambda words: click.echo(words, err=as_json))
    except httpx.TransportError as error:
        raise Trouble(f"The demo at {demo.base_url} does not answer ({error}): run `make demo`.") from None
    if as_json:
        click.echo(msgspec.json.encode({"steps": played.steps, "seen": played.seen}))


command.add_command(mini_program.command)
