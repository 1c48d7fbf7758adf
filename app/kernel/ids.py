"""Identifiers: UUIDv7 (RFC 9562 §5.7), sortable by the millisecond of their making, never from a database sequence."""

import secrets
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """Return a UUIDv7; ids of one process grow strictly (12 sub-millisecond bits count up, RFC 9562 §6.2 method 3)."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits of their fraction, as one rising number
        _last = max(_last + 1, time.time_ns() * 4096 // 1_000_000)
        stamp = _last
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)


def made_at(identifier: UUID) -> datetime:
    """Return the UTC instant (to the millisecond) a UUIDv7 was made at."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
