"""How fast the machine of episodes runs, all by itself, on one core."""

import random
import time

from bench.figure import Figure
from bench.platform import Context
from tasks.sensing import episodes, jt808, jt808_bodies
from tasks.sensing.jt808 import Message
from tasks.sensing.rules import Rule, compile_rule

READINGS, FRAMES = 300_000, 60_000


async def run(_: Context) -> list[Figure]:
    """Episode engine and terminal positions; both pure, no service is used."""
    return [_engine(), _positions()]


def _series() -> list[tuple[int, float]]:
    """Water that rises and falls around the threshold: 14,000 transitions in 300,000 readings."""
    rng, level, series = random.Random(1), 5.0, list[tuple[int, float]]()
    for n in range(READINGS):
        level = max(0.0, level + rng.uniform(-1, 1) + (9 - level) * 0.02)
        series.append((n * 10_000_000, level))
    return series


def _engine() -> Figure:
    rule = compile_rule(Rule(on=10, off=8, hold_for=30, clear_for=40, max_gap=25))
    series = _series()
    start = time.perf_counter()
    episodes.advance(episodes.State(), rule, series)
    rate = READINGS / (time.perf_counter() - start)
    start = time.perf_counter()
    sum(value > 10 for _, value in series)
    floor = READINGS / (time.perf_counter() - start)
    return Figure(name="episode engine", value=rate, unit="readings/s", floor=floor, floor_name="compare each value")


def _positions() -> Figure:
    fixed = "00000000 00000003 01d365df 072f15d5 0028 0000 002d 210917191558"
    body = bytes.fromhex(fixed + "0104 0002a10f 3001 1b 3101 09")
    frames = [
        jt808.encode(Message(message_id=0x0200, phone="013800000000", serial=n % 65536, body=body))
        for n in range(FRAMES)
    ]
    start = time.perf_counter()
    for frame in frames:
        jt808_bodies.fields(jt808.decode(frame))
    rate = FRAMES / (time.perf_counter() - start)
    start = time.perf_counter()
    for frame in frames:
        jt808.unescape(frame)
    floor = FRAMES / (time.perf_counter() - start)
    return Figure(
        name="JT/T 808 position decode", value=rate, unit="frames/s", floor=floor, floor_name="unescape alone"
    )
