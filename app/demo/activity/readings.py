"""The demo sensors' past readings: calm water, some showers; sent like a gateway's late batch, so nothing fires."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from app.demo import reference
from app.demo.activity.volume import Volume
from app.demo.district import SEED
from app.demo.district.places import DISTRICT
from app.demo.reference import Site
from app.kernel import actor
from app.kernel.actor import Actor
from tasks.sensing import commands as sensing
from tasks.sensing import facts
from tasks.sensing.devices import Incoming

PART = 1_000
"""Records of one batch."""
READER = actor.system(DISTRICT, "demo")
QUIET = timedelta(hours=2)
"""What is newer is left to live devices, so that a made-up batch is never taken for news."""


async def load(volume: Volume, anchor: datetime, progress: Callable[[str, int, int], Any]) -> None:
    """Record the days of the demo for every demo sensor; the same again changes nothing."""
    await sensing.open_history(anchor - timedelta(days=volume.days + 1), READER, anchor)
    known = {each.device.code: each.device for each in await facts.devices(READER, None, None, 100, anchor)}
    sites = [site for site in reference.SENSORS if site.code in known]
    for done, site in enumerate(sites, 1):
        device = known[site.code].id
        scopes = frozenset({"sensing.record"})
        sender = Actor(id=device, kind="device", district=DISTRICT, device=device, scopes=scopes)
        records = list(_series(site, volume, anchor))
        for start in range(0, len(records), PART):
            await sensing.record(records[start : start + PART], sender, anchor)
        progress("readings 读数", done, len(sites))


def _series(site: Site, volume: Volume, anchor: datetime) -> Iterator[Incoming]:
    random = Random(f"{SEED}-{site.code}")
    step = timedelta(minutes=volume.reading_every)
    at = (anchor - timedelta(days=volume.days)).astimezone(UTC).replace(second=0, microsecond=0)
    wet = 0.0
    while at < anchor - QUIET:
        wet = wet * 0.9 + (random.uniform(0, 2) if random.random() < 0.02 else 0.0)
        yield Incoming(device=site.code, channel=site.channel.name, at=at, value=_value(site, wet, at, random))
        at += step


def _value(site: Site, wet: float, at: datetime, random: Random) -> float:
    if site.kind == "water_level":  # below the 10 cm of the rule
        return round(min(7.5, 1.5 + wet * 1.5 + 0.5 * math.sin(at.timestamp() / 14_000) + random.uniform(0, 0.3)), 1)
    return round(wet * 4, 1) if site.kind == "rain_gauge" else 0.0
