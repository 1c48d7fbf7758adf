"""Searching the library of difficult items at 2,400 entries, beside PostgreSQL reading ten rows by their ids."""

import time
from datetime import UTC, datetime

from app.demo.difficult import generated
from app.kernel import actor, db
from bench.figure import Figure
from bench.platform import DISTRICT, Context
from tasks.cases import difficult, difficult_commands

ENTRIES = 2_400
ROUNDS = 10
TEXTS = (
    "底商烧烤油烟大，楼上住户没法开窗，说没有烟道",
    "健身房突然关门，老板失联，预付卡退不了",
    "下大雨桥洞积水，泵站和道路不知道归谁管",
    "放学时候学校门口堵车，还有小摊贩",
    "物业撤走了电梯也停了垃圾没人收",
    "两个镇交界的河道有人偷排污水，互相推",
    "地铁施工把老房子震裂了",
    "外卖骑手受伤平台不认工伤",
)


async def run(context: Context) -> list[Figure]:
    """The first search of a process, which reads the library, and the median and slowest of those after it."""
    db.configure(await context.database())
    await db.start(1, 2)
    try:
        return await _measure()
    finally:
        await db.stop()


async def _measure() -> list[Figure]:
    now, clerk = datetime.now(UTC), actor.system(DISTRICT, "bench")
    written = difficult.shipped()
    async with db.transaction(DISTRICT):
        await difficult_commands.load([*written, *generated(ENTRIES - len(written))], now)
    started = time.perf_counter()
    await difficult_commands.search(TEXTS[0], clerk)
    first = time.perf_counter() - started
    times: list[float] = []
    bare: list[float] = []
    for text in TEXTS * ROUNDS:
        started = time.perf_counter()
        found = await difficult_commands.search(text, clerk)
        times.append(time.perf_counter() - started)
        ids = [each.entry.id for each in found]
        started = time.perf_counter()
        async with db.transaction(DISTRICT):
            await db.fetch("select * from difficult_item where id = any($1::uuid[])", ids)
        bare.append(time.perf_counter() - started)
    name = f"best 10 of {ENTRIES:,} difficult items"
    floor, said = _middle(bare) * 1000, "reading these 10 rows by id"
    return [
        Figure(name=f"{name}, median", value=_middle(times) * 1000, unit="ms", floor=floor, floor_name=said),
        Figure(name=f"{name}, slowest of {len(times)}", value=max(times) * 1000, unit="ms"),
        Figure(name=f"{name}, first of a process", value=first * 1000, unit="ms"),
    ]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
