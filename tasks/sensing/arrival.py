"""What arrives on one channel, in order of arrival: positions counted under the channel's lock, by no sequence."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from tasks.sensing.devices import Channel, Incoming
from tasks.sensing.quality import Reading, clock_future, flag


class Counters(Struct, frozen=True, kw_only=True):
    """How far a channel has come: last position and value, the newest event time, the last arrival."""

    last_seq: int = 0
    last_value: float | None = None
    max_at: datetime | None = None
    last_received_at: datetime | None = None


def stamp(channel: Channel, counters: Counters, records: Sequence[Incoming], now: datetime) -> list[Reading]:
    """Return the records of one batch as readings in event order, each with its position and what came before it."""
    stamped: list[Reading] = []
    before = counters.last_value
    for position, record in enumerate(sorted(records, key=lambda record: record.at), counters.last_seq + 1):
        stamped.append(
            Reading(
                at=record.at,
                value=record.value,
                quality=flag(record.value, before, channel, record.quality),
                seq=position,
                received_at=now,
                max_before=counters.max_at,
                heard_before=counters.last_received_at,
            )
        )
        before = record.value
    return stamped


def after(counters: Counters, stored: Iterable[Reading], now: datetime) -> Counters:
    """Return the counters once these readings are stored; a clock far ahead does not move the newest event time."""
    readings = sorted(stored, key=lambda reading: reading.seq)
    if not readings:
        return counters
    times = [reading.at for reading in readings if not clock_future(reading.at, now)]
    return msgspec.structs.replace(
        counters,
        last_seq=readings[-1].seq,
        last_value=readings[-1].value,
        max_at=max((*times, *((counters.max_at,) if counters.max_at else ())), default=None),
        last_received_at=max(filter(None, (counters.last_received_at, now))),
    )
